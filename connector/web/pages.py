"""The HTTP door: health, readiness, metrics and the console page; the rooms' own doors are mounted beside them."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from jinja2 import Environment, FileSystemLoader
from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from connector import __version__
from connector.web.access import Guard

Check = Callable[[], str | None]


class StatusDesk(Protocol):
    """What the pages show."""

    def status(self, limit: int = 50) -> dict[str, Any]:
        """Counts, what waits for a person, and the newest events."""

    def documents(self, limit: int = 500) -> list[dict[str, Any]]:
        """The newest documents."""


def make_web(
    *,
    desk: StatusDesk,
    checks: Mapping[str, Check],
    doors: Sequence[BaseRoute],
    console_token: str,
    registry: CollectorRegistry,
) -> Starlette:
    """Build the ASGI application; `checks` return None when well, else a sentence for the operator."""
    templates = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)
    templates.filters["clock"] = lambda at: datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S") if at else ""

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok", "version": __version__})

    async def readyz(_: Request) -> Response:
        results = {name: await run_in_threadpool(check) for name, check in checks.items()}
        ready = not any(results.values())
        shown = {name: reason or "ok" for name, reason in results.items()}
        return JSONResponse(shown, status_code=200 if ready else 503)

    async def metrics(_: Request) -> Response:
        return Response(await run_in_threadpool(generate_latest, registry), media_type="text/plain; version=0.0.4")

    async def console(_: Request) -> Response:
        status = await run_in_threadpool(desk.status)
        documents = await run_in_threadpool(desk.documents, 100)
        nonce = secrets.token_urlsafe(16)
        page = templates.get_template("console.html").render(
            status=status, documents=documents, version=__version__, nonce=nonce
        )
        policy = f"default-src 'none'; style-src 'nonce-{nonce}'; frame-ancestors 'none'; base-uri 'none'"
        return HTMLResponse(page, headers={"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"})

    guarded = Starlette(
        routes=[Route("/metrics", metrics), Route("/readyz", readyz), Route("/", console)],
    )
    return Starlette(
        routes=[Route("/healthz", healthz), *doors, Mount("/", Guard(guarded, token=console_token))],
    )
