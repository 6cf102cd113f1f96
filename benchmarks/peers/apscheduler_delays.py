"""Prints how late APScheduler 3 starts each of many async jobs that are due in the same second, in seconds, one a line.

Usage: apscheduler_delays.py JOBS PERIOD SECONDS
"""

from __future__ import annotations

import asyncio
import sys
import time

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger


async def main(jobs: int, period: int, seconds: int) -> None:
    """Schedule the jobs, let them run for that long, and print."""
    delays: list[float] = []

    async def job() -> None:
        delays.append(time.time() % period)

    # Begin just after an instant at which all are due, so that starting up is not measured.
    await asyncio.sleep(period - time.time() % period + 1.5)
    scheduler = AsyncIOScheduler(timezone="UTC", job_defaults={"misfire_grace_time": None, "coalesce": False})
    for number in range(jobs):
        scheduler.add_job(job, CronTrigger(second=f"*/{period}", timezone="UTC"), id=str(number))
    scheduler.start()
    await asyncio.sleep(seconds)
    scheduler.shutdown(wait=False)
    sys.stdout.write("".join(f"{delay}\n" for delay in delays))


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:4])))
