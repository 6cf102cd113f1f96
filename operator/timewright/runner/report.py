"""Leaves the report of a run where the kubelet picks it up."""

from __future__ import annotations

import os
from pathlib import Path

from timewright.resources.definition import REPORT_PATH
from timewright.resources.run_report import RunReport


def write_report(report: RunReport, path: Path = Path(REPORT_PATH)) -> str | None:
    """Write the report as the container's termination message; return why that was impossible, if it was.

    The kubelet makes the file; where it does not exist there is no kubelet, and nobody to report to. Neither that nor a
    failure to write changes how the run ended.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"cannot write the report to {path}: {error.strerror}"
    try:
        os.write(descriptor, report.to_termination_message().encode())
    except OSError as error:
        return f"cannot write the report to {path}: {error.strerror}"
    finally:
        os.close(descriptor)
    return None
