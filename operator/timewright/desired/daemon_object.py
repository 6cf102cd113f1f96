"""What all objects of a TaskDaemon have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from timewright.desired import names

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DaemonIdentity:
    """Which TaskDaemon an object belongs to."""

    namespace: str
    name: str
    uid: str

    @property
    def object_name(self) -> str:
        """The name of each of its objects."""
        return names.daemon_object_name(self.name)

    def manifest(self, api_version: str, kind: str, content: Manifest) -> Manifest:
        """Return a manifest with this identity in its metadata: name, labels, owner."""
        metadata = {
            "name": self.object_name,
            "namespace": self.namespace,
            "labels": names.daemon_labels(self.name),
            "ownerReferences": [names.owned_by_daemon(self.name, self.uid)],
        }
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}
