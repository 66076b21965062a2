"""The console as one ASGI application: every page mounted behind the entrance, and every failure a page."""

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from connector.console import (
    case_page,
    messages_page,
    openid,
    operator_pages,
    resolving,
    sign_in,
    viewer,
    worklist_page,
)
from connector.console.entrance import Entrance
from connector.console.site import HERE, Site
from connector.logs import get_logger

log = get_logger("console")
_TITLES = {
    400: "The request cannot be used", 403: "Not allowed", 404: "Not found", 405: "Not possible this way",
    413: "Too large", 503: "Not now",
}  # fmt: skip
_STATIC = {"console.css": "text/css", "console.js": "text/javascript", "icon.svg": "image/svg+xml"}
_A_DAY = {"Cache-Control": "max-age=86400"}


def make_console(site: Site, *, token: str, provider: openid.Provider | None = None) -> ASGIApp:
    """All pages; `token` is the console token of machines, `provider` the way to sign in besides local passwords."""
    routes = [
        *worklist_page.routes(site), *case_page.routes(site), *viewer.routes(site), *resolving.routes(site),
        *operator_pages.routes(site), *messages_page.routes(site), *sign_in.routes(site), *map(_static, _STATIC),
    ]  # fmt: skip
    if provider is not None:
        routes += openid.routes(site, provider, site.cookies.key)

    async def refused(request: Request, fault: Exception) -> Response:
        status, text = (fault.status_code, fault.detail) if isinstance(fault, HTTPException) else (500, "")
        title = _TITLES.get(status, "Not possible")
        return await run_in_threadpool(site.refuse, request, status=status, title=title, text=text)

    async def failed(request: Request, fault: Exception) -> Response:
        log.error("page_failed", exception_type=type(fault).__name__, route=request.url.path.split("/")[1])
        text = "Something failed that is not your fault. It was written down; try again, or tell an operator."
        return await run_in_threadpool(site.refuse, request, status=500, title="The page failed", text=text)

    app = Starlette(routes=routes, exception_handlers={HTTPException: refused, Exception: failed})
    return Entrance(app, site=site, token=token)


def _static(name: str) -> Route:
    async def file(_: Request) -> Response:
        return FileResponse(HERE / "static" / name, media_type=_STATIC[name], headers=_A_DAY)

    return Route(f"/{name}", file)
