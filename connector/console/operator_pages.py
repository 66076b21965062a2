"""Pages of the operator: stopped steps, the settings as understood, and the logbook of who did and saw what."""

from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connector.console.site import Site, person_of, require
from connector.store.logbook import Asked

_ROLES = "This page is for operators: ask one, or have the role given to you."
_LONGEST = 255


def routes(site: Site) -> list[Route]:
    """Stopped steps, settings, logbook."""

    async def steps(request: Request) -> Response:
        require(person_of(request).is_operator, _ROLES)
        stopped = await run_in_threadpool(site.worklist.stopped)
        return await run_in_threadpool(
            site.page, request, "steps.html", stopped=stopped, done="done" in request.query_params
        )

    async def settings(request: Request) -> Response:
        require(person_of(request).is_operator, _ROLES)
        health = {name: await run_in_threadpool(check) for name, check in site.checks.items()}
        return await run_in_threadpool(
            site.page, request, "settings.html", settings=site.settings, health=health,
            accounts=await run_in_threadpool(site.accounts.all),
        )  # fmt: skip

    async def logbook(request: Request) -> Response:
        require(person_of(request).is_operator, _ROLES)
        asked = _asked(request)
        events, before = await run_in_threadpool(site.logbook.events, asked)
        following = {
            "kind": asked.kind,
            "actor": asked.actor,
            "ref": asked.ref,
            "who": "" if asked.people_only else "all",
        }
        return await run_in_threadpool(
            site.page, request, "logbook.html", asked=asked, events=events,
            kinds=await run_in_threadpool(site.logbook.kinds),
            next=None if before is None else "/logbook?" + urlencode({**following, "before": before}),
        )  # fmt: skip

    return [Route("/steps", steps), Route("/settings", settings), Route("/logbook", logbook)]


def _asked(request: Request) -> Asked:
    asked = request.query_params
    before = asked.get("before", "")

    def text(name: str) -> str:
        return asked.get(name, "").strip()[:_LONGEST].replace("\0", "")

    return Asked(
        kind=text("kind"), actor=text("actor"), ref=text("ref"), people_only=asked.get("who", "") != "all",
        before=int(before) if before.isascii() and before.isdecimal() and len(before) < 18 else None,  # noqa: PLR2004 - fits a database's integer
    )  # fmt: skip
