"""The door for HTTP: an ASGI application that runs a schedule. It needs `timewright[serve]`."""

from timewright.triggers.http.application import asgi_app

__all__ = ["asgi_app"]
