"""Many small clusters in memory, each with a task that changes hands at random while its daemon is broken at random.

What takes minutes on a real control plane happens here a hundred times in one. Each cluster has one task that ticks by
the second, two replicas of the daemon, and a stand-in for the operator that takes the task over and gives it back.
Requests are slow, refused, or carried out without an answer. At the end each tick of the time in which the daemon
decided must be in the counters once, each TaskRun must have an outcome, and nothing may have started twice, or in a
second that was not the daemon's.

    python -m tests.chaos.hands --seed 7 --clusters 20 --seconds 40
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.unit.daemon import tasks
from tests.unit.daemon.harness import LiveApi, LiveCluster, Replica, until
from timewright.cluster.api import JOBS, SCHEDULED_TASKS, TASK_RUNS
from timewright.daemon.documents import at
from timewright.desired.names import COUNTED_ANNOTATION, DAEMON_LABEL
from timewright.resources.model import parse_time

Manifest = dict[str, Any]

NO_COUNTS = dict.fromkeys(("succeeded", "failed", "skipped", "missed", "cancelled", "lost"), 0)
JOB = "job"
WORK = {
    "Allow": ("note", "take_a_moment", "fail", "long", JOB, JOB),
    "Forbid": ("note", "take_a_moment", "fail", "long", JOB, JOB),
    "Replace": ("note", "take_a_moment", "fail", "long", JOB, JOB),
    "Queue": ("note", "take_a_moment"),
}
"""By policy, which of `tests.unit.daemon.tasks` a task may call, or that its runs are Jobs.

