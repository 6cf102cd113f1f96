"""The documentation lists the metrics that there are, under the names that Prometheus sees."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import REGISTRY

from timewright.controller import metrics

ROOT = Path(__file__).parents[3]


def test_every_metric_is_documented_and_no_other() -> None:
    described = (family for family in REGISTRY.collect() if family.name.startswith("timewright_"))
    exported = {f"{family.name}_total" if family.type == "counter" else family.name for family in described}
    exported |= {family.name for family in metrics.TaskCollector(list).collect()}
    table = re.findall(r"^\| `(timewright_\w+)` \|", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    assert set(table) == exported
