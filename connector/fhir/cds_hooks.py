"""The CDS Hooks 2.0 door: the EHR asks about the patient on the screen, and is answered with cards made beforehand."""

import asyncio
import re
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from connector.core.case import Identifier
from connector.core.errors import TryLater
from connector.fhir.cds_clients import CdsClients, KeysAwaited, NotTrusted
from connector.fhir.cds_feedback import NotFeedback, read_feedback
from connector.fhir.cds_request import NOT_KEPT, Fault, asked, content_of, json_answer, parsed
from connector.fhir.cds_views import View, Views
from connector.fhir.read_patient import read_identity
from connector.fhir.resource import Json, items
from connector.logs import get_logger
from connector.ports import CardAnswer, ShelvedCard

log = get_logger("cds-hooks")

PATH = "/cds-services"
RETRY = {"Retry-After": "30"}
Answered = TypeVar("Answered")
_LONGEST_NOTING_SECONDS = 5.0  # for the audit trail; an EHR does not wait much longer for its cards
_LONGEST_FETCH_SECONDS = 7.0  # for an issuer's keys: longer than its silence is borne, after which old ones stay good
_REFERENCE = re.compile(r"[A-Za-z]{1,64}/[A-Za-z0-9\-.]{1,64}")


@dataclass(frozen=True, slots=True)
class Service:
    """What one service is for; `prefetch` names what the EHR sends along."""

    id: str
    hook: str
    title: str
    description: str
    usage: str


SERVICES = (
    Service(
        "thyroid-metastases-patient-view",
        "patient-view",
        "Metastases of thyroid cancer: draft for the tumour board",
        "Shows the newest assessment of the patient's images and record: response, options with their rules, what is "
        "missing. A draft by software, to be decided by the tumour board.",
        "Answers for patients whose images were assessed; the list of cards is empty for everybody else.",
    ),
    Service(
        "thyroid-metastases-order-select",
        "order-select",
        "Metastases of thyroid cancer: what the draft says about this order",
        "When a selected order names a treatment that was assessed, shows what the draft for the tumour board says "
        "about it. Other orders get no card.",
        "Treatments are known by their codes (SNOMED CT, CPT, ATC, ours); see the conformance statement.",
    ),
)
# The patient of the chart, so that an id never has to be believed alone.
PREFETCH = {"patient": "Patient/{{context.patientId}}"}


class Shelf(Protocol):
    """Where cards lie and feedback goes."""

    def cards(self, record_reference: str, about: Collection[str]) -> Sequence[ShelvedCard]:
        """The newest cards of a patient about these things."""

    def note_feedback(self, answers: Sequence[CardAnswer]) -> int:
        """Keep feedback; how much of it was about cards of ours."""

    def note_views(self, views: Sequence[View], opened: Sequence[str]) -> None:
        """Write down who saw cards of which cases, and have the records of the opened charts looked at for news."""


