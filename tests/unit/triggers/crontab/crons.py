"""How crons turn the command of a line into what they hand to the shell, written from their sources."""

from collections.abc import Callable


def vixie(command: str) -> str:
    """Vixie's cron 3, which Debian has: a backslash takes back itself too."""
    return _processed(command, taken_back="%\\")


def cronie(command: str) -> str:
    """Cronie and ISC's cron: a backslash is only special before a percent sign."""
    return _processed(command, taken_back="%")


def busybox(command: str) -> str:
    """BusyBox's crond does nothing to a command."""
    return command


CRONS: tuple[Callable[[str], str], ...] = (vixie, cronie, busybox)


def _processed(command: str, taken_back: str) -> str:
    result = ""
    escaped = False
    for character in command:
        if escaped and character in taken_back:
            result = result[:-1] + character
            escaped = False
            continue
        if not escaped and character == "%":
            break  # the rest would be standard input
        result += character
        escaped = character == "\\" and not escaped
    return result
