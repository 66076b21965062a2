"""The HTTP door: health, readiness and metrics; the rooms' own doors and the console are mounted beside them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, request_response
from starlette.types import ASGIApp

from connector import __version__
from connector.web.access import Guard, is_local

Check = Callable[[], str | None]


def make_web(
    *,
    checks: Mapping[str, Check],
    doors: Sequence[BaseRoute],
    console_token: str,
    registry: CollectorRegistry,
    console: ASGIApp,
    is_local: Callable[[Request], bool] = is_local,
) -> Starlette:
    """Build the ASGI application; `checks` return None when well, else a sentence for the operator."""

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok", "version": __version__})

    async def readyz(_: Request) -> Response:
        results = {name: await run_in_threadpool(check) for name, check in checks.items()}
        ready = not any(results.values())
        shown = {name: reason or "ok" for name, reason in results.items()}
        return JSONResponse(shown, status_code=200 if ready else 503)

    async def metrics(_: Request) -> Response:
        return Response(await run_in_threadpool(generate_latest, registry), media_type="text/plain; version=0.0.4")

    def guarded(path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
        return Route(path, Guard(request_response(endpoint), token=console_token, is_local=is_local), methods=["GET"])

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            *doors,
            guarded("/metrics", metrics),
            guarded("/readyz", readyz),
            Mount("/", console),
        ],
    )
