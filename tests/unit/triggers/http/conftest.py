"""A client of the application, without a network between them."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest

from timewright import Schedule
from timewright.triggers.http import asgi_app

TOKEN = "a-token-of-this-test-1234"
BEARER = {"Authorization": f"Bearer {TOKEN}"}

Clients = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def clients(schedule: Schedule) -> Clients:
    """Return a function that opens a client of an application with the given options."""

    @asynccontextmanager
    async def client(
        of: Schedule | None = None, headers: dict[str, str] = BEARER, **options: Any
    ) -> AsyncIterator[httpx.AsyncClient]:
        application = asgi_app(of or schedule, **{"token": TOKEN, **options})
        transport = httpx.ASGITransport(application, raise_app_exceptions=False)
        async with (
            application.router.lifespan_context(application),
            httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as made,
        ):
            yield made

    return client


@pytest.fixture
async def client(clients: Clients) -> AsyncIterator[httpx.AsyncClient]:
    async with clients() as made:
        yield made
