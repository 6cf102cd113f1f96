"""Runs a command: a program and its arguments, without a shell."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Sequence

from timewright.resources.vocabulary import Reason
from timewright.runner.context import RunContext
from timewright.runner.ending import result_of
from timewright.runner.expansion import expand
from timewright.runner.limits import Limits
from timewright.runner.output import Output
from timewright.runner.process import run_process
from timewright.runner.result import Result, failed
from timewright.runner.stop import StopRequest


async def run(command: Sequence[str], context: RunContext, output: Output, stop: StopRequest, limits: Limits) -> Result:
    """Run the command until all of its processes have ended."""
    arguments = [expand(each, context.environment) for each in command]
    try:
        end = await run_process(arguments, environment=context.environment, output=output, stop=stop, limits=limits)
    except (OSError, ValueError) as error:
        return failed(Reason.START_ERROR, _start_failure(arguments[0], error, context))
    subject = json.dumps(os.path.basename(arguments[0]), ensure_ascii=False)  # noqa: PTH119 - a Path costs an import
    result = result_of(subject, end, stop=stop, limits=limits, last_words=output.last_words())
    result.peak_memory_bytes = end.peak_memory_bytes
    return result


def _start_failure(program: str, error: OSError | ValueError, context: RunContext) -> str:
    """Tell why a program could not be started, and what to do about it."""
    path = context.environment.get("PATH", "")
    found = shutil.which(program, path=path) or (program if os.path.exists(program) else None)  # noqa: PTH110
    place = "spec.command[0]: " if context.is_manifest else ""
    start = f"{place}cannot start {program!r}: "
    if isinstance(error, ValueError):
        return start + f"{error}; arguments cannot contain NUL characters"
    if error.errno == errno.ENOENT:
        if found is not None:
            return start + (
                "it exists, but its interpreter (the #! line, or the ELF loader) does not in this image"
                if context.is_manifest
                else "it exists, but its interpreter (the #! line, or the ELF loader) does not"
            )
        where = "no such file" if "/" in program else f"not found in PATH ({path})"
        if context.is_manifest:
            return start + f"{where}; install it in the image, or name an image that has it in spec.image"
        return start + f"{where}; install it, or write where it is"
    if error.errno == errno.EACCES:
        return start + "permission denied; make it executable for the user that this runs as"
    if error.errno == errno.ENOEXEC:
        return start + "not a program for this machine; check its architecture, or that a script begins with #!"
    if error.errno == errno.E2BIG:
        return start + "its arguments and environment are too long together"
    return start + (error.strerror or str(error))
