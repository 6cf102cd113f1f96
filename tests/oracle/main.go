// The oracle answers which ticks a schedule has according to robfig/cron v3, the library inside the CronJob
// controller of Kubernetes. It reads one JSON request a line and writes one JSON answer a line, until its input ends.
//
// A zone arrives as the bytes of its TZif file, so that both sides use the same time zone data.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/robfig/cron/v3"
)

// patience bounds one case. The library never returns from a walk over a day that a zone left out (Apia's 30 December
// 2011). Such a walk cannot be stopped from outside, so the program reports it and ends; its caller starts another.
const patience = 500 * time.Millisecond

// request is a batch of cases of one kind: a zone to remember, cases to answer, or cases to time.
type request struct {
	Zone  string `json:"zone,omitempty"`
	Data  []byte `json:"data,omitempty"`
	Cases []task `json:"cases,omitempty"`
	Timed bool   `json:"timed,omitempty"`
}

// task asks for up to limit ticks after an instant (seconds since 1970, UTC), each found from the one before.
type task struct {
	Expression string `json:"expression"`
	// Seconds tells that the expression begins with a field for seconds, which the library reads if asked to.
	Seconds bool   `json:"seconds,omitempty"`
	Zone    string `json:"zone"`
	After   int64  `json:"after"`
	Limit   int    `json:"limit"`
}

// answer carries the ticks, fewer than asked for when the library finds no more, or the reason of a rejection.
type answer struct {
	Ticks    []int64 `json:"ticks"`
	Rejected string  `json:"rejected,omitempty"`
	// Endless tells that the library did not return: see patience.
	Endless bool `json:"endless,omitempty"`
}

type reply struct {
	Answers     []answer `json:"answers,omitempty"`
	Nanoseconds int64    `json:"nanoseconds,omitempty"`
	Error       string   `json:"error,omitempty"`
}

func (r reply) endless() bool {
	return len(r.Answers) > 0 && r.Answers[len(r.Answers)-1].Endless
}

func main() {
	input := bufio.NewReaderSize(os.Stdin, 1<<20)
	output := json.NewEncoder(os.Stdout)
	zones := map[string]*time.Location{"UTC": time.UTC}
	for {
		line, err := input.ReadBytes('\n')
		if err != nil {
			return
		}
		reply := respond(line, zones)
		if err := output.Encode(reply); err != nil || reply.endless() {
			return
		}
	}
}

func respond(line []byte, zones map[string]*time.Location) reply {
	var asked request
	if err := json.Unmarshal(line, &asked); err != nil {
		return reply{Error: err.Error()}
	}
	if asked.Zone != "" {
		location, err := time.LoadLocationFromTZData(asked.Zone, asked.Data)
		if err != nil {
			return reply{Error: err.Error()}
		}
		zones[asked.Zone] = location
	}
	answers := make([]answer, len(asked.Cases))
	began := time.Now()
	for index, task := range asked.Cases {
		location := zones[task.Zone]
		if location == nil {
			return reply{Error: "unknown zone " + task.Zone}
		}
		if asked.Timed {
			ticks(task, location)
			continue
		}
		answers[index] = ticksWithPatience(task, location)
		if answers[index].Endless {
			return reply{Answers: answers[:index+1]}
		}
	}
	if asked.Timed {
		return reply{Nanoseconds: time.Since(began).Nanoseconds()}
	}
	return reply{Answers: answers}
}

func ticksWithPatience(asked task, location *time.Location) answer {
	done := make(chan answer, 1)
	go func() { done <- ticks(asked, location) }()
	select {
	case found := <-done:
		return found
	case <-time.After(patience):
		return answer{Ticks: []int64{}, Endless: true}
	}
}

func ticks(asked task, location *time.Location) (found answer) {
	// The API server recovers from the library's panics (on "TZ=0", for one) and rejects the schedule.
	defer func() {
		if reason := recover(); reason != nil {
			found = answer{Ticks: []int64{}, Rejected: fmt.Sprint(reason)}
		}
	}()
	parse := cron.ParseStandard
	if asked.Seconds {
		fields := cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow
		parse = cron.NewParser(fields).Parse
	}
	schedule, err := parse(asked.Expression)
	if err != nil {
		return answer{Ticks: []int64{}, Rejected: err.Error()}
	}
	found.Ticks = make([]int64, 0, asked.Limit)
	// A schedule without a zone of its own is taken in the zone of the time that is passed in.
	at := time.Unix(asked.After, 0).In(location)
	for range asked.Limit {
		at = schedule.Next(at)
		if at.IsZero() {
			break
		}
		found.Ticks = append(found.Ticks, at.Unix())
	}
	return found
}
