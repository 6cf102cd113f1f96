"""Python functions of every temper end as what they are."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.runner.harness import PATIENCE_SECONDS, alive, call, run
from timewright.resources.vocabulary import Outcome


@pytest.mark.parametrize(
    ("spec", "printed"),
    [
        (call("greet", "Ada"), "hello Ada x1\n"),
        (call("greet", kwargs={"name": "Bo", "times": 2}), "hello Bo x2\n"),
        (call("greet_async", "Cy"), "async hello Cy\n"),
        (call("returns_awaitable"), "async hello later\n"),
        (call("Service.call"), "nested\n"),
        (call("argv"), "['hostile:argv']  True\n"),
        (call("exit_with", 0), ""),
        (call("exit_with", None), ""),
        (call("hard_exit", 0), "bye\n"),
        (call("fork_and_return"), ""),
        (call("close_everything"), ""),
        (call("pool"), "[1, 2]\n"),
    ],
)
async def test_success(tmp_path: Path, spec: dict[str, Any], printed: str) -> None:
    done = await run(tmp_path, spec)
    assert (done.told.outcome, done.told.message, done.told.exit_code) == (Outcome.SUCCEEDED, "", 0), done
    assert done.told.output == printed
    assert done.exit_code == 0


async def test_parameters_become_keyword_arguments(tmp_path: Path) -> None:
    spec = call(
        "greet",
        kwargs={"name": "fixed", "times": 1},
        parameters=[{"name": "times", "type": "integer", "default": 5}, {"name": "name"}],
    )
    done = await run(tmp_path, spec, {"TIMEWRIGHT_PARAMETERS": '{"times": 7, "undeclared": true}'})
    assert done.told.output == "hello fixed x7\n"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (call("fail"), "hostile.PaymentError: card declined"),
        (call("fail_async"), "ValueError: async boom"),
        (call("fail_group"), "ExceptionGroup: several (2 sub-exceptions)"),
        (call("unprintable"), "hostile.UnprintableError: <its text cannot be had: str() failed>"),
        (call("interrupt"), "KeyboardInterrupt"),
        (call("generator_exit"), "GeneratorExit: odd"),
        (call("recurse"), "RecursionError: maximum recursion depth exceeded"),
        (call("close_stdout_and_fail"), "ValueError: unheard"),
        (call("greet", kwargs={"nmae": 1}), "TypeError: greet() got an unexpected keyword argument 'nmae'"),
    ],
)
async def test_exceptions(tmp_path: Path, spec: dict[str, Any], message: str) -> None:
    done = await run(tmp_path, spec)
    assert done.exit_code == 1
    assert (done.told.outcome, done.told.reason, done.told.exit_code) == (Outcome.FAILED, "Exception", 1)
    assert done.told.message.startswith(message)


async def test_the_traceback_tells_the_whole_chain_and_nothing_of_the_runner(tmp_path: Path) -> None:
    output = (await run(tmp_path, call("fail"))).told.output
    assert output.startswith("Traceback (most recent call last):\n")
    assert "KeyError: 'order'" in output
    assert "The above exception was the direct cause" in output
    assert output.endswith("PaymentError: card declined\n")
    assert "python_child" not in output
    assert "python_child" not in (await run(tmp_path, call("fail_async"))).told.output


@pytest.mark.parametrize(
    ("spec", "message", "code"),
    [
        (call("exit_with", 3), "hostile:exit_with: sys.exit(3) was called", 3),
        (call("exit_with", 256), "hostile:exit_with: sys.exit(256) was called", 1),
        (call("exit_with", "out of stock"), "hostile:exit_with: out of stock", 1),
        (call("hard_exit", 7), "hostile:hard_exit exited with code 7: bye", 7),
        (call("segfault"), "hostile:segfault was killed by SIGSEGV", 139),
    ],
)
async def test_exits(tmp_path: Path, spec: dict[str, Any], message: str, code: int) -> None:
    done = await run(tmp_path, spec)
    assert (done.told.outcome, done.told.reason, done.told.exit_code) == (Outcome.FAILED, "NonZeroExit", code)
    assert done.told.message == message


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("no_such_module:f", "names module 'no_such_module', which cannot be found"),
        ("hostile.sub:f", "names module 'hostile.sub'"),
        ("hostile:nope", "names 'nope', which hostile does not have"),
        ("hostile:not_a_function", "is a int; expected a function"),
    ],
)
async def test_calls_that_cannot_start(tmp_path: Path, target: str, words: str) -> None:
    done = await run(tmp_path, {"python": {"call": target}})
    assert (done.told.outcome, done.told.reason) == (Outcome.FAILED, "StartError")
    assert words in done.told.message


async def test_a_module_that_fails_to_import(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import no_such_dependency\n")
    (tmp_path / "wrong.py").write_text("def f(:\n")
    done = await run(tmp_path, {"python": {"call": "broken:f"}})
    assert done.told.reason == "Exception"
    assert done.told.message == "ModuleNotFoundError: No module named 'no_such_dependency'"
    assert "broken.py" in done.told.output
    done = await run(tmp_path, {"python": {"call": "wrong:f"}})
    assert done.told.message.startswith("SyntaxError: ")


async def test_files_of_the_task_do_not_shadow_the_runners_imports(tmp_path: Path) -> None:
    for name in ("json", "signal", "asyncio", "timewright"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')\n")
    (tmp_path / "mine.py").write_text("def f(): print('mine')\n")
    assert (await run(tmp_path, {"python": {"call": "mine:f"}})).told.output == "mine\n"


async def test_django(tmp_path: Path) -> None:
    package = tmp_path / "django"
    package.mkdir()
    (package / "__init__.py").write_text("def setup(): print('set up')\n")
    spec = {"python": {"call": "hostile:greet", "setup": "django"}}
    done = await run(tmp_path, spec, {"DJANGO_SETTINGS_MODULE": "shop.settings"})
    assert done.told.output == "set up\nhello nobody x1\n"
    done = await run(tmp_path, spec)
    assert done.told.reason == "StartError"
    assert "set DJANGO_SETTINGS_MODULE in env" in done.told.message


@pytest.mark.parametrize("function", ["spin", "sleep_with_cleanup", "sleep_async_with_cleanup"])
async def test_timeout_unwinds_the_function(tmp_path: Path, function: str) -> None:
    done = await run(tmp_path, call(function, timeoutSeconds=2))
    assert (done.told.outcome, done.told.reason) == (Outcome.FAILED, "TimedOut")
    assert done.told.message == f"hostile:{function} did not finish within 2 s (spec.timeoutSeconds) and was ended"
    assert function in done.told.output
    assert ("cleaned up" in done.told.output) == ("cleanup" in function)
    assert done.seconds < PATIENCE_SECONDS


@pytest.mark.parametrize("function", ["hang_in_c", "spin_stubbornly"])
async def test_timeout_kills_what_does_not_unwind(tmp_path: Path, function: str) -> None:
    done = await run(tmp_path, call(function, timeoutSeconds=2))
    assert done.told.reason == "TimedOut"
    assert done.told.exit_code == 137
    assert "by SIGKILL" in done.told.message
    assert done.seconds < PATIENCE_SECONDS


@pytest.mark.skipif(sys.platform != "linux", reason="processes are followed through /proc")
async def test_timeout_of_a_function_that_ignores_sigterm_and_leaves_a_daemon(tmp_path: Path) -> None:
    done = await run(tmp_path, call("ignore_sigterm_and_fork", timeoutSeconds=2))
    assert done.told.reason == "TimedOut"
    assert not alive("4242.5")


async def test_timeout_of_threads_that_outlive_the_call(tmp_path: Path) -> None:
    done = await run(tmp_path, call("thread_goes_on", timeoutSeconds=2))
    assert done.told.reason == "TimedOut"
    assert "threads that it started did not end within 2 s" in done.told.message


async def test_output_below_the_level_of_python(tmp_path: Path) -> None:
    output = (await run(tmp_path, call("c_output"))).told.output
    # The two streams are read side by side, so one may come in the middle of a line of the other.
    for each in ("from C", "from a child", "raw descriptor"):
        assert each in output
