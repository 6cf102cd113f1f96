"""What a line says reaches the program as it was meant, through cron and through the shell."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.triggers.crontab.crons import CRONS
from timewright.triggers.crontab.line import EVERY_MINUTE, Call, LineError, crontab_line, quote

HOSTILE = (
    "plain", "", " ", "a b", "100%", "%d%%", "a'b", 'a"b', "$HOME", "`id`", "$(id)", "a\\b", "a\\\\b", "\\%", "%\\",
    "\\", "\\\\%\\", "it's 5% \\o/", "täglich/名前", "-n", "~", "*", "#x", "a;b&c|d", "!", "x=y", "🕰",
)  # fmt: skip


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", command], env=environment, cwd="/", capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("cron", CRONS)
def test_words_survive(cron: Callable[[str], str]) -> None:
    words = " ".join(quote(word, "word") for word in HOSTILE)
    done = shell(cron(f"printf {quote('[%s]', 'format')} {words}"))
    assert done.stdout == "".join(f"[{word}]" for word in HOSTILE), done.stderr


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=12))
def test_no_cron_sees_what_is_special_to_some(word: str) -> None:
    quoted = quote(word, "word")
    handed = {cron(quoted) for cron in CRONS}
    # Only `\%` is read differently, and outside of quotes it means `%` to the shell too.
    assert {each.replace("\\%", "%") for each in handed} == {quoted.replace("\\%", "%")}
    assert "\\\\" not in quoted


@pytest.mark.parametrize("word", ["a\nb", "a\rb", "\x00", "tab\t", "\x7f"])
def test_what_a_crontab_cannot_hold(word: str) -> None:
    with pytest.raises(LineError, match=r"directory .* holds"):
        quote(word, "directory")


@pytest.mark.parametrize("cron", CRONS)
@pytest.mark.parametrize("folder", ["plain", "two words", "100% \\%'s", "ünï"])
def test_the_whole_line_runs(tmp_path: Path, folder: str, cron: Callable[[str], str]) -> None:
    directory, log = tmp_path / folder, tmp_path / f"{folder}.log"
    directory.mkdir()
    program = directory / "timewright"
    program.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        "print(json.dumps([os.getcwd(), sys.argv[1:], os.environ['PATH'], os.environ['GREETING']]))\n"
        "print('on stderr', file=sys.stderr)\n"
    )
    program.chmod(0o755)
    call = Call(
        directory=str(directory),
        program=(str(program),),
        options=("--app", "shop.schedule:schedule", "--store", "sqlite:///50% off.db"),
        path=f"{directory}:/usr/bin",
        environment=(("GREETING", "it's 5 o'clock, 100%"),),
        log=str(log),
    )
    line = crontab_line(call)
    assert line.startswith(f"{EVERY_MINUTE} cd ")
    assert "\n" not in line
    for _ in range(2):
        done = shell(cron(line.removeprefix(EVERY_MINUTE).strip()), PATH="/usr/bin:/bin")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    expected = [
        str(directory),
        ["schedule:run", "--quiet", "--app", "shop.schedule:schedule", "--store", "sqlite:///50% off.db"],
        f"{directory}:/usr/bin",
        "it's 5 o'clock, 100%",
    ]
    written = log.read_text().splitlines()
    assert [json.loads(text) for text in written if text != "on stderr"] == [expected, expected]
    assert written.count("on stderr") == 2


def test_without_a_log_cron_gets_the_output(tmp_path: Path) -> None:
    call = Call(directory=str(tmp_path), program=("/bin/echo",), options=("hello",))
    assert shell(crontab_line(call).removeprefix(EVERY_MINUTE)).stdout == "schedule:run --quiet hello\n"


def test_a_folder_that_is_gone_is_told_to_cron(tmp_path: Path) -> None:
    call = Call(str(tmp_path / "gone"), ("/bin/echo",), (), log=str(tmp_path / "log"))
    done = shell(crontab_line(call).removeprefix(EVERY_MINUTE))
    assert done.returncode != 0
    assert "gone" in done.stderr
    assert not (tmp_path / "log").exists()


def test_a_line_that_is_too_long_for_some_crons() -> None:
    with pytest.raises(LineError, match=r"\d{4} bytes long.* 998.*--path"):
        crontab_line(Call("/", ("/bin/true",), (), path=os.pathsep.join(["/a/long/folder"] * 90)))


def test_a_variable_with_a_name_that_a_shell_does_not_take() -> None:
    with pytest.raises(LineError, match="'1X'"):
        crontab_line(Call("/", ("/bin/true",), (), environment=(("1X", "y"),)))
