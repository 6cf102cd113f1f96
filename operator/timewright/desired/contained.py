"""Does a live object say all that is wanted of it?"""

from __future__ import annotations

from typing import Any


def contained(wanted: Any, live: Any) -> bool:
    """Tell whether `live` has everything that `wanted` says; what anybody else added does not count.

    Objects are compared field by field, lists item by item. An empty one that is wanted may be absent, as the API
    server leaves it out.
    """
    if isinstance(wanted, dict):
        if not isinstance(live, dict):
            return not wanted and live is None
        return all(contained(value, live.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        if not isinstance(live, list):
            return not wanted and live is None
        return len(wanted) == len(live) and all(map(contained, wanted, live))
    return bool(wanted == live)
