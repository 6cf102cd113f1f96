"""Runs a command: a program and its arguments, without a shell."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from timewright.resources.vocabulary import Reason
from timewright.runner.context import RunContext, expand
from timewright.runner.ending import result_of
from timewright.runner.output import Output
from timewright.runner.process import Limits, run_process
from timewright.runner.result import Result, failed
from timewright.runner.stop import StopRequest


async def run(command: list[str], context: RunContext, output: Output, stop: StopRequest, limits: Limits) -> Result:
    """Run the command until all of its processes have ended."""
    arguments = [expand(each, context.environment) for each in command]
    try:
        end = await run_process(arguments, environment=context.environment, output=output, stop=stop, limits=limits)
    except (OSError, ValueError) as error:
        return failed(Reason.START_ERROR, _start_failure(arguments[0], error, context.environment))
    subject = json.dumps(Path(arguments[0]).name, ensure_ascii=False)
    return result_of(subject, end, stop=stop, timeout=limits.timeout, last_words=output.last_words())


def _start_failure(program: str, error: OSError | ValueError, environment: Mapping[str, str]) -> str:
    """Tell why a program could not be started, and what to do about it."""
    path = environment.get("PATH", "")
    found = shutil.which(program, path=path) or (program if Path(program).exists() else None)
    start = f"spec.command[0]: cannot start {program!r}: "
    if isinstance(error, ValueError):
        return start + f"{error}; arguments cannot contain NUL characters"
    if error.errno == errno.ENOENT:
        if found is not None:
            return start + "it exists, but its interpreter (the #! line, or the ELF loader) does not in this image"
        where = "no such file" if "/" in program else f"not found in PATH ({path})"
        return start + f"{where}; install it in the image, or name an image that has it in spec.image"
    if error.errno == errno.EACCES:
        return start + "permission denied; make it executable for the user that the container runs as"
    if error.errno == errno.ENOEXEC:
        return start + "not a program for this machine; check its architecture, or that a script begins with #!"
    if error.errno == errno.E2BIG:
        return start + "its arguments and environment are too long together"
    return start + (error.strerror or str(error))
