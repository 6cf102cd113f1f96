"""Judges each tick of each task: exactly one outcome, none started twice, none lost without a word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.audit.evidence import Record, Start, Task
from tests.oracle.robfig import Case, Robfig

UNSTARTED = ("Missed", "Skipped", "Lost", "Cancelled", "Failed")
"""Outcomes that a tick may have although nothing of it ever ran."""

MOST_TICKS = 200_000


@dataclass
class Verdict:
    """What became of all ticks."""

    ticks: int = 0
    started: int = 0
    reruns: int = 0
    """Starts beyond the first, of runs that were cut off and whose task asks for that."""
    recorded: Counter[str] = field(default_factory=Counter)
    """Ticks that nothing ran for, by the outcome and reason in their records."""
    counted: int = 0
    """Ticks that nothing ran for and that are told by counters alone, as too many to be listed."""
    waiting: int = 0
    """Ticks that wait for room, as their task is suspended."""
    cut_off: int = 0
    """Runs that began and did not end."""
    violations: list[str] = field(default_factory=list)

    @property
    def duplicates(self) -> int:
        """How many ticks were started more often than they may be."""
        return sum("started twice" in each for each in self.violations)

    def add(self, other: Verdict) -> None:
        """Take another one's in."""
        self.ticks += other.ticks
        self.started += other.started
        self.reruns += other.reruns
        self.recorded += other.recorded
        self.counted += other.counted
        self.waiting += other.waiting
        self.cut_off += other.cut_off
        self.violations += other.violations

    def text(self) -> str:
        """Return it in one line, without the violations."""
        recorded = ", ".join(f"{count} {name}" for name, count in sorted(self.recorded.items())) or "none"
        return (
            f"{self.ticks} ticks, {self.started} started, {self.reruns} reruns, {self.cut_off} cut off; without a "
            f"start: {recorded}, {self.counted} by counters alone, {self.waiting} still waiting; "
            f"duplicates {self.duplicates}, violations {len(self.violations)}"
        )


def judge(tasks: Mapping[str, Task], until: int, oracle: Robfig) -> Verdict:
    """Judge all ticks from a task's creation up to an instant, which every task has to have decided by now."""
    verdict = Verdict()
    for task in tasks.values():
        verdict.add(_judge(task, until, oracle))
    return verdict


def _judge(task: Task, until: int, oracle: Robfig) -> Verdict:
    verdict = Verdict()
    end = until if task.watermark is None else max(until, task.watermark)
    ticks = _ticks(task, end, oracle)
    decided = end if task.watermark is None else task.watermark
    undecided = [tick for tick in ticks if decided < tick <= until]
    if undecided:
        text = f"decided until {decided} only, though {undecided[0]} is a tick"
        verdict.violations.append(f"{task.name}: {text}")
    ticks = [tick for tick in ticks if tick not in task.waiting]
    verdict.ticks = len(ticks)
    verdict.waiting = len(task.waiting)
    silent: list[int] = []
    started_otherwise: Counter[str] = Counter()
    for tick in ticks:
        starts = task.starts.get(tick, [])
        records = _settled(task.records.get(tick, {}).values())
        name = f"{task.name}@{tick}"
        if len({each.outcome for each in records}) > 1:
            told = ", ".join(f"{each.name}: {each.outcome}" for each in records)
            verdict.violations.append(f"{name}: has several outcomes: {told}")
        record = records[-1] if records else None
        if record is not None and not record.reason:
            verdict.violations.append(f"{name}: {record.outcome} without a reason")
        if starts:
            verdict.started += 1
            verdict.cut_off += sum(not each.ended for each in starts)
            _judge_starts(task, name, starts, verdict)
            if record is not None and record.outcome not in ("Succeeded", None):
                started_otherwise[record.outcome] += 1
            if record is not None and record.outcome == "Succeeded" and not any(each.ended for each in starts):
                verdict.violations.append(f"{name}: recorded as Succeeded, but no run of it ended")
        elif record is None:
            silent.append(tick)
        elif record.outcome in UNSTARTED:
            verdict.recorded[f"{record.outcome}/{record.reason}"] += 1
        else:
            verdict.violations.append(f"{name}: recorded as {record.outcome}, but nothing ever ran for it")
    begun = [tick for tick in task.waiting if task.starts.get(tick)]
    verdict.violations += [f"{task.name}@{tick}: started, though it is said to wait" for tick in begun]
    _judge_counters(task, verdict, silent, started_otherwise)
    regular = {*ticks, *task.waiting}
    unscheduled = [tick for tick in task.starts if task.created < tick <= end and tick not in regular]
    verdict.violations += [f"{task.name}@{tick}: started, though it is no tick" for tick in unscheduled]
    return verdict


def _judge_starts(task: Task, name: str, starts: list[Start], verdict: Verdict) -> None:
    if len(starts) == 1:
        return
    cut_off = [each for each in starts if not each.ended]
    # A run that ended may be taken for cut off by whoever comes after: nobody was left to tell.
    if task.may_rerun and len({each.carrier.partition(".")[0] for each in starts}) == len(starts):
        verdict.reruns += len(starts) - 1
        return
    told = ", ".join(f"{each.carrier} at {each.at}" for each in starts)
    verdict.violations.append(f"{name}: started twice: {told} ({len(cut_off)} of them did not end)")


def _judge_counters(task: Task, verdict: Verdict, silent: list[int], started_otherwise: Counter[str]) -> None:
    """Compare the counters with what was found, tick by tick; what is silent has to be in them."""
    by_hand = Counter(each for each in task.by_hand.values() if each is not None)
    total = sum(task.counters.values()) - by_hand.total()
    if total != verdict.ticks:
        counters = dict(task.counters)
        verdict.violations.append(f"{task.name}: {verdict.ticks} ticks, but the counters tell of {total}: {counters}")
    succeeded = task.counters.get("succeeded", 0) - by_hand["Succeeded"]
    possible = verdict.started - started_otherwise.total()
    if succeeded > possible:
        text = f"counted {succeeded} times as Succeeded, but only {possible} runs may have"
        verdict.violations.append(f"{task.name}: {text}")
    others = sum(count for name, count in task.counters.items() if name != "succeeded")
    others -= by_hand.total() - by_hand["Succeeded"]
    listed = verdict.recorded.total() + started_otherwise.total()
    told = max(0, others - listed)
    # A started run that is not recorded may be one of those that the counters alone tell of.
    unrecorded_starts = max(0, possible - succeeded)
    verdict.counted = min(len(silent), max(0, told - unrecorded_starts))
    for tick in silent[verdict.counted :]:
        verdict.violations.append(f"{task.name}@{tick}: neither started nor recorded")


def _settled(records: Iterable[Record]) -> list[Record]:
    return [each for each in records if each.outcome is not None]


def _ticks(task: Task, until: int, oracle: Robfig) -> list[int]:
    """Return the ticks after a task's creation. In its very second a tick may be another's, or nobody's."""
    ticks: list[int] = []
    after = task.created
    fields = len(task.expression.split())
    while after < until and len(ticks) < MOST_TICKS:
        case = Case(task.expression, task.zone, after, limit=2_000, seconds=fields == 6)
        (answer,) = oracle.ask([case])
        if answer.rejected:
            raise ValueError(f"{task.name}: {task.expression!r} is beyond the auditor: {answer.rejected}")
        new = [tick for tick in answer.ticks if tick <= until]
        ticks += new
        if len(new) < len(answer.ticks) or not new:
            break
        after = new[-1]
    return ticks
