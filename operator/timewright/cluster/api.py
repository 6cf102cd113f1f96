"""The requests that the operator and the daemon make, over the official client's transport.

Objects are plain dictionaries in and out: a typed model would cost more time than the request and forget the fields
it does not know.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

Manifest = dict[str, Any]

FIELD_MANAGER = "timewright"
CONNECTIONS = 48
"""How many requests there may be at a time; others wait."""
_PAGE = 500
_APPLY_PATCH = "application/apply-patch+yaml"
_MERGE_PATCH = "application/merge-patch+json"
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""Asks for an answer of the object's metadata alone, which spares both sides the rest."""

_TIMEOUT = aiohttp.ClientTimeout(total=60)


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of the API."""

    prefix: str
    plural: str

    @property
    def group(self) -> str:
        """The API group, such as `batch`; empty for the core one."""
        return self.prefix.split("/")[2] if self.prefix.startswith("/apis/") else ""

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """Return the path of a collection, of an object in it, or of a part of that object."""
        parts = [self.prefix, *(("namespaces", namespace) if namespace else ()), self.plural, name, subresource]
        return "/".join(part for part in parts if part)


SCHEDULED_TASKS = Resource("/apis/timewright.dev/v1alpha1", "scheduledtasks")
TASK_RUNS = Resource("/apis/timewright.dev/v1alpha1", "taskruns")
TASK_DAEMONS = Resource("/apis/timewright.dev/v1alpha1", "taskdaemons")
CRON_JOBS = Resource("/apis/batch/v1", "cronjobs")
JOBS = Resource("/apis/batch/v1", "jobs")
PODS = Resource("/api/v1", "pods")
EVENTS = Resource("/apis/events.k8s.io/v1", "events")
LEASES = Resource("/apis/coordination.k8s.io/v1", "leases")
DEPLOYMENTS = Resource("/apis/apps/v1", "deployments")
DISRUPTION_BUDGETS = Resource("/apis/policy/v1", "poddisruptionbudgets")
SERVICE_ACCOUNTS = Resource("/api/v1", "serviceaccounts")
ROLES = Resource("/apis/rbac.authorization.k8s.io/v1", "roles")
ROLE_BINDINGS = Resource("/apis/rbac.authorization.k8s.io/v1", "rolebindings")


class ApiError(Exception):
    """A request that the API server answered with an error."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message

    @property
    def not_found(self) -> bool:
        """Whether the object does not exist."""
        return self.status == 404

    @property
    def conflict(self) -> bool:
        """Whether the object exists already, or is not as the request assumed."""
        return self.status == 409

    @property
    def refused(self) -> bool:
        """Whether the object itself was found wrong: sending it again will not help."""
        return self.status in (400, 413, 422) or (
            self.status == 500 and "failed to create typed patch object" in self.message
        )

    @property
    def forbidden(self) -> bool:
        """Whether a quota, a policy, a webhook or missing privileges stand against it, for now."""
        return self.status == 403

    @property
    def namespace_ends(self) -> bool:
        """Whether the namespace is being removed, so that nothing can be created in it any more."""
        return self.status == 403 and "because it is being terminated" in self.message


