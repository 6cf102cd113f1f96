"""Makes an object that belongs to another what it should be, with no more requests than that takes."""

from __future__ import annotations

from datetime import timedelta

from timewright.cluster.api import ApiError, Manifest, Resource
from timewright.controller.apply import fields_handed_to_apply
from timewright.controller.context import Operator, Verified
from timewright.desired import names
from timewright.desired.contained import contained
from timewright.desired.cron_job import digest

LOOK_AGAIN = timedelta(minutes=10)
"""How long an object that was found to be as it should is not looked at, unless its generation moves."""


class NameTakenError(Exception):
    """The name of an object belongs to one of somebody else's."""


async def ensure(operator: Operator, resource: Resource, wanted: Manifest, generation: int = 0) -> None:
    """Create the object, or bring it back to what is wanted, if it is not.

    An object that the watch does not show is read, at most every ten minutes; a restart reads each once, and writes
    nothing.

    Args:
        operator: the operator.
        resource: the kind of the object.
        wanted: its manifest, which names its controller.
        generation: the object's `metadata.generation`, where the watch shows it.

    Raises:
        NameTakenError: when there is an object of that name with another controller, or none.
        ApiError: when a request failed.

    """
    metadata = wanted["metadata"]
    mark = digest(wanted)
    at = (resource.plural, metadata["namespace"], metadata["name"])
    known = operator.verified.get(at)
    if (
        known is not None
        and (known.digest, known.generation) == (mark, generation)
        and operator.monotonic() - known.at < LOOK_AGAIN.total_seconds()
    ):
        return
    annotations = {**(metadata.get("annotations") or {}), names.APPLIED_ANNOTATION: mark}
    manifest = {**wanted, "metadata": {**metadata, "annotations": annotations}}
    made = await _make(operator, resource, manifest)
    made_at_generation = made["metadata"].get("generation") or 0
    operator.verified[at] = Verified(mark, made_at_generation if generation else 0, operator.monotonic())


async def _make(operator: Operator, resource: Resource, manifest: Manifest) -> Manifest:
    metadata = manifest["metadata"]
    try:
        live = await operator.api.get(resource, metadata["namespace"], metadata["name"])
    except ApiError as error:
        if not error.not_found:
            raise
        return await operator.api.create_as_given(resource, manifest)
    if not is_controlled_by(live, metadata["ownerReferences"][0]["uid"]):
        raise NameTakenError(
            f"{resource.plural} {metadata['name']!r} exists and is not controlled by this object; delete or rename it"
        )
    if contained(manifest, live):
        return live
    fields = fields_handed_to_apply(live["metadata"].get("managedFields") or [])
    if fields is not None:
        body = {"metadata": {"resourceVersion": live["metadata"]["resourceVersion"], "managedFields": fields}}
        await operator.api.merge_patch(resource, metadata["namespace"], metadata["name"], body)
    return await operator.api.apply(resource, manifest)


def is_controlled_by(live: Manifest, uid: str) -> bool:
    """Tell whether an object belongs to the one of that UID."""
    owners = live["metadata"].get("ownerReferences") or []
    return any(owner.get("controller") and owner["uid"] == uid for owner in owners)
