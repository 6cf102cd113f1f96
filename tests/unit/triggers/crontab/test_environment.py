"""The environment that cron gives to a line."""

from timewright.triggers.crontab.environment import assignments, cron_environment


def test_what_cron_gives_by_itself() -> None:
    assert cron_environment("/home/ann", "ann", "") == {
        "HOME": "/home/ann",
        "LOGNAME": "ann",
        "USER": "ann",
        "SHELL": "/bin/sh",
        "PATH": "/usr/bin:/bin",
    }


def test_what_the_lines_above_say() -> None:
    text = (
        "# A=comment\n"
        "PATH=/opt/bin\r\n"
        "  SPACED = a b  \n"
        'QUOTED="a b "\n'
        "'NAME'='x'\n"
        "EMPTY=\n"
        "URL=postgresql://a@b/c?x=y\n"
        "TWICE=1\nTWICE=2\n"
        "*/5 * * * * VARIABLE=not an assignment\n"
        "@daily X=y\n"
        "1X=y\n"
        'HALF="x\n'
    )
    assert assignments(text) == {
        "PATH": "/opt/bin",
        "SPACED": "a b",
        "QUOTED": "a b ",
        "NAME": "x",
        "EMPTY": "",
        "URL": "postgresql://a@b/c?x=y",
        "TWICE": "2",
        "HALF": '"x',
    }
