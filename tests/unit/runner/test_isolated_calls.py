"""Functions called in a process of their own: how it finds them, and what it can enforce."""

import asyncio
import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.runner.calls import run_call
from tests.unit.runner.harness import PATIENCE_SECONDS, SOURCE, alive
from tests.unit.runner.tasks import isolated
from timewright.resources.vocabulary import Outcome
from timewright.runner.masking import Masker
from timewright.runner.output import Output
from timewright.runner.run_result import RunResult

PLACE = "tests.unit.runner.tasks.isolated"


async def run(function: Any, *args: Any, **settings: Any) -> RunResult:
    context = {"environ": {"PATH": os.environ["PATH"], "ENGINE": str(os.getpid())}, **settings.pop("context", {})}
    return await run_call(function, *args, context=context, grace=1.0, **settings)


@pytest.mark.parametrize(
    ("function", "settings"),
    [
        (isolated.whoami, {"isolated": True}),
        (isolated.whoami, {"timeout_seconds": 60}),
        (isolated.whoami, {"memory_limit_bytes": 2**30}),
        (isolated.whoami, {"environment": {"A": "B"}}),
        (isolated.whoami_async, {"isolated": True}),
        (isolated.whoami_async, {"memory_limit_bytes": 2**30}),
    ],
)
async def test_what_asks_for_a_process_gets_one(function: Any, settings: dict[str, Any]) -> None:
    result = await run(function, **settings)
    assert (result.outcome, result.message, result.exit_code) == (Outcome.SUCCEEDED, "", 0), result
    assert result.output.startswith("True")


async def test_an_async_function_needs_none_for_its_time_out() -> None:
    where: list[int] = []

    async def function() -> None:
        where.append(os.getpid())

    assert (await run(function, timeout_seconds=60)).succeeded
    assert where == [os.getpid()]


async def test_arguments_of_any_kind() -> None:
    result = await run(isolated.whoami, 1, {2}, kwargs={"a": None}, isolated=True, context={"parameters": {"b": "c"}})
    assert result.output == "True (1, {2}) {'a': None, 'b': 'c'}\n"
    assert (await run(isolated.pay, isolated.Money(3), isolated=True)).output == "3\n"
    result = await run(isolated.whoami, lambda: None, isolated=True)
    assert (result.outcome, result.reason) == (Outcome.FAILED, "InvalidDefinition")
    assert "its arguments cannot be handed to a process of its own" in result.message


async def test_what_the_process_sees() -> None:
    result = await run(isolated.tell_run, isolated=True, context={"run_id": "sync-9"})
    assert "task='sync', run_id='sync-9'" in result.output
    assert "datetime.datetime(2026, 3, 1, 4, 0, tzinfo=datetime.timezone.utc)" in result.output
    result = await run(
        isolated.variables,
        *("GIVEN", "TIMEWRIGHT_ATTEMPT", "TIMEWRIGHT_TASK", "TIMEWRIGHT_SCHEDULED_AT"),
        environment={"GIVEN": "yes"},
    )
    assert result.output == "yes 1 sync 2026-03-01T04:00:00Z\n"
    assert "GIVEN" not in os.environ


async def test_failures() -> None:
    result = await run(isolated.fail, isolated=True)
    assert (result.outcome, result.reason, result.message) == (Outcome.FAILED, "Exception", "ValueError: in the child")
    assert result.output.startswith("Traceback (most recent call last):\n  File")
    assert "timewright/runner" not in result.output
    result = await run(isolated.leave, 3, isolated=True)
    assert (result.reason, result.exit_code) == ("NonZeroExit", 3)


async def test_a_time_out_ends_the_process() -> None:
    result = await run(isolated.hang, timeout_seconds=1)
    assert (result.outcome, result.reason) == (Outcome.FAILED, "TimedOut")
    assert result.message == f"{PLACE}:hang did not finish within 1 s (its time-out) and was ended"
    assert result.finished_at - result.started_at < PATIENCE_SECONDS


