"""An application of its own that has the schedule at /schedule. TIMEWRIGHT_SERVE_TOKEN says who may call it.

uvicorn application:app
"""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from timewright.triggers.http import asgi_app


async def home(request: Request) -> PlainTextResponse:
    """Greet."""
    return PlainTextResponse("Welcome to the shop.")


app = Starlette(routes=[Route("/", home), Mount("/schedule", asgi_app("shop:schedule"))])