class CdsDoor:
    """Discovery, the services and their feedback."""

    def __init__(
        self,
        shelf: Shelf,
        *,
        clients: CdsClients | None,
        is_local: Callable[[Request], bool],
        public_url: str,
        fhir_servers: Collection[str],
        case_refs: Callable[[Sequence[Identifier]], Collection[str]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        `clients` checks the EHR's tokens; without it only callers on this machine are answered.

        `fhir_servers` are the base URLs by which the EHR may name its FHIR server, `case_refs` turns a patient's
        identifiers into the opaque cases that they may be.
        """
        self._shelf = shelf
        self._clients = clients
        self._is_local = is_local
        self._public_url = public_url.rstrip("/")
        self._fhir_servers = frozenset(map(_plain_url, fhir_servers))
        self._case_refs = case_refs
        self._views = Views(shelf.note_views, monotonic=monotonic)
        # One thread: a call computes, and holds the interpreter, far longer than it waits for a read of the ledger. Two
        # would only take turns, and each turn delays whoever came first. What takes long has threads elsewhere: an
        # issuer's keys are fetched by `cds_clients`, and who sees a card is written down by `cds_views`.
        self._answering = ThreadPoolExecutor(1, thread_name_prefix="cds-hooks")
        # What is written may have to wait for another writer, and no card waits with it.
        self._keeping = ThreadPoolExecutor(1, thread_name_prefix="cds-feedback")

    async def discovery(self, _: Request) -> Response:
        """`GET /cds-services`: open to all, since it says nothing of anybody."""
        return json_answer(discovery())

    async def call(self, request: Request) -> Response:
        """`POST /cds-services/{id}`."""
        try:
            service = _service(request)
            content = await content_of(request)
            # One turn in a thread does everything: each further one would be a wait of its own under load.
            answer, noted = await _in(self._answering, self._call, request, service, content)
            await _durable(noted)
        except Fault as fault:
            return fault.response
        return answer

    def _call(self, request: Request, service: Service, content: bytes) -> tuple[Response, Future[None] | None]:
        self._admit(request)
        return self._answer(service, parsed(content))

    async def feedback(self, request: Request) -> Response:
        """`POST /cds-services/{id}/feedback`."""
        try:
            _service(request)
            return await _in(self._keeping, self._keep, request, await content_of(request))
        except Fault as fault:
            return fault.response

    def _keep(self, request: Request, content: bytes) -> Response:
        self._admit(request)
        try:
            known = self._shelf.note_feedback(read_feedback(parsed(content)))
        except NotFeedback as fault:
            raise Fault(400, str(fault)) from None
        if not known:
            raise Fault(404, "no card of ours has this uuid")
        return json_answer({})

    def _admit(self, request: Request) -> None:
        """Raise 401 for whoever is not to be answered."""
        if self._clients is not None:
            self._check_token(self._clients, request)
        elif not self._is_local(request):
            raise Fault(401, "set CONNECTOR_CDS_ISSUERS to let an EHR in", {"WWW-Authenticate": "Bearer"})

    def _check_token(self, clients: CdsClients, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Fault(401, "send a signed JWT as bearer token", {"WWW-Authenticate": "Bearer"})
        here = f"{self._public_url}{request.url.path}"
        try:
            clients.check(token.strip(), {here, here.removesuffix("/feedback")})
        except NotTrusted as fault:
            log.warning("cds_client_refused", reason=str(fault))
            raise Fault(401, str(fault), {"WWW-Authenticate": 'Bearer error="invalid_token"'}) from None
        except TryLater as fault:
            raise Fault(503, str(fault), RETRY) from None

    def _answer(self, service: Service, body: Json) -> tuple[Response, Future[None] | None]:
        """The cards, and when they may be shown: None for at once."""
        patient, about = asked(service.hook, body)
        proven = self._identifiers(body, patient)
        if about == frozenset():
            return _cards([]), None
        cards = self._shelf.cards(patient, about)
        if proven is not None:
            fitting = [card for card in cards if card.case_ref in proven]
            if len(fitting) < len(cards):
                log.warning("cds_patient_differs", count=len(cards) - len(fitting))
            cards = fitting
        answer = _cards([card.body for card in cards])
        if not cards:
            return answer, None
        user = str(items(body, "context").get("userId", ""))
        actor = f"EHR user {user if _REFERENCE.fullmatch(user) else '(not named by a reference)'}"
        return answer, self._views.note(
            (service.hook, actor, tuple(sorted({card.case_ref for card in cards}))), patient
        )

    def _identifiers(self, body: Json, patient: str) -> Collection[str] | None:
        """
        The cases that the prefetched patient may be; None when the server named is ours, whose ids are enough.

        Empty when it is another patient. Raises 412 when neither says which patient is meant.
        """
        sent = items(items(body, "prefetch"), "patient")
        if sent.get("resourceType") == "Patient":
            if sent.get("id") not in (None, patient.removeprefix("Patient/")):
                log.warning("cds_patient_differs", reason="the prefetched patient has another id than the context")
                return ()
            identifiers = read_identity(sent).identifiers
            if identifiers:
                return self._case_refs(identifiers)
        server = body.get("fhirServer")
        if isinstance(server, str) and _plain_url(server) in self._fhir_servers:
            return None
        raise Fault(
            412,
            "prefetch `patient` with its identifiers, or name in `fhirServer` the FHIR server that we work with "
            "(CONNECTOR_EHR_URL, CONNECTOR_CDS_FHIR_SERVERS)",
        )


async def _in(threads: ThreadPoolExecutor, work: Callable[..., Answered], *given: Any) -> Answered:
    """Do the work in a thread; while an issuer's keys are fetched for it, it waits in none."""
    loop = asyncio.get_running_loop()
    try:
        return await loop.run_in_executor(threads, work, *given)
    except KeysAwaited as awaited:
        await asyncio.wait([asyncio.wrap_future(awaited.fetch)], timeout=_LONGEST_FETCH_SECONDS)
    try:
        return await loop.run_in_executor(threads, work, *given)
    except KeysAwaited as awaited:
        raise Fault(503, str(awaited), RETRY) from None


async def _durable(noted: Future[None] | None) -> None:
    """Wait, in no thread, until who sees the cards stands in the audit trail; raise 503 when it does not in time."""
    if noted is None or (noted.done() and noted.exception() is None):
        return
    try:
        await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(noted)), _LONGEST_NOTING_SECONDS)
    except (TryLater, TimeoutError) as fault:
        log.warning("cards_withheld", exception_type=type(fault).__name__)
        raise Fault(503, "who sees a card is written down first, and that is not possible now", RETRY) from None


def cds_routes(door: CdsDoor, *, origins: Sequence[str]) -> list[BaseRoute]:
    """Make the routes of the door; `origins` are the browser origins that may call (CORS)."""
    cors = Middleware(
        CORSMiddleware, allow_origins=list(origins), allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type"], max_age=600,
    )  # fmt: skip
    return [
        # A preflight is answered by the middleware, which stands behind the check of the method.
        Route(
            path, endpoint, methods=[method, *(["OPTIONS"] if origins else [])], middleware=[cors] if origins else None
        )
        for path, endpoint, method in (
            (PATH, door.discovery, "GET"),
            (f"{PATH}/{{id}}", door.call, "POST"),
            (f"{PATH}/{{id}}/feedback", door.feedback, "POST"),
        )
    ]


def discovery() -> dict[str, Any]:
    """The answer of the discovery endpoint."""
    return {
        "services": [
            {
                "hook": one.hook, "id": one.id, "title": one.title, "description": one.description,
                "prefetch": PREFETCH, "usageRequirements": one.usage,
            }
            for one in SERVICES
        ]
    }  # fmt: skip


def _service(request: Request) -> Service:
    for service in SERVICES:
        if service.id == request.path_params["id"]:
            return service
    raise Fault(404, f"no such service: GET {PATH} lists them")


def _plain_url(url: str) -> str:
    """A base URL as it is compared: scheme and host in small letters, no slash at the end, no usual port."""
    scheme, _, rest = url.strip().partition("://")
    host, slash, path = rest.partition("/")
    host = host.lower().removesuffix(":443" if scheme.lower() == "https" else ":80")
    return f"{scheme.lower()}://{host}{slash}{path}".rstrip("/")


def _cards(bodies: Sequence[str]) -> Response:
    """The cards as they lie on the shelf: nothing is parsed or built while the EHR waits."""
    content = '{"cards":[' + ",".join(bodies) + "]}"
    return Response(content, media_type="application/json", headers=NOT_KEPT)
