"""What a caller may ask of a cluster."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True)
class Options:
    """The default is a control plane with real controllers and no node: enough for all that needs no running pod."""

    node: bool = False
    controller_manager: bool = True
    apiserver_flags: tuple[str, ...] = ()
    controller_manager_flags: tuple[str, ...] = ()
    feature_gates: Mapping[str, bool] = field(default_factory=dict)

    @property
    def components(self) -> tuple[str, ...]:
        """In the order in which they are started."""
        manager = ("controller-manager",) if self.controller_manager else ()
        node = ("containerd", "scheduler", "kubelet") if self.node else ()
        return ("etcd", "apiserver", *manager, *node)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(
            node=data["node"],
            controller_manager=data["controller_manager"],
            apiserver_flags=tuple(data["apiserver_flags"]),
            controller_manager_flags=tuple(data["controller_manager_flags"]),
            feature_gates=dict(data["feature_gates"]),
        )
