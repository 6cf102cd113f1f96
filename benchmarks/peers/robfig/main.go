// Prints how late robfig/cron starts each of many jobs that are due in the same second, in seconds, one a line.
//
// Usage: robfig JOBS PERIOD SECONDS
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/robfig/cron/v3"
)

func main() {
	jobs, period, seconds := number(1), number(2), number(3)
	var mutex sync.Mutex
	var delays []float64
	scheduler := cron.New(cron.WithSeconds())
	job := func() {
		now := time.Now()
		late := now.Sub(now.Truncate(time.Duration(period) * time.Second)).Seconds()
		mutex.Lock()
		delays = append(delays, late)
		mutex.Unlock()
	}
	for range jobs {
		if _, err := scheduler.AddFunc(fmt.Sprintf("*/%d * * * * *", period), job); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	// Begin just after an instant at which all are due, so that starting up is not measured.
	every := time.Duration(period) * time.Second
	time.Sleep(time.Until(time.Now().Truncate(every).Add(every + 3*time.Second/2)))
	scheduler.Start()
	time.Sleep(time.Duration(seconds) * time.Second)
	<-scheduler.Stop().Done()
	output := bufio.NewWriter(os.Stdout)
	defer output.Flush()
	for _, delay := range delays {
		fmt.Fprintln(output, delay)
	}
}

func number(position int) int {
	value, err := strconv.Atoi(os.Args[position])
	if err != nil {
		fmt.Fprintln(os.Stderr, "usage: robfig JOBS PERIOD SECONDS")
		os.Exit(2)
	}
	return value
}
