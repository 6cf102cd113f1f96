"""What the end of a task's process means."""

from __future__ import annotations

import signal

from timewright.resources.vocabulary import Reason
from timewright.runner.process import ProcessEnd
from timewright.runner.result import Result, cancelled, failed, succeeded
from timewright.runner.stop import StopRequest


def result_of(subject: str, end: ProcessEnd, *, stop: StopRequest, timeout: float | None, last_words: str) -> Result:
    """Tell how a process ended that reports by its exit code alone.

    `subject` names it in messages, `timeout` is the task's time-out in seconds, `last_words` the last line it printed.
    """
    code = exit_code(end)
    if end.stopped:
        return cancelled(stop, code)
    if end.timed_out:
        return timed_out(subject, end, timeout)
    if end.code == 0:
        return succeeded(exit_code=0)
    if end.out_of_memory and code == 128 + signal.SIGKILL:
        text = (
            f"{subject} was killed by SIGKILL, probably out of memory: the kernel killed a process of this container; "
            "raise spec.resources.limits.memory or make the task need less"
        )
        return failed(Reason.OUT_OF_MEMORY, text, code)
    if end.code is None or end.code < 0:
        return failed(Reason.NON_ZERO_EXIT, f"{subject} was killed by {signal_name(-(end.code or 0))}", code)
    text = f"{subject} exited with code {end.code}"
    return failed(Reason.NON_ZERO_EXIT, f"{text}: {last_words[-1000:]}" if last_words else text, code)


def timed_out(subject: str, end: ProcessEnd, timeout: float | None) -> Result:
    """Return the result of a process that took too long. `timeout` is in seconds."""
    text = f"{subject} did not finish within {timeout:g} s (spec.timeoutSeconds) and was ended"
    if end.code is None:
        text += "; it does not react even to SIGKILL, which the kernel delays while it waits for a device"
    elif end.killed:
        text += " by SIGKILL, since it ignored SIGTERM"
    return failed(Reason.TIMED_OUT, text, exit_code(end))


def exit_code(end: ProcessEnd) -> int | None:
    """Return the exit code as a shell tells it: 128 + n for signal n."""
    return end.code if end.code is None or end.code >= 0 else 128 - end.code


def signal_name(number: int) -> str:
    """Return the name of a signal."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
