"""Pages of the operator: stopped steps, the settings as understood, and the logbook of who did and saw what."""

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
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
        count, unanswered = await run_in_threadpool(site.unanswered)
        return await run_in_threadpool(
            site.page, request, "steps.html", stopped=stopped, unanswered=unanswered, unanswered_count=count,
            done=request.query_params.get("done"),
        )  # fmt: skip

    async def settings(request: Request) -> Response:
        require(person_of(request).is_operator, _ROLES)
        health = {name: await run_in_threadpool(check) for name, check in site.checks.items()}
        return await run_in_threadpool(
            site.page, request, "settings.html", settings=site.settings, health=health,
            accounts=await run_in_threadpool(site.accounts.all), ehr=await run_in_threadpool(site.ehr_way),
        )  # fmt: skip

    async def logbook(request: Request) -> Response:
        require(person_of(request).is_operator, _ROLES)
        if request.method == "POST":
            fields = await site.form(request)
            return RedirectResponse(_address(_asked(fields, fields.get("ref", "")), site), status_code=303)
        asked = _asked(request.query_params, site.addresses.opened(request.query_params.get("ref", "")))
        events, before = await run_in_threadpool(site.logbook.events, asked)
        return await run_in_threadpool(
            site.page, request, "logbook.html", asked=asked, events=events,
            kinds=await run_in_threadpool(site.logbook.kinds),
            next=None if before is None else _address(replace(asked, before=before), site),
        )  # fmt: skip

    return [Route("/steps", steps), Route("/settings", settings), Route("/logbook", logbook, methods=["GET", "POST"])]


def _address(asked: Asked, site: Site) -> str:
    """The page with these events; what they are about may name a patient, and is sealed."""
    who, before = "" if asked.people_only else "all", "" if asked.before is None else str(asked.before)
    parts = {"kind": asked.kind, "actor": asked.actor, "ref": site.addresses.seal(asked.ref), "who": who}
    parts = {name: value for name, value in {**parts, "before": before}.items() if value}
    return f"/logbook?{urlencode(parts)}" if parts else "/logbook"


def _asked(asked: Mapping[str, str], ref: str) -> Asked:
    before = asked.get("before", "")

    def text(said: str) -> str:
        return said.strip()[:_LONGEST].replace("\0", "")

    return Asked(
        kind=text(asked.get("kind", "")),
        actor=text(asked.get("actor", "")),
        ref=text(ref),
        people_only=asked.get("who", "") != "all",
        before=int(before) if before.isascii() and before.isdecimal() and len(before) < 18 else None,  # noqa: PLR2004 - fits a database's integer
    )
