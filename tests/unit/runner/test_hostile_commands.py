"""Commands that misbehave do no harm, and end as what they are."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.unit.runner.harness import (
    GRACE_SECONDS,
    PATIENCE_SECONDS,
    SOURCE,
    alive,
    manifest,
    python,
    run,
    shell,
    start,
)
from timewright.resources.vocabulary import Outcome
from timewright.runner.process_tree import processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are followed through /proc")


async def test_exit_code_and_last_words(tmp_path: Path) -> None:
    done = await run(tmp_path, shell("echo working; echo 'disk full' >&2; exit 3"))
    assert done.exit_code == 1
    assert (done.told.outcome, done.told.reason, done.told.exit_code) == (Outcome.FAILED, "NonZeroExit", 3)
    assert done.told.message == '"sh" exited with code 3: disk full'
    assert {"working", "disk full"} <= set(done.told.output.splitlines())
    assert "working" in done.stdout
    assert "disk full" in done.stderr
    assert done.told.start_time is not None
    assert done.told.completion_time is not None


async def test_success(tmp_path: Path) -> None:
    done = await run(tmp_path, shell("echo fine"))
    assert done.exit_code == 0
    assert (done.told.outcome, done.told.reason, done.told.exit_code) == (Outcome.SUCCEEDED, "Completed", 0)
    assert done.told.output == "fine\n"
    assert re.fullmatch(r"timewright: Succeeded after \d+\.\d s", done.stdout.splitlines()[-1])


async def test_output_appears_while_the_command_runs(tmp_path: Path) -> None:
    running = await start(tmp_path, shell("echo first; read line; exit 0 < /dev/null; sleep 30"))
    assert running.process.stdout is not None
    lines = [await asyncio.wait_for(running.process.stdout.readline(), 20) for _ in range(2)]
    assert lines[1] == b"first\n"
    running.process.terminate()
    await running.finished()


async def test_a_signal_is_named(tmp_path: Path) -> None:
    done = await run(tmp_path, python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"))
    assert done.told.exit_code == 128 + signal.SIGSEGV
    assert done.told.message.endswith("was killed by SIGSEGV")


async def test_100_megabytes_of_output(tmp_path: Path) -> None:
    done = await run(
        tmp_path,
        python(
            "import sys\nprint('begin')\nfor i in range(100): sys.stdout.write('x' * 1048575 + '\\n')\nprint('end')"
        ),
    )
    assert done.exit_code == 0
    assert len(done.stdout) > 100 * 2**20
    assert done.told.output.endswith("x\nend\n")
    assert len((tmp_path / "termination-log").read_bytes()) <= 4096


async def test_closed_stdout(tmp_path: Path) -> None:
    done = await run(tmp_path, shell("exec >&- 2>&-; sleep 0.5; exit 4"))
    assert done.told.exit_code == 4
    assert done.seconds >= 0.5


async def test_background_process_that_holds_the_pipe_open(tmp_path: Path) -> None:
    done = await run(tmp_path, shell("sleep 4242.1 & echo started; exit 3"))
    assert done.told.message == '"sh" exited with code 3: started'
    assert done.seconds < PATIENCE_SECONDS
    assert "started" in done.told.output
    assert "ended 1 process(es) that the task left running in the background" in done.told.output
    assert not alive("4242.1")


async def test_background_process_in_a_session_of_its_own(tmp_path: Path) -> None:
    done = await run(tmp_path, shell("setsid sh -c 'trap \"\" TERM; sleep 4242.2; sleep 4242.2' & sleep 0.3"))
    assert done.exit_code == 0
    assert not alive("4242.2")


async def test_timeout(tmp_path: Path) -> None:
    done = await run(tmp_path, shell("echo going; sleep 4242.3", timeoutSeconds=1))
    assert done.exit_code == 1
    assert (done.told.outcome, done.told.reason) == (Outcome.FAILED, "TimedOut")
    assert done.told.message == '"sh" did not finish within 1 s (spec.timeoutSeconds) and was ended'
    assert done.told.output == "going\n"
    assert done.seconds < PATIENCE_SECONDS
    assert not alive("4242.3")


async def test_timeout_of_a_command_that_ignores_sigterm_forks_and_calls_setsid(tmp_path: Path) -> None:
    script = "trap '' TERM; setsid sleep 4242.4 & (setsid setsid sleep 4242.4 &) ; while :; do sleep 1; done"
    done = await run(tmp_path, shell(script, timeoutSeconds=1))
    assert done.told.reason == "TimedOut"
    assert "by SIGKILL, since it ignored SIGTERM" in done.told.message
    assert GRACE_SECONDS < done.seconds < PATIENCE_SECONDS
    assert not alive("4242.4")


async def test_fork_storm_is_killed_whole(tmp_path: Path) -> None:
    script = "trap '' TERM; f() { while :; do setsid sh -c ': 4242.6; sleep 1' & sleep 0.01; done; }; f & f & wait"
    done = await run(tmp_path, shell(script, timeoutSeconds=1))
    assert done.told.reason == "TimedOut"
    await asyncio.sleep(1.5)
    assert not alive("4242.6")


async def test_orphans_are_reaped_while_the_command_runs(tmp_path: Path) -> None:
    count = "grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | xargs -r grep -l \"^PPid:.$PPID$\" | wc -l"
    done = await run(tmp_path, shell(f"for i in 1 2 3 4 5; do (sleep 0.2 &); done; sleep 4.5; {count}"))
    assert done.told.output == "0\n"


async def _until_ready(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    return await process.stdout.readuntil(b"\nREADY\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="a PID namespace takes root")
async def test_as_pid_1_it_reaps_orphans_and_hears_sigterm(tmp_path: Path) -> None:
    script = "(sleep 0.2 &); (setsid sleep 4242.7 &); sleep 3; ps -eo ppid,stat,args; echo READ''Y; exec sleep 4242.7"
    inner = manifest(shell(script))
    process = await asyncio.create_subprocess_exec(
        *("unshare", "--pid", "--fork", "--kill-child", "--mount-proc"),
        *(sys.executable, "-P", "-c", "from timewright.cli.main import main; main()", "schedule:run"),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE), "TIMEWRIGHT_DEFINITION": inner},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        seen = await asyncio.wait_for(_until_ready(process), 30)
        (runner,) = [each.pid for each in processes().values() if each.parent == process.pid]
        os.kill(runner, signal.SIGTERM)
        rest, _ = await asyncio.wait_for(process.communicate(), 30)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    assert b" Z" not in seen
    assert b"1 Ss   sleep 4242.7" in seen
    assert b"Cancelled" in rest
    assert process.returncode == 1
    assert not alive("4242.7")


async def test_sigterm_from_outside(tmp_path: Path) -> None:
    running = await start(tmp_path, shell("trap 'echo cleaning; exit 0' TERM; echo up; while :; do sleep 0.1; done"))
    assert running.process.stdout is not None
    while await running.process.stdout.readline() != b"up\n":
        pass
    running.process.send_signal(signal.SIGTERM)
    done = await running.finished()
    assert done.exit_code == 1
    assert (done.told.outcome, done.told.reason) == (Outcome.CANCELLED, "Terminated")
    assert "SIGTERM" in done.told.message
    assert "cleaning" in done.told.output


async def test_reader_of_the_log_goes_away(tmp_path: Path) -> None:
    running = await start(tmp_path, shell("sleep 1; for i in 1 2 3; do echo $i; done; exit 5"))
    assert running.process.stdout is not None
    running.process.stdout._transport.close()  # type: ignore[attr-defined]
    done = await running.finished()
    assert done.told.exit_code == 5
    assert done.told.output == "1\n2\n3\n"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["no-such-program"], "not found in PATH"),
        (["/no/such/program"], "no such file"),
        (["/etc/passwd"], "permission denied"),
        (["./script"], "its interpreter (the #! line"),
        (["./text"], "not a program for this machine"),
        (["echo", "a\0b"], "NUL"),
        (["echo", "x" * 200_000], "too long"),
    ],
)
async def test_commands_that_cannot_start(tmp_path: Path, command: list[str], words: str) -> None:
    for name, text in (("script", "#!/no/such/interpreter\n"), ("text", "\x7fELF")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    if len(command) > 1 and len(command[1]) > 100_000:
        command = ["sh", "-c", "exit 0", "$(BIG)$(BIG)"]
        done = await run(tmp_path, {"command": command}, {"BIG": "x" * 100_000})
    else:
        done = await run(tmp_path, {"command": command})
    assert done.exit_code == 1
    assert (done.told.outcome, done.told.reason, done.told.exit_code) == (Outcome.FAILED, "StartError", None)
    assert words in done.told.message


async def test_what_a_command_sees(tmp_path: Path) -> None:
    spec = {
        "command": ["sh", "-c", 'echo "$0 $1 $2"; env | sort', "$(TIMEWRIGHT_PARAMETER_MONTH)", "$(NOPE)", "$$(HOME)"],
        "parameters": [{"name": "month", "default": "2026-01"}, {"name": "count", "type": "integer", "default": 3}],
    }
    done = await run(tmp_path, spec, {"TIMEWRIGHT_PARAMETERS": '{"month":"2026-02","undeclared":1}'})
    lines = done.stdout.splitlines()
    assert "2026-02 $(NOPE) $(HOME)" in lines
    assert "TIMEWRIGHT_SCHEDULED_AT=2025-05-16T14:56:00Z" in lines
    assert "TIMEWRIGHT_RUN_ID=nightly-29123456" in lines
    assert "TIMEWRIGHT_TASK=nightly" in lines
    assert "TIMEWRIGHT_PARAMETER_COUNT=3" in lines
    assert 'TIMEWRIGHT_PARAMETERS={"month":"2026-02","count":3}' in lines
    assert "TIMEWRIGHT_DEFINITION" not in done.stdout
