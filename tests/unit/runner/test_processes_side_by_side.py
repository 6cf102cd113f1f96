"""Several runs with processes in one runner: each is followed wherever its processes go, and no other is touched."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.unit.runner.calls import context_of
from tests.unit.runner.harness import PATIENCE_SECONDS, SOURCE, alive
from timewright.resources.vocabulary import Outcome
from timewright.runner.definition import Definition
from timewright.runner.output import Output
from timewright.runner.process_tree import MARK, ProcessTree, processes
from timewright.runner.run import execute
from timewright.runner.run_result import RunResult
from timewright.runner.stop import StopRequest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are followed through /proc")


async def shell(script: str, stop: StopRequest | None = None, **settings: Any) -> RunResult:
    definition = Definition("sync", "", "command", ["sh", "-c", script], **settings)
    return await execute(definition, context_of(definition), Output(live=False), stop, grace_seconds=1.0)


async def test_each_ends_as_it_would_alone() -> None:
    results = await asyncio.gather(
        shell("exit 3"),
        shell("trap '' TERM; setsid sleep 4243.1 & sleep 4243.1; sleep 4243.1", timeout_seconds=1),
        shell("(setsid setsid sleep 4243.2 &); sleep 0.2; echo done"),
        shell("sleep 4243.3 & echo started"),
        shell("for i in 1 2 3 4 5 6; do echo $i; sleep 0.4; done"),
        shell("kill -SEGV $$"),
    )
    assert [each.reason for each in results] == [
        *("NonZeroExit", "TimedOut", "Completed", "Completed", "Completed", "NonZeroExit"),
    ]
    assert results[1].message.endswith("by SIGKILL, since it ignored SIGTERM")
    assert "ended 1 process(es)" in results[2].output
    assert "ended 1 process(es)" in results[3].output
    assert results[4].output == "1\n2\n3\n4\n5\n6\n", "others that end must not touch it"
    for marker in ("4243.1", "4243.2", "4243.3"):
        assert not alive(marker)


async def test_a_process_that_left_everything_but_its_environment_is_found() -> None:
    running = asyncio.ensure_future(shell("(setsid sh -c 'sleep 4243.4' &); sleep 0.5; exit 0"))
    bystander = asyncio.ensure_future(shell("(setsid sh -c 'sleep 2; echo survived' &); sleep 3"))
    result = await asyncio.wait_for(running, PATIENCE_SECONDS)
    assert "ended" in result.output
    assert not alive("4243.4")
    assert (await bystander).output == "survived\n"


async def test_one_is_stopped_and_the_others_go_on() -> None:
    stop = StopRequest()
    stopped = asyncio.ensure_future(shell("(setsid sleep 4243.5 &); sleep 4243.5", stop))
    other = asyncio.ensure_future(shell("sleep 1.5; echo done"))
    await asyncio.sleep(0.5)
    stop.request("enough")
    result = await asyncio.wait_for(stopped, PATIENCE_SECONDS)
    assert (result.outcome, result.message, result.exit_code) == (Outcome.CANCELLED, "enough", 143)
    assert not alive("4243.5")
    assert (await other).output == "done\n"


async def test_a_task_that_starts_a_runner_of_its_own_is_followed_all_the_same() -> None:
    result = await shell(f"echo ${MARK}")
    outer = result.output.strip()
    definition = Definition("sync", "", "command", ["sh", "-c", f"echo ${MARK}"])
    context = context_of(definition, environ={"PATH": os.environ["PATH"], MARK: outer})
    inner = (await execute(definition, context, Output(live=False))).output.strip()
    assert inner.startswith(f"{outer},")
    assert len(inner) == 2 * len(outer) + 1


async def test_no_zombie_is_left() -> None:
    await asyncio.gather(*(shell("exit 0") for _ in range(5)))
    assert not [each for each in processes().values() if each.parent == os.getpid() and each.zombie]


async def test_its_exit_code_may_be_taken_by_other_code_in_this_process() -> None:
    def wait_for_any_child() -> None:
        os.waitpid(-1, 0)

    running = asyncio.ensure_future(shell("sleep 0.3; exit 0"))
    await asyncio.sleep(0.1)
    wait_for_any_child()  # while the event loop cannot be quicker
    result = await asyncio.wait_for(running, PATIENCE_SECONDS)
    assert (result.outcome, result.reason, result.exit_code) == (Outcome.FAILED, "NonZeroExit", None)
    assert 'how "sh" ended is not known' in result.message


async def test_the_peak_of_a_commands_largest_process_is_told() -> None:
    hold = 'import time; x = bytearray(b"1") * (300 << 20); time.sleep(2)'
    result = await shell(f"{sys.executable} -c '{hold}'; exit 0")
    assert result.peak_memory_bytes is not None
    assert result.peak_memory_bytes > 300 << 20


async def test_a_memory_limit_counts_all_processes() -> None:
    hold = f"{sys.executable} -c 'import time; x = bytearray(b\"1\") * (60 << 20); time.sleep(60)'"
    result = await shell(f"{hold} & {hold} & {hold} & wait", memory_limit_bytes=150 << 20)
    assert (result.outcome, result.reason) == (Outcome.FAILED, "OutOfMemory")


def test_a_brief_look_sees_the_same_as_a_whole_one() -> None:
    with subprocess.Popen(["sh", "-c", "sleep 60 & sleep 60"], start_new_session=True) as leader:
        tree = ProcessTree(leader.pid, owns_orphans=False)
        while len(tree.members()) < 3:
            time.sleep(0.01)
        assert {each.pid for each in tree.members(brief=True)} == {each.pid for each in tree.members()}
        tree.send(signal.SIGKILL)


_ADOPTING = """
import os, subprocess, time
from timewright.runner.process_tree import adopt_orphans, processes
from timewright.runner.reaping import Reaper

def zombies():
    return [each for each in processes().values() if each.parent == os.getpid() and each.zombie]

adopt_orphans()
own = subprocess.Popen(["sh", "-c", "exit 7"])
subprocess.run(["sh", "-c", "(setsid sleep 0.1 &); (setsid sleep 0.1 &)"])
while len(zombies()) < 3:
    time.sleep(0.01)
reaper = Reaper(patience_seconds=0.2)
assert reaper.sweep() == 0
time.sleep(0.3)
assert reaper.sweep() == 2
assert len(zombies()) == 1
assert own.wait() == 7
"""


def test_adopted_processes_are_reaped_and_those_of_others_are_not() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ADOPTING],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
