"""`/healthz` and `/readyz` for the kubelet, `/metrics` for Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


@asynccontextmanager
async def serve(
    probes_port: int, metrics_port: int, healthy: Callable[[], str | None], ready: Callable[[], str | None]
) -> AsyncIterator[None]:
    """Serve on every interface for as long as the context lasts. The callables tell what is wrong, if anything is."""

    def probe(ask: Callable[[], str | None]) -> Callable[[web.Request], object]:
        async def answer(_: web.Request) -> web.Response:
            wrong = ask()
            return web.Response(text="ok\n") if wrong is None else web.Response(status=503, text=f"{wrong}\n")

        return answer

    async def metrics(_: web.Request) -> web.Response:
        # In a thread, so that a scrape of thousands of figures keeps no run from its start.
        text = await asyncio.to_thread(generate_latest)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    probes, told = web.Application(), web.Application()
    probes.router.add_get("/healthz", probe(healthy))  # type: ignore[arg-type]
    probes.router.add_get("/readyz", probe(ready))  # type: ignore[arg-type]
    told.router.add_get("/metrics", metrics)
    runners = [web.AppRunner(each, access_log=None) for each in (probes, told)]
    try:
        for runner, port in zip(runners, (probes_port, metrics_port), strict=True):
            await runner.setup()
            await web.TCPSite(runner, None, port).start()
        yield
    finally:
        for runner in runners:
            await runner.cleanup()
