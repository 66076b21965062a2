"""Our own read-only FHIR endpoint: plans and risks stay readable whatever the EHR takes of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connector.fhir.identity import canonical_json
from connector.fhir.resource import short_reference
from connector.fhir.serve import SERVED_KINDS, Kept, answered, carries, retracted, shelved, wanted_id
from connector.fhir.serve_statement import served_statement

Resource = dict[str, Any]
_FHIR_JSON = "application/fhir+json"
_EVERY_METHOD = ("GET", "POST", "PUT", "PATCH", "DELETE")
_LARGEST_FORM_BYTES = 16 * 1024


class Shelf(Protocol):
    """The FHIR documents that we made."""

    def case_of(self, resource_id: str) -> str | None:
        """The case that a resource of ours belongs to, None when we never made it."""

    def cases_of_record(self, record_reference: str) -> Sequence[str]:
        """The cases whose patient has this reference in the EHR."""

    def documents_of(self, case_ref: str) -> Sequence[tuple[bytes, float, bool]]:
        """The case's FHIR documents, oldest first: content, when made, whether their study is a wrong patient's."""

    def results_of(self, case_ref: str) -> Sequence[Resource]:
        """Laboratory results that are kept here for the case, with their subject."""


class _Answer(Exception):
    """A request that is answered with this status and reason."""

    def __init__(self, status: int, code: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.code = code


class _Door:
    """Answers reads and searches."""

    def __init__(self, shelf: Shelf, *, ehr_url: str, viewed: Callable[[str, str], None]) -> None:
        self._shelf = shelf
        self._ehr_url = ehr_url.rstrip("/")
        self._viewed = viewed

    def read(self, kind: str, resource_id: str) -> Resource:
        """One resource by its id."""
        case_ref = self._shelf.case_of(resource_id)
        held = self._held(case_ref, with_retracted=True) if case_ref else {}
        place = f"{kind}/{resource_id}"
        if case_ref is None or place not in held:
            raise _Answer(404, "not-found", f"no {kind} of ours has this id")
        self._viewed(place, case_ref)
        return answered(held[place], ours=held, ehr_url=self._ehr_url)

    def search(self, kind: str, parameters: Sequence[tuple[str, str]]) -> list[Resource]:
        """Resources that meet every parameter; a patient, an identifier or an id is needed."""
        given = [(name, value) for name, value in parameters if name in _FILTERS and value]
        if not given:
            raise _Answer(400, "required", f"name one of {', '.join(_FILTERS)}: nothing is listed without")
        cases = [set(self._cases(kind, name, value)) for name, value in given]
        # Who names a resource is told that it is entered in error; nobody who lists a patient's finds it there.
        is_named = any(name in ("_id", "identifier") for name, _ in given)
        found = []
        for case_ref in sorted(set.intersection(*cases)):
            held = self._held(case_ref, with_retracted=is_named)
            met = [one for one in held.values() if one["resourceType"] == kind and self._meets(one, given)]
            if met:
                self._viewed(kind, case_ref)
            found += [answered(one, ours=held, ehr_url=self._ehr_url) for one in met]
        return found

    def _cases(self, kind: str, name: str, value: str) -> Iterable[str]:
        if name in ("patient", "subject"):
            return self._shelf.cases_of_record(self._patient(value))
        ids = value.split(",") if name == "_id" else [wanted_id(kind, token) for token in value.split(",")]
        return [case for one in ids if one and (case := self._shelf.case_of(one))]

    def _meets(self, resource: Resource, given: Sequence[tuple[str, str]]) -> bool:
        for name, value in given:
            if name == "_id" and resource["id"] not in value.split(","):
                return False
            if name == "identifier" and not any(carries(resource, token) for token in value.split(",")):
                return False
        return True

    def _patient(self, value: str) -> str:
        """`Patient/17` from an id, a reference or an address in the EHR; a patient of another server is nobody."""
        if "://" in value:
            return short_reference(value) if value.startswith(f"{self._ehr_url}/") else ""
        return value if value.startswith("Patient/") else f"Patient/{value}"

    def _held(self, case_ref: str, *, with_retracted: bool) -> dict[str, Resource]:
        documents = [Kept(*one) for one in self._shelf.documents_of(case_ref)]
        held = shelved(documents)
        held |= {f"Observation/{one['id']}": dict(one) for one in self._shelf.results_of(case_ref)}
        return {**retracted(documents, held), **held} if with_retracted else held


_FILTERS = ("_id", "identifier", "patient", "subject")


def serve_routes(
    shelf: Shelf, *, ehr_url: str, authorise: Callable[[Request], bool], viewed: Callable[[str, str], None]
) -> list[Route]:
    """
    Make the routes below `/fhir`; a POST to `_search` keeps what is searched for out of addresses and proxies' logs.

    `authorise` decides on each request but `/fhir/metadata`, which tells of nobody. `viewed` is told what was read of
    which case, for the audit trail.
    """
    door = _Door(shelf, ehr_url=ehr_url, viewed=viewed)

    async def metadata(request: Request) -> Response:
        return _answer(200, served_statement(f"{request.base_url}fhir"))

    async def read(request: Request) -> Response:
        kind, resource_id = request.path_params["kind"], request.path_params["id"]
        return await _guarded(request, lambda: door.read(_kind(kind), resource_id))

    async def search(request: Request) -> Response:
        kind, asked = request.path_params["kind"], list(request.query_params.multi_items())
        if request.method == "POST":
            if int(request.headers.get("content-length") or _LARGEST_FORM_BYTES + 1) > _LARGEST_FORM_BYTES:
                return _problem(_Answer(413, "too-long", "send a form of at most 16 kB with its length"))
            asked += [(name, str(value)) for name, value in (await request.form()).multi_items()]
        return await _guarded(request, lambda: _searchset(request, kind, door.search(_kind(kind), asked)))

    async def _guarded(request: Request, act: Callable[[], Mapping[str, Any]]) -> Response:
        if not authorise(request):
            refusal = _problem(_Answer(401, "login", "send the token of this endpoint as a bearer token"))
            refusal.headers["WWW-Authenticate"] = "Bearer"
            return refusal
        try:
            return _answer(200, await run_in_threadpool(act))
        except _Answer as fault:
            return _problem(fault)

    return [
        Route("/fhir/metadata", metadata),
        Route("/fhir/{kind}", search),
        Route("/fhir/{kind}/_search", search, methods=["POST"]),
        Route("/fhir/{kind}/{id}", read),
        # A client of FHIR is answered in FHIR, whatever it asks.
        *(Route(path, _anything_else, methods=_EVERY_METHOD) for path in ("/fhir", "/fhir/{rest:path}")),
    ]


async def _anything_else(request: Request) -> Response:
    if request.method in ("GET", "HEAD"):
        return _problem(_Answer(404, "not-supported", "read Type/id or search Type here: GET /fhir/metadata tells"))
    refusal = _problem(_Answer(405, "not-supported", "this endpoint is read-only: nothing is written here"))
    refusal.headers["Allow"] = "GET, HEAD"
    return refusal


def _kind(name: str) -> str:
    if name not in SERVED_KINDS:
        raise _Answer(404, "not-supported", f"only {', '.join(SERVED_KINDS)} are served")
    return name


def _searchset(request: Request, kind: str, found: Sequence[Resource]) -> Resource:
    base = f"{request.base_url}fhir/{kind}"
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(found),
        # Without what was searched for: an address with a patient in it would be copied and logged.
        "link": [{"relation": "self", "url": base}],
        "entry": [
            {"fullUrl": f"{base}/{one['id']}", "resource": one, "search": {"mode": "match"}} for one in found
        ],
    }  # fmt: skip


def _problem(fault: _Answer) -> Response:
    issue = {"severity": "error", "code": fault.code, "diagnostics": str(fault)}
    return _answer(fault.status, {"resourceType": "OperationOutcome", "issue": [issue]})


def _answer(status: int, resource: Mapping[str, Any]) -> Response:
    held = {name: value for name, value in resource.items() if value not in ([], {})}
    headers = {"Cache-Control": "no-store"}
    meta = resource.get("meta", {})
    if "versionId" in meta:
        headers["ETag"] = f'W/"{meta["versionId"]}"'
    return Response(canonical_json(held), status_code=status, headers=headers, media_type=_FHIR_JSON)
