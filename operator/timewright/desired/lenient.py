"""Reading parts of manifests that may be malformed.

A user's own templates reach the builders as they were written. What is wrong in them is left as it is, for the API
server to refuse in its own words; nothing is added to it and nothing raises.
"""

from __future__ import annotations

from typing import Any

from timewright.desired import names


def mapping(value: Any) -> dict[str, Any] | None:
    """Return an object, an empty one where none is given, or None for what is no object."""
    if value is None:
        return {}
    return value if isinstance(value, dict) else None


def name_of(item: Any, key: str = "name") -> str | None:
    """Return what an item of a keyed list is called, or None for one without a usable name."""
    name = item.get(key) if isinstance(item, dict) else None
    return name if isinstance(name, str) else None


def labelled(template: dict[str, Any], task_name: str) -> dict[str, Any]:
    """Return a Job's or Pod's template with the labels of the task."""
    metadata = mapping(template.get("metadata"))
    labels = mapping(metadata.get("labels")) if metadata is not None else None
    if metadata is None or labels is None:
        return template
    return {**template, "metadata": {**metadata, "labels": {**labels, **names.labels(task_name)}}}
