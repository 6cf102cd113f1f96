"""What a benchmark prints, and whether its targets are met."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.daemon.place import quantile


class Table:
    """Prints a line as soon as it is known."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def title(self, text: str) -> None:
        """Begin with another subject."""
        print(f"\n{text}", flush=True)

    def delays(self, name: str, delays: Sequence[float], ours: Sequence[float], note: str = "") -> None:
        """Tell how late runs started, and that as a ratio to ours."""
        if not delays:
            print(f"  {name:<34} nothing started  {note}", flush=True)
            return
        p50, p99 = quantile(delays, 0.5), quantile(delays, 0.99)
        ratio = f"{p99 / quantile(ours, 0.99):.2f} × timewright" if ours else ""
        print(f"  {name:<34} p50 {p50:7.3f} s  p99 {p99:7.3f} s  {ratio:<20} {note}", flush=True)

    def line(self, text: str) -> None:
        """Tell anything else."""
        print(f"  {text}", flush=True)

    def target(self, name: str, is_met: bool) -> None:
        """Tell whether a target is met."""
        print(f"  {'met   ' if is_met else 'MISSED'} {name}", flush=True)
        if not is_met:
            self.missed.append(name)
