"""Responses that come line by line for as long as the server likes: watches and logs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import aiohttp

from timewright.cluster.api import Api, ApiError, Manifest, Resource


async def lines(api: Api, path: str, query: dict[str, str], *, silence: float | None) -> AsyncIterator[bytes]:
    """Yield the lines of a streamed response. `silence` is for how many seconds it may be quiet.

    Raises ApiError if the server refuses, and aiohttp.ClientError or TimeoutError if the connection breaks.
    """
    headers = {"Accept": "application/json, */*", "User-Agent": "timewright"}
    await api.client.update_params_for_auth(headers, [], ["BearerToken"], path, "GET", None)
    url = f"{api.client.configuration.host}{path}?{urlencode(query)}"
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=15, sock_read=silence)
    response = (await api.client.call_api("GET", url, headers, _request_timeout=timeout)).response
    try:
        if response.status != 200:
            raise _refusal(response.status, await response.read())
        rest = b""
        async for chunk in response.content.iter_any():
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield line
        if rest:
            yield rest
    finally:
        response.close()


async def watch(
    api: Api,
    resource: Resource,
    namespace: str | None,
    *,
    label_selector: str,
    version: str,
    seconds: int,
    silence: float,
) -> AsyncIterator[tuple[str, Manifest]]:
    """Yield type and object of each change after a resourceVersion, bookmarks included, for that many seconds.

    Raises ApiError when the server refuses or ends it (410: the version is too old), and aiohttp.ClientError or
    TimeoutError when the connection breaks or nothing at all comes for `silence` seconds.
    """
    query = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": version, "timeoutSeconds": str(seconds)}
    if label_selector:
        query["labelSelector"] = label_selector
    api.on_request("GET", resource.plural)
    async for line in lines(api, resource.path(namespace), query, silence=silence):
        event = json.loads(line)
        if event["type"] == "ERROR":
            status = event["object"]
            raise ApiError(int(status.get("code", 500)), str(status.get("reason")), str(status.get("message")))
        yield event["type"], event["object"]


def _refusal(status: int, content: bytes) -> ApiError:
    try:
        told = json.loads(content)
        return ApiError(status, str(told.get("reason", "")), str(told.get("message", "")))
    except (ValueError, AttributeError):
        return ApiError(status, "", content[:1000].decode(errors="replace"))
