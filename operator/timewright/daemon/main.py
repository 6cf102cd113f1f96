"""`timewright daemon`: runs one replica of a TaskDaemon."""

from __future__ import annotations

import gc
import logging
import os
import sys

from timewright import __version__
from timewright.cluster.logs import set_up_logging
from timewright.daemon.configuration import Configuration, ConfigurationError
from timewright.daemon.process import Process
from timewright.runner.event_loop import run

logger = logging.getLogger(__name__)


def main() -> int:
    """Run until told to end; return the exit code: 0 ended as asked, 1 leadership lost, 2 wrong settings."""
    try:
        configuration = Configuration.from_environment(os.environ)
    except ConfigurationError as error:
        sys.stderr.write(f"timewright daemon: {error}\n")
        return 2
    set_up_logging(configuration.log_level, configuration.log_format)
    logger.info("timewright %s daemon %s in %s", __version__, configuration.daemon, configuration.namespace)
    gc.set_threshold(50_000, 50, 100)
    ended_as_asked = run(Process(configuration).run())
    return 0 if ended_as_asked else 1