@pytest.mark.skipif(sys.platform != "linux", reason="memory is looked up in /proc")
class TestMemory:
    async def test_a_limit_ends_what_holds_more(self) -> None:
        result = await run(isolated.hold, 200, 60, memory_limit_bytes=100 * 2**20)
        assert (result.outcome, result.reason) == (Outcome.FAILED, "OutOfMemory")
        assert "more than the 100 MiB of its memory limit, and was ended" in result.message
        assert result.peak_memory_bytes is not None
        assert result.peak_memory_bytes > 100 * 2**20

    async def test_what_forks_share_counts_once(self) -> None:
        result = await run(isolated.fork_and_hold, 60, 3, 1.5, memory_limit_bytes=150 * 2**20)
        assert result.succeeded, result

    async def test_the_peak_is_that_of_the_process_and_not_of_this_one(self) -> None:
        ballast = bytearray(os.urandom(1024)) * (200 * 1024)
        small = await run(isolated.hold, 1, 0, isolated=True)
        large = await run(isolated.hold, 100, 0, isolated=True)
        assert small.peak_memory_bytes is not None
        assert large.peak_memory_bytes is not None
        assert small.peak_memory_bytes < len(ballast) / 2
        assert 100 * 2**20 < large.peak_memory_bytes < len(ballast)


class TestReferences:
    async def test_a_decorated_function_is_found_with_its_decorator(self) -> None:
        assert (await run(isolated.with_decorator, isolated=True)).output == "decorated\nitself\n"

    async def test_a_reference_of_the_callers_own(self) -> None:
        result = await run(lambda: None, isolated=True, reference=f"{PLACE}:_hidden")
        assert result.output == "found by its task\n"

    async def test_a_task_of_the_applications_schedule(self) -> None:
        result = await run(lambda: None, 1, timeout_seconds=60, reference=f"app:{PLACE}:schedule#hidden")
        assert result.output == "found by its task 1\n"

    @pytest.mark.parametrize(
        ("reference", "words"),
        [
            (f"app:{PLACE}:schedule#other", "has no task 'other' when it is loaded in a process of its own"),
            (f"app:{PLACE}:not_a_schedule#hidden", "expected a timewright.Schedule"),
            (f"app:{PLACE}:nothing#hidden", "expected a timewright.Schedule"),
            ("app:no_such_module:schedule#hidden", "no module named 'no_such_module'"),
            (f"{PLACE}:nothing", "names 'nothing', which tests.unit.runner.tasks.isolated does not have"),
        ],
    )
    async def test_references_that_lead_nowhere(self, reference: str, words: str) -> None:
        result = await run(lambda: None, isolated=True, reference=reference)
        assert (result.outcome, result.reason) == (Outcome.FAILED, "StartError")
        assert words in result.message

    @pytest.mark.parametrize(
        ("function", "words"),
        [
            (lambda: None, "a lambda or was made within another function"),
            (functools.partial(isolated.whoami), "it has no name"),
            (isolated.with_decorator.__wrapped__, "its name leads to something else"),  # type: ignore[attr-defined]
        ],
    )
    async def test_functions_that_no_other_process_finds(self, function: Any, words: str) -> None:
        result = await run(function, timeout_seconds=1)
        assert (result.outcome, result.reason) == (Outcome.FAILED, "InvalidDefinition")
        assert words in result.message
        assert "define it at the top level of a module, or make it async" in result.message

    @pytest.mark.parametrize("start", [["app.py"], ["-m", "app"]])
    def test_a_function_of_the_script_that_is_running(self, tmp_path: Path, start: list[str]) -> None:
        (tmp_path / "app.py").write_text(
            "import asyncio\n"
            "from tests.unit.runner.calls import run_call\n"
            "def work():\n"
            "    print('in', __name__)\n"
            "if __name__ == '__main__':\n"
            "    print(asyncio.run(run_call(work, isolated=True)).output)\n"
        )
        done = subprocess.run(
            [sys.executable, *start],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{SOURCE}{os.pathsep}{SOURCE.parent}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout == f"in {'__mp_main__' if start == ['app.py'] else 'app'}\n\n", done.stderr


async def test_several_at_once_do_not_mix() -> None:
    results = await asyncio.gather(*(run(isolated.whoami, n, isolated=True) for n in range(4)))
    assert [each.output for each in results] == [f"True ({n},) {{}}\n" for n in range(4)]
    assert not alive("4242.8")


async def test_output_is_masked_in_all_forms() -> None:
    output = Output(Masker(["s3cr3t-t0ken"]), live=False)
    result = await run(isolated.whoami, "s3cr3t-t0ken", isolated=True, output=output)
    assert result.output == "True ('***',) {}\n"