class Api:
    """The Kubernetes API, as Timewright uses it. Use as an async context manager.

    Every request raises ApiError when the API server answers with an error, and OSError (ConnectionError,
    TimeoutError) when it does not answer.
    """

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self.on_request: Callable[[str, str], None] = lambda method, resource: None
        """Called with method and plural name of the resource before each request."""

    @property
    def client(self) -> ApiClient:
        """The official client underneath."""
        return self._client

    async def __aenter__(self) -> Self:
        """Return itself; connections open as they are needed."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await self._client.close()

    async def get(self, resource: Resource, namespace: str, name: str) -> Manifest:
        """Read one object."""
        return await self._request("GET", resource, resource.path(namespace, name))

    async def list_all(
        self, resource: Resource, namespace: str | None = None, label_selector: str = ""
    ) -> AsyncIterator[list[Manifest]]:
        """Read a whole collection, page by page, so that no more than a page is held at once."""
        async for page in self.list_pages(resource, namespace, label_selector):
            yield page.get("items") or []

    async def list_pages(
        self, resource: Resource, namespace: str | None = None, label_selector: str = ""
    ) -> AsyncIterator[Manifest]:
        """Read a whole collection, page by page, each with its own metadata."""
        query = {"limit": str(_PAGE)}
        if label_selector:
            query["labelSelector"] = label_selector
        while True:
            page = await self._request("GET", resource, resource.path(namespace), query=query)
            yield page
            token = page["metadata"].get("continue")
            if not token:
                return
            query["continue"] = token

    async def create(self, resource: Resource, body: Manifest) -> Manifest:
        """Create an object; a field that the API does not know is an error."""
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        namespace = body["metadata"]["namespace"]
        return await self._request("POST", resource, resource.path(namespace), query=query, body=body)

    async def create_as_given(self, resource: Resource, body: Manifest) -> Manifest:
        """Create an object; return what was given, with the metadata that the API server gave it."""
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        path = resource.path(body["metadata"]["namespace"])
        answer = await self._request("POST", resource, path, query=query, body=body, accept=_METADATA)
        return {**body, "metadata": answer["metadata"]}

    async def apply(self, resource: Resource, body: Manifest) -> Manifest:
        """Create or change an object by server-side apply; a field that the API does not know is an error.

        Fields that somebody else has set otherwise are taken over. Returns what was applied, with the metadata that the
        API server gave it; what others have set is not in it.
        """
        metadata = body["metadata"]
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict", "force": "true"}
        path = resource.path(metadata["namespace"], metadata["name"])
        answer = await self._request(
            "PATCH", resource, path, query=query, body=body, content_type=_APPLY_PATCH, accept=_METADATA
        )
        return {**body, "metadata": answer["metadata"]}

    async def apply_status(self, resource: Resource, body: Manifest, manager: str = FIELD_MANAGER) -> Manifest:
        """Set the parts of an object's status that are ours by server-side apply; return the object's metadata.

        `manager` is whose parts they are: what it set before and does not set now is removed.
        """
        metadata = body["metadata"]
        query = {"fieldManager": manager, "fieldValidation": "Strict", "force": "true"}
        path = resource.path(metadata["namespace"], metadata["name"], "status")
        return await self._request(
            "PATCH", resource, path, query=query, body=body, content_type=_APPLY_PATCH, accept=_METADATA
        )

    async def merge_patch_status(self, resource: Resource, namespace: str, name: str, body: Manifest) -> Manifest:
        """Change an object's status by a JSON merge patch; return no more than the object's metadata."""
        path = resource.path(namespace, name, "status")
        query = {"fieldManager": FIELD_MANAGER}
        return await self._request(
            "PATCH", resource, path, query=query, body=body, content_type=_MERGE_PATCH, accept=_METADATA
        )

    async def merge_patch(
        self, resource: Resource, namespace: str, name: str, body: Manifest, subresource: str = ""
    ) -> Manifest:
        """Change an object by a JSON merge patch (RFC 7386)."""
        path = resource.path(namespace, name, subresource)
        query = {"fieldManager": FIELD_MANAGER}
        return await self._request("PATCH", resource, path, query=query, body=body, content_type=_MERGE_PATCH)

    async def replace(self, resource: Resource, body: Manifest) -> Manifest:
        """Replace an object that has not changed since it was read."""
        metadata = body["metadata"]
        path = resource.path(metadata["namespace"], metadata["name"])
        return await self._request("PUT", resource, path, query={"fieldManager": FIELD_MANAGER}, body=body)

    async def delete(self, resource: Resource, namespace: str, name: str, uid: str) -> None:
        """Delete the object of that UID and, in the background, what belongs to it. Fine if it is gone."""
        body = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid},
        }
        try:
            await self._request("DELETE", resource, resource.path(namespace, name), body=body)
        except ApiError as error:
            if not (error.not_found or error.conflict):
                raise

    async def _request(
        self,
        method: str,
        resource: Resource,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Manifest:
        headers = {"Accept": accept, "Content-Type": content_type, "User-Agent": "timewright"}
        await self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, None)
        url = self._client.configuration.host + path + (f"?{urlencode(query)}" if query else "")
        self.on_request(method, resource.plural)
        try:
            response = await self._client.call_api(method, url, headers, body, _request_timeout=_TIMEOUT)
            content = await response.read()
        except aiohttp.ClientError as error:
            raise ConnectionError(f"{method} {path}: {error or type(error).__name__}") from error
        if 200 <= response.status <= 299:
            parsed: Manifest = json.loads(content)
            return parsed
        raise _error(response.status, content)


def _error(status: int, content: bytes) -> ApiError:
    try:
        told = json.loads(content)
        return ApiError(status, str(told.get("reason", "")), str(told.get("message", "")))
    except (ValueError, AttributeError):
        return ApiError(status, "", content[:1000].decode(errors="replace"))


async def connect() -> Api:
    """Connect as the Pod's service account or, outside a cluster, as the kubeconfig says."""
    configuration = Configuration()
    if os.environ.get("KUBERNETES_SERVICE_HOST") and not os.environ.get("KUBECONFIG"):
        config.load_incluster_config(client_configuration=configuration)
    else:
        await config.load_kube_config(
            config_file=os.environ.get("KUBECONFIG"), client_configuration=configuration, persist_config=False
        )
    configuration.connection_pool_maxsize = CONNECTIONS
    configuration.client_session_kwargs = {"trust_env": False}  # it reads ~/.netrc anew for each request
    return Api(ApiClient(configuration))
