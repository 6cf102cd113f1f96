"""How a log tells of what went wrong: of what a cluster may do in few words, of a fault of ours with its place."""

from __future__ import annotations

from timewright.cluster.api import ApiError
from timewright.engine.beside import told
from timewright.storage.protocol import StoreError


def text_of(error: Exception) -> str:
    """Return what a person needs to know of an error."""
    is_foreseen = isinstance(error, (ApiError, OSError, StoreError))
    return str(error) or type(error).__name__ if is_foreseen else told(error)
