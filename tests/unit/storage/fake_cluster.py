"""A cluster in memory for what replaces objects, as holders of a Lease do."""

from __future__ import annotations

import copy
from typing import Any

from tests.unit.controller.cluster import Cluster, FakeApi, merged
from timewright.cluster.api import ApiError, Resource

Manifest = dict[str, Any]


class ReplacingApi(FakeApi):
    """The requests of `FakeApi`, and replacing an object of the version that was read."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self.away = False

    async def replace(self, resource: Resource, body: Manifest) -> Manifest:
        def replaced() -> Manifest:
            metadata = body["metadata"]
            stored = self._cluster._find(resource, metadata["namespace"], metadata["name"])
            if stored["metadata"]["resourceVersion"] != metadata["resourceVersion"]:
                raise ApiError(409, "Conflict", f"{metadata['name']!r} has been modified")
            before = copy.deepcopy(stored)
            for part in body:
                if part != "metadata":
                    stored[part] = copy.deepcopy(body[part])
            if "annotations" in metadata:
                stored["metadata"]["annotations"] = dict(metadata["annotations"])
            self._cluster._touch(stored, before)
            return stored

        return await self._answer("replace", resource, replaced)

    async def merge_patch(
        self, resource: Resource, namespace: str, name: str, body: Manifest, subresource: str = ""
    ) -> Manifest:
        answer = await super().merge_patch(resource, namespace, name, body, subresource)
        given = {key: value for key, value in (body.get("metadata") or {}).items() if key != "resourceVersion"}
        if subresource or not given:
            return answer
        stored = self._cluster._find(resource, namespace, name)
        before = copy.deepcopy(stored)
        stored["metadata"] = merged(stored["metadata"], given)
        self._cluster._touch(stored, before)
        return copy.deepcopy(stored)

    def _carry_out(self, verb: str, resource: Resource, action: Any) -> Any:
        if self.away:
            raise ConnectionError("the API server is away")
        return super()._carry_out(verb, resource, action)
