"""Judges each tick of each task: exactly one outcome, none started twice, none lost without a word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from tests.audit.evidence import Evidence, Phase, Record, Start, Task
from tests.oracle.robfig import Case, Robfig

UNSTARTED = ("Missed", "Skipped", "Lost", "Cancelled", "Failed")
"""Outcomes that a tick may have although nothing of it ever ran."""

MOST_TICKS = 200_000

MOST_HELD_SECONDS = 15
"""How late a daemon may be when a task is suspended, so that it keeps back the ticks of so long."""


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
    lost: int = 0
    """Runs of which nobody could tell how they ended, those by hand included."""
    by_hand: Counter[str] = field(default_factory=Counter)
    """Runs that people asked for, by outcome."""
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
        self.lost += other.lost
        self.by_hand += other.by_hand
        self.violations += other.violations

    def text(self) -> str:
        """Return it in one line, without the violations."""
        recorded, by_hand = _list(self.recorded), _list(self.by_hand)
        return (
            f"{self.ticks} ticks, {self.started} started, {self.reruns} reruns, {self.cut_off} cut off; without a "
            f"start: {recorded}, {self.counted} by counters alone, {self.waiting} still waiting; "
            f"by hand: {by_hand}; {self.lost} of all lost; "
            f"duplicates {self.duplicates}, violations {len(self.violations)}"
        )


def judge(
    evidence: Evidence,
    until: int,
    oracle: Robfig,
    *,
    deposed: Iterable[int] = (),
    newborn: Collection[tuple[str, int]] = (),
) -> Verdict:
    """Judge all ticks from a task's creation up to an instant, which every task has to have decided by now.

    Processes that were `deposed`, by their ids, were taken for dead while they went on: nobody can end what they had
    begun, so it may go on beside another run of the task. A `newborn` task is another one than that of its name which
    was there in the second of its creation, and a tick of that second may be both's.
    """
    verdict = Verdict()
    pids = {str(each) for each in deposed}
    for task in evidence.tasks.values():
        verdict.add(_judge(task, until, oracle, pids))
    for (name, tick), starts in evidence.strangers.items():
        if len(starts) > 1 + ((name, tick) in newborn):
            verdict.violations.append(f"{name}@{tick}: started twice: {_told(starts)}")
    return verdict


def _judge(task: Task, until: int, oracle: Robfig, deposed: set[str]) -> Verdict:
    verdict = Verdict()
    until = _until(task, until)
    end = until if task.watermark is None else max(until, task.watermark)
    ticks, perhaps = _ticks(task, end, oracle)
    decided = end if task.watermark is None else task.watermark
    undecided = [tick for tick in ticks if decided < tick <= until]
    if undecided:
        text = f"decided until {decided} only, though {undecided[0]} is a tick"
        verdict.violations.append(f"{task.name}: {text}")
    perhaps = [tick for tick in perhaps if tick not in task.waiting]
    seen = [tick for tick in perhaps if task.starts.get(tick) or _settled(task, tick)]
    ticks = sorted([*(tick for tick in ticks if tick not in task.waiting), *seen])
    verdict.ticks = len(ticks)
    verdict.waiting = len(task.waiting)
    verdict.lost = task.counters.get("lost", 0)
    silent: list[int] = []
    started_otherwise: Counter[str] = Counter()
    for tick in ticks:
        record = _judge_records(task, tick, verdict)
        starts = task.starts.get(tick, [])
        if starts:
            _judge_started(task, tick, record, verdict)
            if record is not None and record.outcome not in ("Succeeded", None):
                started_otherwise[record.outcome] += 1
        elif record is None:
            silent.append(tick)
        elif record.outcome in UNSTARTED:
            verdict.recorded[f"{record.outcome}/{record.reason}"] += 1
        else:
            verdict.violations.append(f"{task.name}@{tick}: recorded as {record.outcome}, but nothing ever ran for it")
    begun = [tick for tick in task.waiting if task.starts.get(tick)]
    verdict.violations += [f"{task.name}@{tick}: started, though it is said to wait" for tick in begun]
    if task.held and task.watermark is not None:
        begun = [tick for tick, starts in task.starts.items() if starts and tick > task.watermark]
        verdict.violations += [f"{task.name}@{tick}: started, though it is said to be kept back" for tick in begun]
    _judge_by_hand(task, verdict)
    _judge_overlap(task, verdict, deposed)
    _judge_counters(task, verdict, silent, started_otherwise, len(perhaps) - len(seen))
    regular = {*ticks, *task.waiting}
    unscheduled = [tick for tick in task.starts if task.created < tick <= end and tick not in regular]
    verdict.violations += [f"{task.name}@{tick}: started, though it is no tick" for tick in unscheduled]
    return verdict


def _until(task: Task, until: int) -> int:
    """Return up to where a task has to be decided: one that is suspended keeps back what was late just then."""
    if task.held and task.watermark is not None and until - MOST_HELD_SECONDS < task.watermark:
        return min(until, task.watermark)
    return until


def _judge_records(task: Task, tick: int, verdict: Verdict) -> Record | None:
    """Return what is recorded of a tick; it has to have one outcome, and a reason for it."""
    records = _settled(task, tick)
    name = f"{task.name}@{tick}"
    if len({each.outcome for each in records}) > 1:
        told = ", ".join(f"{each.name}: {each.outcome}" for each in records)
        verdict.violations.append(f"{name}: has several outcomes: {told}")
    record = records[-1] if records else None
    if record is not None and not record.reason:
        verdict.violations.append(f"{name}: {record.outcome} without a reason")
    return record


def _judge_started(task: Task, tick: int, record: Record | None, verdict: Verdict) -> None:
    starts, name = task.starts[tick], f"{task.name}@{tick}"
    verdict.started += 1
    verdict.cut_off += sum(not each.ended for each in starts)
    _judge_starts(task, name, starts, verdict)
    if all(phase.suspended for phase in _phases_at(task, tick)):
        verdict.violations.append(f"{name}: started, though the task was suspended")
    if record is not None and record.outcome in _unstarted(task):
        verdict.violations.append(f"{name}: recorded as {record.outcome}/{record.reason}, but it ran")
    if record is not None and record.outcome == "Succeeded" and not any(each.ended for each in starts):
        verdict.violations.append(f"{name}: recorded as Succeeded, but no run of it ended")


def _judge_starts(task: Task, name: str, starts: list[Start], verdict: Verdict) -> None:
    if len(starts) == 1:
        return
    # A run that ended may be taken for cut off by whoever comes after: nobody was left to tell.
    if task.may_rerun and len({each.carrier.partition(".")[0] for each in starts}) == len(starts):
        verdict.reruns += len(starts) - 1
        return
    verdict.violations.append(f"{name}: started twice: {_told(starts)}")


def _judge_by_hand(task: Task, verdict: Verdict) -> None:
    """What people asked for is to run once at most, and to be told of."""
    for name, starts in task.by_hand_starts.items():
        _judge_starts(task, f"{task.name}, {name}", starts, verdict)
    for name, outcome in task.by_hand.items():
        starts = task.by_hand_starts.get(name, [])
        if outcome is None:
            verdict.violations.append(f"{task.name}, {name}: has no outcome")
            continue
        verdict.by_hand[outcome] += 1
        if outcome == "Succeeded" and not any(each.ended for each in starts):
            verdict.violations.append(f"{task.name}, {name}: recorded as Succeeded, but no run of it ended")
        if starts and outcome in _unstarted(task):
            verdict.violations.append(f"{task.name}, {name}: recorded as {outcome}, but it ran")


def _unstarted(task: Task) -> tuple[str, ...]:
    """Return the outcomes of what never ran. What is to start again may turn out to be too late for that."""
    return ("Skipped",) if task.may_rerun else ("Skipped", "Missed")


def _judge_overlap(task: Task, verdict: Verdict, deposed: set[str]) -> None:
    """No more runs at once than the task allows, as far as they tell when they were over."""
    if task.limit is None:
        return
    starts = [each for of_one in (*task.starts.values(), *task.by_hand_starts.values()) for each in of_one]
    events = []
    for each in starts:
        if each.until is not None and each.carrier.partition(".")[0] not in deposed:
            events += [(each.at, 1, each), (max(each.at, each.until), 0, each)]
    active: list[Start] = []
    for _, begins, start in sorted(events, key=lambda event: event[:2]):
        if begins:
            active.append(start)
        elif start in active:
            active.remove(start)
        if begins and len(active) > task.limit:
            verdict.violations.append(f"{task.name}: more than {task.limit} runs at once: {_told(active)}")


def _judge_counters(
    task: Task, verdict: Verdict, silent: list[int], started_otherwise: Counter[str], perhaps: int
) -> None:
    """Compare the counters with what was found, tick by tick; what is silent has to be in them."""
    by_hand = Counter(each for each in task.by_hand.values() if each is not None)
    total = sum(task.counters.values()) - by_hand.total()
    if not verdict.ticks <= total <= verdict.ticks + perhaps:
        counters = dict(task.counters)
        ticks = f"{verdict.ticks} to {verdict.ticks + perhaps}" if perhaps else f"{verdict.ticks}"
        verdict.violations.append(f"{task.name}: {ticks} ticks, but the counters tell of {total}: {counters}")
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


def _settled(task: Task, tick: int) -> list[Record]:
    return [each for each in task.records.get(tick, {}).values() if each.outcome is not None]


def _told(starts: Iterable[Start]) -> str:
    return ", ".join(f"{each.carrier} at {each.at}{'' if each.ended else ' (did not end)'}" for each in starts)


def _list(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counter.items())) or "none"


def _phases_at(task: Task, tick: int) -> list[Phase]:
    """Return what may have counted for a tick: around an edit, what the task said before and afterwards."""
    return [phase for phase in task.phases if phase.begins <= tick <= phase.ends]


def _ticks(task: Task, until: int, oracle: Robfig) -> tuple[list[int], list[int]]:
    """Return the ticks after a task's creation, and those that it may have had or not, since it was edited then.

    In its very second a tick may be another's, or nobody's.
    """
    of_each = {
        expressions: {tick for each in expressions for tick in _ticks_of(task, each, until, oracle)}
        for expressions in {phase.expressions for phase in task.phases}
    }
    certain, perhaps = [], []
    for tick in sorted(set().union(*of_each.values())):
        answers = {tick in of_each[phase.expressions] for phase in _phases_at(task, tick)}
        if answers == {True}:
            certain.append(tick)
        elif True in answers:
            perhaps.append(tick)
    return certain, perhaps


def _ticks_of(task: Task, expression: str, until: int, oracle: Robfig) -> list[int]:
    ticks: list[int] = []
    after = task.created
    fields = len(expression.split())
    while after < until and len(ticks) < MOST_TICKS:
        case = Case(expression, task.zone, after, limit=2_000, seconds=fields == 6)
        (answer,) = oracle.ask([case])
        if answer.rejected:
            raise ValueError(f"{task.name}: {expression!r} is beyond the auditor: {answer.rejected}")
        new = [tick for tick in answer.ticks if tick <= until]
        ticks += new
        if len(new) < len(answer.ticks) or not new:
            break
        after = new[-1]
    return ticks
