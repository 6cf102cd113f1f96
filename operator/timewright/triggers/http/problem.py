"""Errors as RFC 9457 problem documents."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"


class Problem(HTTPException):
    """Ends a request. The detail is for the person who made it: the field, the value, what was expected."""


def problem_response(request: Request, error: Exception) -> JSONResponse:
    """Return the response for an error; one that nobody expected says nothing of what is inside."""
    if isinstance(error, HTTPException):
        return _response(error.status_code, error.detail, error.headers)
    return _response(HTTPStatus.INTERNAL_SERVER_ERROR, "timewright failed; its log tells why", None)


def _response(status: int, detail: str, headers: Mapping[str, str] | None) -> JSONResponse:
    title = HTTPStatus(status).phrase
    document = {"type": "about:blank", "title": title, "status": int(status)}
    if detail and detail != title:
        document["detail"] = detail
    return JSONResponse(document, status, headers, media_type=MEDIA_TYPE)
