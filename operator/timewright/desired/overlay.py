"""Laying what a user wrote over what was generated."""

from __future__ import annotations

from typing import Any

_KEYED_LISTS = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "volumeMounts": "mountPath",
    "imagePullSecrets": "name",
}
"""The lists of a Pod that Kubernetes merges by a key, and the key: the API's own `patchMergeKey`s."""


def overlaid(base: Any, over: Any, field: str = "") -> Any:
    """Return `base` with `over` laid on it, as a strategic merge patch would; neither is changed.

    Objects merge field by field, keyed lists item by item, everything else is replaced.
    """
    if isinstance(base, dict) and isinstance(over, dict):
        merged = dict(base)
        for key, value in over.items():
            merged[key] = overlaid(base[key], value, key) if key in base else value
        return merged
    key = _KEYED_LISTS.get(field)
    if key is not None and isinstance(base, list) and isinstance(over, list):
        return _merged_by_key(base, over, key)
    return over


def _merged_by_key(base: list[Any], over: list[Any], key: str) -> list[Any]:
    merged = list(base)
    positions = {item.get(key): index for index, item in enumerate(merged)}
    for item in over:
        at = positions.get(item.get(key)) if isinstance(item, dict) else None
        if at is None:
            merged.append(item)
        else:
            merged[at] = overlaid(merged[at], item)
    return merged
