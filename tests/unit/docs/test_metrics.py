"""The documentation lists the metrics that there are, under the names that Prometheus sees."""

from __future__ import annotations

import re
from pathlib import Path

from tests.unit.docs.exported import exported_metrics

ROOT = Path(__file__).parents[3]


def test_every_metric_is_documented_and_no_other() -> None:
    table = re.findall(r"^\| `(timewright_\w+)` \|", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    assert len(table) == len(set(table))
    assert set(table) == exported_metrics()
