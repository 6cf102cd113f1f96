"""A program that carries its schedule along on its own event loop: `python embedded.py`, and Ctrl-C to end it.

A web application does the same where it starts and ends, as in the lifespan of an ASGI application.
"""

import asyncio
import contextlib

from timewright import Schedule

schedule = Schedule("embedded")


@schedule.every_two_seconds()
async def refresh() -> None:
    print("refreshed")


async def main() -> None:
    work = asyncio.create_task(schedule.awork())
    try:
        run = await schedule.arun_now("refresh")
        print(f"by hand: {run.outcome}")
        await asyncio.Event().wait()  # whatever else the program is for
    finally:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
