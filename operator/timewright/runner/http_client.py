"""The HTTP client library, without what takes long to import and nobody here needs."""

from __future__ import annotations

import sys
from types import ModuleType


def import_httpx() -> ModuleType:
    """Import httpx without its command line, whose click, rich and pygments take four times as long as all the rest."""
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    import httpx

    return httpx
