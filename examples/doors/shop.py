"""The tasks of a shop. Nothing here says who calls them."""

from timewright import Schedule, current_run

schedule = Schedule("shop")


@schedule.task("* * * * *", name="sync-stock")
async def sync_stock() -> None:
    """Fetch what changed in the minute of this run."""
    run = current_run()
    assert run is not None
    print(f"stock as of {run.scheduled_at:%H:%M}")


@schedule.task("0 6 1 * *", name="invoice")
def invoice(month: str = "last") -> None:
    """Bill a month; by hand any month may be billed again."""
    print(f"billed {month}")