What queues must not take longer than a tick.
"""

FAULTS = ("mode", "mode", "mode", "kill", "end", "away", "suspend", "ask", "nothing")
SETTLE_SECONDS = 60.0

SLOWEST = 0.2
"""How many seconds a request may wait, and its answer."""

FAULTY = 0.02
"""What share of requests has no answer; half as many are refused."""


class FaultyApi(LiveApi):
    """Takes its time, refuses some requests, and of some that it carries out gives no answer."""

    def __init__(self, cluster: LiveCluster, chance: random.Random) -> None:
        super().__init__(cluster)
        self._chance = chance

    async def _answer(self, verb: str, resource: Any, action: Callable[[], Manifest]) -> Manifest:
        luck = self._chance.random()
        await asyncio.sleep(SLOWEST * self._chance.random() ** 2)
        if luck < FAULTY / 2:
            raise ConnectionError("refused")
        answer = await super()._answer(verb, resource, action)
        await asyncio.sleep(SLOWEST * self._chance.random() ** 2)
        if luck > 1 - FAULTY:
            raise ConnectionError("no answer")
        return answer

    async def watch(self, *given: Any, **more: Any) -> AsyncIterator[tuple[str, Manifest]]:
        async for event in super().watch(*given, **more):
            await asyncio.sleep(0.3 * self._chance.random() ** 4)
            yield event


@dataclass
class Stay:
    """A time in which the daemon decides: the ticks in `(since, until]`, in UTC seconds."""

    since: int
    until: int | None = None

    def __contains__(self, tick: int) -> bool:
        return self.since < tick <= (self.until if self.until is not None else tick)


@dataclass
class Hand:
    """One cluster, its task, and what happened to them."""

    seed: str
    cluster: LiveCluster = field(default_factory=LiveCluster)
    stays: list[Stay] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    made: Counter[str] = field(default_factory=Counter)
    """How many times a Job of each name was made."""
    is_ending: bool = False

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.name = f"task-{self.seed}"
        self._began, self._replicas, self._ending = time.time(), 0, list[asyncio.Future[bool]]()
        policy = self.chance.choice(sorted(WORK))
        self.on_lost = self.chance.choice(["Rerun", "Record"])
        self.kind = f"{policy}, {self.chance.choice(WORK[policy])}, onLost {self.on_lost}"
        function = self.kind.split(", ")[1]
        template = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "none:1"}]}}}}
        call = {"call": f"tests.unit.daemon.tasks:{function}"}
        self.cluster.daemon_task(
            self.name,
            command=None,
            **({"jobTemplate": template} if function == JOB else {"python": call}),
            concurrencyPolicy=policy,
            onLost=self.on_lost,
            successfulRunsHistoryLimit=200,
            failedRunsHistoryLimit=200,
        )
        self._follow_deciders()
        self._write({"counters": dict(NO_COUNTS)}, to_daemon=True)

    @property
    def spec(self) -> Manifest:
        spec: Manifest = self.cluster.of(SCHEDULED_TASKS)[self.name]["spec"]
        return spec

    @property
    def status(self) -> Manifest:
        return self.cluster.status(self.name)

    def runs(self) -> dict[str, Manifest]:
        """Return the statuses of all TaskRuns by their names."""
        return {name: body.get("status") or {} for name, body in self.cluster.runs(self.name).items()}

    def tell(self, event: str) -> None:
        now = time.time()
        self.events.append(f"{now - self._began:6.2f} {now % 1000:7.2f} {event}")

    def edit(self, **spec: Any) -> None:
        self.tell(f"edit {spec}")
        self.cluster.edit(SCHEDULED_TASKS, self.name, lambda body: body["spec"].update(spec))

    async def replica(self) -> Replica:
        self._replicas += 1
        replica = Replica(self.cluster, f"pod-{self._replicas}")
        replica.api = FaultyApi(self.cluster, self.chance)
        return await replica.__aenter__()

    async def live(self, seconds: float) -> list[str]:
        """Break things for so long, then settle everything; return what is wrong."""
        controllers = [asyncio.ensure_future(each) for each in (self._operate(), self._run_jobs())]
        replicas = [await self.replica() for _ in range(2)]
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            await asyncio.sleep(self.chance.uniform(0.2, 3))
            await self._break(replicas)
        self.tell("settle")
        self.is_ending = True
        self.edit(mode="CronJob", suspend=False)
        wrong = await self._settled()
        for replica in replicas:
            await replica.end()
        await asyncio.gather(*self._ending, return_exceptions=True)
        await asyncio.sleep(1)  # the operator counts what was told at last
        for each in controllers:
            each.cancel()
        return wrong + self._judge()

    async def _break(self, replicas: list[Replica]) -> None:
        what, number = self.chance.choice(FAULTS), self.chance.randrange(len(replicas))
        replica = replicas[number]
        if what in ("kill", "end", "away"):
            self.tell(f"{what} {number}, which {'leads' if replica.leads else 'stands by'}")
        if what == "mode":
            self.edit(mode=self.chance.choice(["CronJob", "Daemon"]))
        elif what == "suspend":
            self.edit(suspend=self.chance.random() < 0.5)
        elif what == "ask":
            self.asked.append(f"now-{len(self.asked)}-{self.seed}")
            self.tell(f"ask for {self.asked[-1]}")
            self.cluster.ask(self.asked[-1], task=self.name)
        elif what == "kill":
            await replica.kill()
            replicas[number] = await self.replica()
        elif what == "end":
            self._ending.append(asyncio.ensure_future(replica.end()))
            replicas[number] = await self.replica()
        elif what == "away":
            replica.api.away = True
            await asyncio.sleep(self.chance.uniform(0.2, 3))
            replica.api.away = False
            self.tell(f"back {number}")

    async def _settled(self) -> list[str]:
        try:
            await until(lambda: self.status["scheduledBy"] == "CronJob", SETTLE_SECONDS)
            await until(lambda: all(run.get("outcome") for run in self.runs().values()), SETTLE_SECONDS)
        except AssertionError:
            left = [name for name, run in self.runs().items() if not run.get("outcome")]
            return [f"{self.status['scheduledBy']} decides, and without an outcome: {left}"]
        return []

    def _judge(self) -> list[str]:
        wrong = []
        counted, due = sum(self.status["counters"].values()), len(self.asked)
        due += sum(stay.until - stay.since for stay in self.stays if stay.until is not None)
        if counted != due:
            wrong.append(f"{due} ticks and requests, {counted} counted")
        # A run by hand has the second in which it was asked for, which may be that of a tick as well.
        started = [tick for name, tick in tasks.started if name == self.name and not self.asked]
        twice = [tick for tick, times in Counter(started).items() if times > 1]
        if twice and self.on_lost != "Rerun":
            wrong.append(f"started twice: {twice}")
        if again := [name for name, times in self.made.items() if times > 1]:
            wrong.append(f"made twice: {again}")
        if foreign := [tick for tick in started if not any(tick in stay for stay in self.stays)]:
            wrong.append(f"started in seconds that were not the daemon's: {foreign}")
        return wrong

    # The stand-in for the operator

    async def _operate(self) -> None:
        while True:
            await asyncio.sleep(self.chance.uniform(0.1, 0.6))
            if self.status.get("scheduledBy") != "CronJob":
                continue
            for name, body in self.cluster.runs(self.name).items():
                is_daemons = DAEMON_LABEL in body["metadata"].get("labels", {})
                is_open = body["spec"].get("trigger") == "Manual" and not (body.get("status") or {}).get("outcome")
                if is_open and not is_daemons and self.spec["mode"] == "CronJob":
                    told = {"phase": "Finished", "outcome": "Succeeded", "completionTime": at(time.time())}
                    self.cluster.edit(TASK_RUNS, name, lambda body, told=told: body.update(status=told))
            counted = self.status.get("countedRuns") or []
            ended = {name: run["outcome"] for name, run in self.runs().items() if run.get("outcome")}
            news = {name: outcome for name, outcome in ended.items() if name not in counted}
            counters = Counter(self.status.get("counters") or NO_COUNTS)
            bodies = self.cluster.runs(self.name)
            told = {name for name in news if COUNTED_ANNOTATION in bodies[name]["metadata"].get("annotations", {})}
            counters.update(outcome.lower() for name, outcome in news.items() if name not in told)
            to_daemon = self.spec["mode"] == "Daemon" and not self.is_ending
            if news or to_daemon:
                self._write({"counters": dict(counters), "countedRuns": sorted({*counted, *news})}, to_daemon=to_daemon)

    async def _run_jobs(self) -> None:
        while True:
            await asyncio.sleep(0.2)
            for name, body in self.cluster.jobs().items():
                status = body.get("status") or {}
                if "startTime" not in status:
                    started = {"startTime": at(time.time()), "ready": 1}
                    self.cluster.edit(JOBS, name, lambda body, status=started: body.update(status=status))
                elif "conditions" not in status and self.chance.random() < 0.15:
                    self.cluster.finish(name, succeeded=self.chance.random() < 0.8)

    def _write(self, news: Manifest, *, to_daemon: bool) -> None:
        status = {**(self.cluster.of(SCHEDULED_TASKS)[self.name].get("status") or {}), **news}
        if to_daemon:
            status |= {"scheduledBy": "Daemon", "daemon": "default", "watermark": at(time.time())}
            status.pop("decided", None)
        self.cluster.edit(SCHEDULED_TASKS, self.name, lambda body: body.update(status=status))

    def _follow_deciders(self) -> None:
        tell, decider = self.cluster._tell, [""]

        def follow(kind: str, plural: str, body: Manifest) -> None:
            status = body.get("status") or {}
            if plural == SCHEDULED_TASKS.plural and status.get("scheduledBy", "") != decider[0]:
                decider[0], watermark = status["scheduledBy"], int(parse_time(status["watermark"]).timestamp())
                if decider[0] == "Daemon":
                    self.stays.append(Stay(watermark))
                else:
                    self.stays[-1].until = watermark
                self.tell(f"{decider[0]} decides after {watermark % 1000}, {status.get('counters')}")
            self.made[body["metadata"]["name"]] += plural == JOBS.plural and kind == "ADDED"
            tell(kind, plural, body)

        self.cluster._tell = follow  # type: ignore[method-assign]


async def play(seed: int, clusters: int, seconds: float) -> int:
    """Play that many clusters at once, tell of those in which something is wrong, and return how many these are."""
    hands = [Hand(f"{seed}-{number}") for number in range(clusters)]
    results = await asyncio.gather(*(hand.live(seconds) for hand in hands))
    for hand, wrong in zip(hands, results, strict=True):
        if wrong:
            print(f"{hand.name} ({hand.kind}): {'; '.join(wrong)}", *hand.events, sep="\n  ")
    ticks = sum(stay.until - stay.since for hand in hands for stay in hand.stays if stay.until is not None)
    lost = sum(hand.status["counters"]["lost"] for hand in hands)
    stays, bad = sum(len(hand.stays) for hand in hands), sum(map(bool, results))
    print(f"seed {seed}: {clusters} clusters, {stays} stays, {ticks} ticks, {lost} Lost; wrong in {bad}", flush=True)
    return bad


def main() -> int:
    """Play what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.hands", description=__doc__.partition("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--clusters", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=40)
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)  # the faults are ours
    return int(bool(asyncio.run(play(arguments.seed, arguments.clusters, arguments.seconds))))


if __name__ == "__main__":
    sys.exit(main())
