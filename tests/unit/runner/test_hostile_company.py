"""Functions that misbehave, all of them at once in one process, harm neither each other nor the process."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.runner.harness import SOURCE
from timewright.runner.process_tree import processes

PATIENCE_SECONDS = 60.0

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="copies are looked for through /proc")

_SCRIPT = r"""
import asyncio, json, os, sys
from tests.unit.runner.calls import run_call
from tests.unit.runner.tasks import hostile_calls
from timewright.runner import event_loop
from timewright.runner.live_output import LIVE
from timewright.runner.output import Output
from timewright.runner.stop import StopRequest

names, place = sys.argv[2:], sys.argv[1]

async def one(name, stop):
    result = await run_call(getattr(hostile_calls, name), output=Output(label=name, says=False), stop=stop)
    os.write(told, f"{name} {result.outcome} {result.reason}\n".encode())
    return result

async def main():
    stop = StopRequest()
    with stop.on_signals():
        results = await asyncio.gather(*(one(name, stop) for name in names))
        LIVE.flush()
        print("the process still speaks", "ready", sep="\n", flush=True)
        await stop.wait()
    return {name: [str(each.outcome), each.reason, each.output[-200:]] for name, each in zip(names, results)}

told = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
results = event_loop.run(main())
LIVE.flush()
os.write(told, json.dumps(results).encode())
"""


async def _run_together(directory: Path, *names: str) -> tuple[list[str], dict[str, Any], str, str]:
    """Return how each ended, line by line as it was told, the results, and what was shown."""
    place = directory / "told"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _SCRIPT, str(place), *names),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{SOURCE}{os.pathsep}{SOURCE.parent}"},
        cwd=directory,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    errors = asyncio.ensure_future(process.stderr.read())
    shown = bytearray()
    while not shown.endswith(b"ready\n"):
        chunk = await asyncio.wait_for(process.stdout.read(1 << 20), PATIENCE_SECONDS)
        assert chunk, (await errors).decode()
        shown += chunk
    children = [each for each in processes().values() if each.parent == process.pid and not each.zombie]
    process.send_signal(signal.SIGTERM)
    shown += await asyncio.wait_for(process.stdout.read(), PATIENCE_SECONDS)
    assert await asyncio.wait_for(process.wait(), PATIENCE_SECONDS) == 0, await errors
    assert not children, "a copy of the process is still there"
    lines = place.read_text().splitlines()
    return lines[:-1], json.loads(lines[-1]), shown.decode(), (await errors).decode()


async def test_all_at_once(tmp_path: Path) -> None:
    expected = {
        "fine": "Succeeded Completed",
        "fine_async": "Succeeded Completed",
        "exit_0": "Succeeded Completed",
        "exit_3": "Failed NonZeroExit",
        "exit_text_async": "Failed NonZeroExit",
        "interrupt": "Failed Exception",
        "interrupt_async": "Failed Exception",
        "unprintable": "Failed Exception",
        "recurse": "Failed Exception",
        "recurse_async": "Failed Exception",
        "deep_traceback": "Failed Exception",
        "close_streams": "Succeeded Completed",
        "close_descriptors": "Succeeded Completed",
        "print_a_lot": "Succeeded Completed",
        "print_a_lot_async": "Succeeded Completed",
        "stop_the_loop_async": "Succeeded Completed",
        "exit_in_a_task_async": "Succeeded Completed",
        "cancel_itself_async": "Cancelled Interrupted",
    }
    lines, results, shown, _ = await _run_together(tmp_path, *expected)
    assert sorted(lines) == sorted(f"{name} {end}" for name, end in expected.items())
    assert "fine | fine\n" in shown
    assert "the process still speaks" in shown
    assert results["print_a_lot"][2].endswith("x\nend\n")
    assert results["print_a_lot_async"][2].endswith("x\nend\n")
    assert shown.count("print_a_lot | ") == 1002
    assert "deep down" in results["deep_traceback"][2]


async def test_neither_the_process_nor_other_runs_are_among_the_tasks_that_a_function_finds(tmp_path: Path) -> None:
    lines, _, _, _ = await _run_together(tmp_path, "fine", "fine_async", "cancel_all_async")
    assert {line.partition(" ")[2] for line in lines} == {"Succeeded Completed"}


async def test_the_standard_descriptors_are_opened_again(tmp_path: Path) -> None:
    lines, _, shown, _ = await _run_together(tmp_path, "close_descriptors_async")
    assert lines == ["close_descriptors_async Succeeded Completed"]
    assert "the process still speaks" in shown


async def test_copies_of_the_process_end_where_the_function_does(tmp_path: Path) -> None:
    expected = {
        "fork_and_return": "Succeeded Completed",
        "fork_and_return_async": "Succeeded Completed",
        "fork_and_await_async": "Succeeded Completed",
        "fork_and_raise_async": "Failed Exception",
        "fork_in_a_task_of_its_own_async": "Succeeded Completed",
        "fine": "Succeeded Completed",
        "fine_async": "Succeeded Completed",
    }
    lines, _, _, _ = await _run_together(tmp_path, *expected)
    assert sorted(lines) == sorted(f"{name} {end}" for name, end in expected.items())


async def test_a_function_that_takes_the_signals_does_not_keep_the_process_from_hearing_them(tmp_path: Path) -> None:
    lines, _, _, _ = await _run_together(tmp_path, "take_signals_async")
    assert lines == ["take_signals_async Succeeded Completed"]
