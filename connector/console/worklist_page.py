"""The first page: every case or study with its state, age and reason, found, filtered, in order, a page at a time."""

from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connector.console import wording
from connector.console.site import Site
from connector.store.worklist import GROUPS, ORDERS, STATES, Wanted

_LONGEST_SEARCH = 64  # a UID
ORDER_NAMES = {"newest": "Newest first", "oldest": "Oldest first", "case": "By case"}


def routes(site: Site) -> list[Route]:
    """The worklist."""

    async def worklist(request: Request) -> Response:
        wanted = _wanted(request)
        page = await run_in_threadpool(site.worklist.page, wanted)
        counts = await run_in_threadpool(site.worklist.counts)
        return await run_in_threadpool(
            site.page, request, "worklist.html", wanted=wanted, page=page, order_names=ORDER_NAMES,
            groups=[(name, text, _count(counts, name)) for name, text in wording.GROUPS.items()],
            link=_link(wanted),
        )  # fmt: skip

    return [Route("/", worklist)]


def _wanted(request: Request) -> Wanted:
    """What the address asks for; a word that means nothing asks for everything."""
    asked = request.query_params
    state, order, view = asked.get("state", ""), asked.get("order", ""), asked.get("view", "")
    return Wanted(
        view=view if view in ("cases", "studies") else "cases",
        state=state if state in GROUPS or state in STATES else "",
        find=asked.get("find", "").strip()[:_LONGEST_SEARCH].replace("\0", ""),
        order=order if order in ORDERS else "newest",
        after=asked.get("after", "")[: 2 * _LONGEST_SEARCH + 1].replace("\0", ""),
    )


def _count(counts: dict[str, int], group: str) -> int:
    return sum(counts.values()) if not group else sum(counts.get(state, 0) for state in GROUPS[group])


class _link:  # noqa: N801 - called like a function in the template
    """The address of the same list with something changed."""

    def __init__(self, wanted: Wanted) -> None:
        self._now = {"view": wanted.view, "state": wanted.state, "find": wanted.find, "order": wanted.order}

    def __call__(self, **changed: str) -> str:
        defaults = {"view": "cases", "order": "newest"}
        parts = {key: value for key, value in (self._now | changed).items() if value and defaults.get(key) != value}
        return f"/?{urlencode(parts)}" if parts else "/"
