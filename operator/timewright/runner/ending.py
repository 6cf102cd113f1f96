"""What the end of a task's process means."""

from __future__ import annotations

import signal

from timewright.resources.vocabulary import Reason
from timewright.runner.limits import Limits
from timewright.runner.process import ProcessEnd
from timewright.runner.result import Result, cancelled, failed, succeeded
from timewright.runner.stop import StopRequest

_MIB = 1024 * 1024


def result_of(subject: str, end: ProcessEnd, *, stop: StopRequest, limits: Limits, last_words: str) -> Result:
    """Tell how a process ended that reports by its exit code alone.

    `subject` names it in messages, `last_words` is the last line it printed.
    """
    code = exit_code(end)
    if end.stopped:
        return cancelled(stop, code)
    if end.held_bytes is not None or end.timed_out:
        return ended_by_runner(subject, end, limits)
    if end.code == 0:
        return succeeded(exit_code=0)
    if end.out_of_memory and code == 128 + signal.SIGKILL:
        text = (
            f"{subject} was killed by SIGKILL, probably out of memory: the kernel killed a process of this container; "
            "raise spec.resources.limits.memory or make the task need less"
        )
        return failed(Reason.OUT_OF_MEMORY, text, code)
    if end.code_taken:
        text = f"how {subject} ended is not known: code in this process, such as os.wait(), has taken it away"
        return failed(Reason.NON_ZERO_EXIT, text)
    if end.code is None or end.code < 0:
        return failed(Reason.NON_ZERO_EXIT, f"{subject} was killed by {signal_name(-(end.code or 0))}", code)
    text = f"{subject} exited with code {end.code}"
    return failed(Reason.NON_ZERO_EXIT, f"{text}: {last_words[-1000:]}" if last_words else text, code)


def ended_by_runner(subject: str, end: ProcessEnd, limits: Limits) -> Result:
    """Return the result of a process that took too long, or held too much."""
    if end.held_bytes is not None:
        held, limit = end.held_bytes / _MIB, (limits.memory_bytes or 0) / _MIB
        text = f"{subject} held {held:.0f} MiB, more than the {limit:.0f} MiB of its memory limit, and was ended"
    else:
        text = f"{subject} did not finish {limits.within()} and was ended"
    if end.code is None and not end.code_taken:
        text += "; it does not react even to SIGKILL, which the kernel delays while it waits for a device"
    elif end.killed:
        text += " by SIGKILL, since it ignored SIGTERM"
    reason = Reason.TIMED_OUT if end.held_bytes is None else Reason.OUT_OF_MEMORY
    return failed(reason, text, exit_code(end))


def exit_code(end: ProcessEnd) -> int | None:
    """Return the exit code as a shell tells it: 128 + n for signal n."""
    return end.code if end.code is None or end.code >= 0 else 128 - end.code


def signal_name(number: int) -> str:
    """Return the name of a signal."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
