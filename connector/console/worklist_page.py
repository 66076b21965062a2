"""The first page: every case or study with its state, age and reason, found, filtered, in order, a page at a time."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connector.console import wording
from connector.console.addresses import Addresses
from connector.console.glance import Glance
from connector.console.site import Site, person_of
from connector.report import words
from connector.store.worklist import GROUPS, ORDERS, STATES, Wanted

_NAMES_KEPT = 2000
_LONGEST_SEARCH = 64  # a UID
ORDER_NAMES = {"newest": "Newest first", "oldest": "Oldest first", "case": "By case"}


def routes(site: Site) -> list[Route]:
    """The worklist."""
    patients = _Patients(site)

    async def worklist(request: Request) -> Response:
        wanted = _wanted(request, site.addresses)
        page = await run_in_threadpool(site.worklist.page, wanted)
        person, cases = person_of(request), [row["case_ref"] for row in page.rows]
        glances = await run_in_threadpool(site.newest.of_cases, cases) if person.is_clinical else {}
        shown = glances if wanted.view == "cases" else {}
        names = await run_in_threadpool(patients.of, page.rows, person.name, shown) if person.sees_identity else {}
        counts = await run_in_threadpool(site.worklist.counts)
        return await run_in_threadpool(
            site.page, request, "worklist.html", wanted=wanted, page=page, order_names=ORDER_NAMES,
            groups=[(name, text, _count(counts, name)) for name, text in wording.GROUPS.items()],
            link=_link(wanted, site.addresses), glances=glances, names=names,
        )  # fmt: skip

    async def find(request: Request) -> Response:
        fields = await site.form(request)
        asked = {name: fields.get(name, "") for name in ("view", "state", "order")}
        asked["find"] = site.addresses.seal(fields.get("find", "").strip()[:_LONGEST_SEARCH])
        return RedirectResponse(_link(_wanted_of(asked, site.addresses), site.addresses)(), status_code=303)

    return [Route("/", worklist), Route("/find", find, methods=["POST"])]


class _Patients:
    """Whom each row is of, for those who may know; read from the images once, and written down who saw it."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._known: OrderedDict[tuple[str, float], tuple[str, str] | None] = OrderedDict()

    def of(
        self, rows: Sequence[dict[str, Any]], who: str, glances: Mapping[str, Glance | None]
    ) -> dict[str, tuple[str, str] | None]:
        """
        Study Instance UID of each row → name and birth date; None for images that cannot be read.

        Beside a glance stands whom its own images name: a newer study may wait just because it names somebody else.
        """
        self._site.logbook.note_looks("identity_shown", actor=who, case_refs=[row["case_ref"] for row in rows])
        return {row["study_instance_uid"]: self._name(row, glances.get(row["case_ref"])) for row in rows}

    def _name(self, row: dict[str, Any], glance: Glance | None) -> tuple[str, str] | None:
        study = glance.study_instance_uid if glance else row["study_instance_uid"]
        key = (study, row["last_received_at"])
        if key not in self._known:
            identity = self._site.studies.identity(study)
            self._known[key] = (words.full_name(identity), words.day(identity.birth_date)) if identity else None
            while len(self._known) > _NAMES_KEPT:
                self._known.popitem(last=False)
        return self._known[key]


def _wanted(request: Request, addresses: Addresses) -> Wanted:
    return _wanted_of(request.query_params, addresses)


def _wanted_of(asked: Mapping[str, str], addresses: Addresses) -> Wanted:
    """What the address asks for; a word that means nothing asks for everything."""
    state, order, view = asked.get("state", ""), asked.get("order", ""), asked.get("view", "")
    return Wanted(
        view=view if view in ("cases", "studies") else "cases",
        state=state if state in GROUPS or state in STATES else "",
        find=addresses.opened(asked.get("find", "")),
        order=order if order in ORDERS else "newest",
        after=addresses.opened(asked.get("after", "")),
    )


def _count(counts: dict[str, int], group: str) -> int:
    return sum(counts.values()) if not group else sum(counts.get(state, 0) for state in GROUPS[group])


class _link:  # noqa: N801 - called like a function in the template
    """The address of the same list with something changed."""

    def __init__(self, wanted: Wanted, addresses: Addresses) -> None:
        self._addresses = addresses
        self._now = {"view": wanted.view, "state": wanted.state, "find": wanted.find, "order": wanted.order}

    def __call__(self, **changed: str) -> str:
        defaults = {"view": "cases", "order": "newest"}
        parts = {key: value for key, value in (self._now | changed).items() if value and defaults.get(key) != value}
        parts |= {key: self._addresses.seal(parts[key]) for key in ("find", "after") if key in parts}
        return f"/?{urlencode(parts)}" if parts else "/"
