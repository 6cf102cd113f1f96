"""How fast a schedule runs outside of Kubernetes, beside its peers in the same run. Exits 1 when a target is missed.

- Cold start: a whole `timewright schedule:run` with one due task that does nothing, its record in SQLite included,
  as a ratio to `python -c "from pydantic import BaseModel"`.
- One shot: 1,000 due tasks in one `schedule:run`.
- Burst: 10,000 tasks due in the same second, beside APScheduler 3 and robfig/cron (Go, if there is a Go toolchain),
  neither of which claims or records anything.
- Idle: what `schedule:work` takes for 10,000 hourly tasks.

Run from the root of the repository: ``PYTHONPATH=operator:. python benchmarks/run.py``.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.oracle.robfig import built, is_available

PEERS = Path(__file__).parent / "peers"
TASKS, PERIOD, SECONDS = 10_000, 5, 31
COLD_STARTS = 11

APPLICATION = """
from timewright import Schedule

schedule = Schedule("bench")


async def nothing():
    pass


for number in range({count}):
    schedule.call(nothing).{frequency}().named(f"task-{{number}}")
"""


@dataclass(frozen=True)
class Delays:
    """How late runs started, in seconds."""

    values: list[float]

    def at(self, share: float) -> float:
        """Return the delay that this share of runs did not exceed."""
        return sorted(self.values)[min(len(self.values) - 1, int(share * len(self.values)))]


def main() -> int:
    """Measure, print, and tell whether all targets are met."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        targets = {**cold_start(work), **one_shot(work), **burst(work), **idle(work)}
    missed = [name for name, is_met in targets.items() if not is_met]
    print("all targets are met" if not missed else f"missed: {'; '.join(missed)}")
    return int(bool(missed))


def cold_start(work: Path) -> dict[str, bool]:
    """Compare `schedule:run` with the import that every application of pydantic pays."""
    environment = application(work / "cold", count=1)
    ours, theirs = [], []
    for _ in range(COLD_STARTS):  # in turns, so that whatever else the machine does strikes both
        shutil.rmtree(work / "cold" / "state", ignore_errors=True)
        run_due(environment, minutes_ago=1)  # the store exists from the second run on, as on any machine
        ours.append(timed(lambda: run_due(environment)))
        theirs.append(
            timed(lambda: subprocess.run([sys.executable, "-c", "from pydantic import BaseModel"], check=True))
        )
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(f"cold start of schedule:run: {statistics.median(ours):.3f} s, {ratio:.2f} × importing pydantic's BaseModel")
    return {"cold start ≤ 2.5 × pydantic": ratio <= 2.5}


def one_shot(work: Path) -> dict[str, bool]:
    """Time a `schedule:run` with a thousand due tasks, without its start."""
    environment = application(work / "thousand", count=1_000)
    result = json.loads(run_due(environment, minutes_ago=5))
    finished = [run["status"] for run in result["runs"]]
    assert len(finished) == 1_000
    assert all(status["outcome"] == "Succeeded" for status in finished)
    whole = min(timed(lambda minute=minute: run_due(environment, minutes_ago=minute)) for minute in (4, 3, 2))
    print(f"1,000 due tasks in one schedule:run, start and records included: {whole:.2f} s")
    return {"1,000 tasks ≤ 1 s": whole <= 1.0}


def burst(work: Path) -> dict[str, bool]:
    """Compare how late tasks start that are due in the same second."""
    print(f"{TASKS:,} tasks due in the same second, every {PERIOD} s for {SECONDS} s: start delay")
    *lines, last = peer(sys.executable, str(PEERS / "timewright_delays.py"), file=str(work / "burst.db"))
    ours, facts = Delays(list(map(float, lines))), json.loads(last)
    tell("timewright", ours, ours)
    runs = len(ours.values)
    print(
        f"    {runs:,} runs, {facts['recorded']:,} recorded, {1e6 * facts['cpu_seconds'] / runs:.0f} µs CPU a run, "
        f"{facts['megabytes']:.0f} MB"
    )
    tell("APScheduler 3", Delays([*map(float, peer(sys.executable, str(PEERS / "apscheduler_delays.py")))]), ours)
    if is_available():
        tell("robfig/cron (Go)", Delays([*map(float, peer(str(built(PEERS / "robfig"))))]), ours)
    return {
        "p99 start delay ≤ 0.10 s": ours.at(0.99) <= 0.10,
        "every run recorded": facts["recorded"] == runs,
        "no burst left out": runs >= TASKS * (SECONDS // PERIOD),
    }


def idle(work: Path) -> dict[str, bool]:
    """Measure what waiting for hourly tasks takes."""
    environment = application(work / "idle", count=10_000, frequency="hourly")
    seconds_into_hour = time.time() % 3600
    if seconds_into_hour > 3500:
        time.sleep(3610 - seconds_into_hour)
    process = subprocess.Popen(
        [sys.executable, "-m", "timewright.cli.main", "schedule:work", "--app", "app:schedule"],
        env=environment,
        cwd=environment["PYTHONPATH"].partition(os.pathsep)[0],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        time.sleep(15)
        before = cpu_seconds(process.pid)
        time.sleep(20)
        share = (cpu_seconds(process.pid) - before) / 20
    finally:
        process.terminate()
        process.wait()
    print(f"idle schedule:work with 10,000 hourly tasks: {share:.2%} of a core")
    return {"idle < 1 % of a core": share < 0.01}


def application(folder: Path, *, count: int, frequency: str = "every_minute") -> dict[str, str]:
    """Write an application, and return the environment to run it in."""
    folder.mkdir()
    (folder / "app.py").write_text(APPLICATION.format(count=count, frequency=frequency))
    sources = os.environ.get("PYTHONPATH", "")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(folder), sources])),
        "XDG_STATE_HOME": str(folder / "state"),
    }


def run_due(environment: dict[str, str], *, minutes_ago: int = 0) -> str:
    """Run what is due at a minute; return what `-o json` prints."""
    at = time.strftime("%Y-%m-%dT%H:%M:00Z", time.gmtime(time.time() // 60 * 60 - 60 * minutes_ago))
    command = [
        sys.executable,
        "-m",
        "timewright.cli.main",
        "schedule:run",
        "--app",
        "app:schedule",
        "--at",
        at,
        "-o",
        "json",
    ]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def peer(*command: str, file: str | None = None) -> list[str]:
    """Run one scheduler for a while; return what it prints."""
    arguments = [*command, str(TASKS), str(PERIOD), str(SECONDS), *([file] if file else [])]
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.splitlines()


def tell(name: str, delays: Delays, ours: Delays) -> None:
    """Print one line of the table."""
    ratio = delays.at(0.99) / ours.at(0.99)
    print(
        f"  {name:<18} p50 {delays.at(0.5):6.3f} s  p99 {delays.at(0.99):6.3f} s  ({ratio:.2f} × timewright), "
        f"{len(delays.values):,} runs"
    )


def timed(action: object) -> float:
    """Return how long something takes, in seconds."""
    began = time.perf_counter()
    action()  # type: ignore[operator]
    return time.perf_counter() - began


def cpu_seconds(process: int) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
