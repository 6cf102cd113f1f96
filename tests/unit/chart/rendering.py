"""Words that the chart's tests and fixtures share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
CHART = ROOT / "deploy" / "helm" / "timewright"

Manifest = dict[str, Any]
Helm = Callable[..., str]
Render = Callable[..., list[Manifest]]


class HelmError(Exception):
    """Helm refused; the text is what it said."""
