"""Laying what a user wrote over what was generated."""

from __future__ import annotations

from typing import Any

from timewright.desired.lenient import name_of

_KEYED_LISTS = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "volumeMounts": "mountPath",
    "imagePullSecrets": "name",
}
"""The lists of a Pod that Kubernetes merges by a key, and the key: the API's own `patchMergeKey`s."""


_EXCLUSIVE = ("volumes", "env")
"""The lists whose items say one thing in one of several ways: a user's way takes the place of the generated one."""


def overlaid(base: Any, over: Any, field: str = "") -> Any:
    """Return `base` with `over` laid on it, as a strategic merge patch would; neither is changed.

    Objects merge field by field, keyed lists item by item, everything else is replaced.
    """
    if isinstance(base, dict) and isinstance(over, dict):
        merged = dict(base)
        for key, value in over.items():
            merged[key] = overlaid(base[key], value, key) if key in base else value
        return merged
    if field in _KEYED_LISTS and isinstance(base, list) and isinstance(over, list):
        return _merged_by_key(base, over, field)
    return over


def _merged_by_key(base: list[Any], over: list[Any], field: str) -> list[Any]:
    key = _KEYED_LISTS[field]
    merged = list(base)
    positions = {name_of(item, key): index for index, item in enumerate(merged)}
    for item in over:
        name = name_of(item, key)
        at = positions.get(name) if name is not None else None
        if at is None:
            merged.append(item)
        else:
            merged[at] = item if field in _EXCLUSIVE else overlaid(merged[at], item)
    return merged
