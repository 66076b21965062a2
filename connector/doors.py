"""The doors we open, from the settings: the DICOM and HL7 v2 listeners, and everything that is served over HTTP."""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import BaseRoute

from connector.case_refs import CaseRefs
from connector.console.glance import glance_at
from connector.console.openid import BACK, Provider
from connector.console.pages import make_console
from connector.console.signing import Cookies
from connector.console.site import Site
from connector.core.errors import BadCase
from connector.dicom.receive import Listener
from connector.dicom.receive_commitment import Request as CommitmentRequest
from connector.dicom.receive_stow import stow_routes
from connector.dicom.receive_ups_rs import ups_routes
from connector.dicom.receive_web_other import other_routes
from connector.fhir.cds_clients import CdsClients, parse_issuers, require_pinned
from connector.fhir.cds_feedback import reasons_in_words
from connector.fhir.cds_hooks import CdsDoor, cds_routes
from connector.fhir.identity import canonical_json
from connector.fhir.notices import Heard
from connector.fhir.read_record import is_read
from connector.fhir.receive_hook import hook_route
from connector.fhir.serve_door import Shelf, serve_routes
from connector.fhir.signing_keys import jwks_route
from connector.fhir.used_tokens import UsedInMemory, UsedInRedis
from connector.hl7v2.intake import Intake, Policy
from connector.hl7v2.listen import MllpListener
from connector.hl7v2.results import ResultReading, parse_local_codes
from connector.neighbours import published_keys, server_tls, usual_tls
from connector.operation import accounts_of
from connector.ports import Memory, StepBook
from connector.settings import Settings, in_force
from connector.shown import StudyFiles
from connector.store.acts import Acts
from connector.store.cards import CardShelf
from connector.store.commitments import Commitments
from connector.store.contradicting import Contradicting
from connector.store.desk import Desk
from connector.store.figures import LedgerFigures
from connector.store.inbox import SqlInbox
from connector.store.ledger import SqlLedger
from connector.store.logbook import Logbook
from connector.store.messages import MessageBook
from connector.store.newest import Newest
from connector.store.promises import Promise, Promises
from connector.store.unanswered import Unanswered
from connector.store.worklist import Worklist
from connector.web.access import bearer_matches, local_callers
from connector.web.metrics import Disk, registry
from connector.web.pages import Check, make_web


def dicom_door(
    settings: Settings,
    *,
    inbox: SqlInbox,
    commitments: Commitments,
    promises: Promises,
    steps: StepBook,
    reuse_port: bool = False,
) -> Listener:
    """The DICOM listener, not started."""

    def keep(peer: str, request: CommitmentRequest) -> None:
        promises.keep(Promise(peer, request.transaction_uid, request.references))

    return Listener(
        inbox=inbox,
        folder=settings.data_dir / "inbox",
        ae_title=settings.ae_title,
        host=settings.dicom_host,
        port=settings.dicom_port,
        allowed_calling_ae_titles=settings.calling_ae_titles,
        maximum_associations=settings.maximum_associations,
        disk_reserve_bytes=settings.disk_reserve_mb * 2**20,
        tls=server_tls(settings),
        offer_commitment=settings.offer_storage_commitment,
        told_later=settings.commitment_peers,
        keep_request=keep,
        on_commitment_result=lambda result: commitments.told(result.committed, result.failed),
        reuse_port=reuse_port,
        steps=steps,
    )


def hl7_door(settings: Settings, *, book: MessageBook, cases: CaseRefs) -> MllpListener | None:
    """The HL7 v2 listener, not started; None when no port is set. Raises BadCase."""
    if settings.hl7_port is None:
        return None
    if settings.hl7_tls and settings.tls_certificate_file is None:
        raise BadCase("CONNECTOR_TLS_CERTIFICATE_FILE", None, "is needed with CONNECTOR_HL7_TLS: name a PEM")
    try:
        local_codes = parse_local_codes(settings.hl7_local_codes)
    except ValueError as fault:
        raise BadCase("CONNECTOR_HL7_LOCAL_CODES", settings.hl7_local_codes, str(fault)) from None
    policy = Policy(
        allowed=settings.hl7_senders,
        reading=ResultReading(is_read, local_codes, settings.issuers, ZoneInfo(settings.hl7_time_zone)),
        keeps_results=settings.hl7_results == "record",
        charset=settings.hl7_charset,
        case_refs=cases.of_identifiers,
        spell=canonical_json,
    )
    intake = Intake(book, policy, aside=settings.data_dir / "hl7" / "aside")
    return MllpListener(
        intake.answer,
        host=settings.hl7_host,
        port=settings.hl7_port,
        maximum_connections=settings.hl7_maximum_connections,
        tls=server_tls(settings) if settings.hl7_tls else None,
    )


def http_door(
    settings: Settings,
    *,
    on_hint: Callable[[], None],
    ledger: SqlLedger,
    inbox: SqlInbox,
    desk: Desk,
    steps: StepBook,
    shelf: Shelf,
    memory: Memory,
    checks: Mapping[str, Check],
    figures: LedgerFigures,
    key: bytes,
    cards: CardShelf,
    cases: CaseRefs,
) -> Starlette:
    """Everything over HTTP: what has a secret where it is set, public keys, CDS Hooks, health, the console (`key`)."""
    doors: list[BaseRoute] = [
        *_dicomweb(settings, inbox, steps),
        *_hook(settings, desk, memory, on_hint),
        *_fhir(settings, desk, shelf),
        *_keys(settings),
        *_cds(settings, cards, cases),
    ]
    token = settings.console_token.get_secret_value()
    return make_web(
        checks=checks,
        doors=doors,
        console_token=token,
        registry=registry(figures, Disk(settings.data_dir, settings.disk_reserve_mb * 2**20)),
        is_local=_local_callers(settings),
        console=make_console(_site(settings, ledger, checks, key), token=token, provider=_provider(settings)),
    )


def _site(settings: Settings, ledger: SqlLedger, checks: Mapping[str, Check], key: bytes) -> Site:
    feedback = CardShelf(ledger.engine).feedback
    return Site(
        worklist=Worklist(ledger.engine),
        newest=Newest(ledger.engine, glance_at),
        contradicting=Contradicting(ledger.engine),
        logbook=Logbook(ledger.engine, ledger.trail),
        acts=Acts(ledger),
        accounts=accounts_of(settings, ledger),
        cookies=Cookies(key, behind_https=settings.console_url.startswith("https://")),
        studies=StudyFiles(ledger),
        settings=in_force(settings),
        checks=checks,
        is_local=_local_callers(settings),
        made_up_patients=settings.made_up_patients,
        unanswered=Unanswered(ledger.engine).look,
        waiting_messages=MessageBook(ledger).waiting,
        card_feedback=lambda: reasons_in_words(feedback()),
        ehr_way=Desk(ledger).ehr_way,
        openid_name=urlsplit(settings.oidc_issuer).hostname or "",
    )


def _local_callers(settings: Settings) -> Callable[[Request], bool]:
    return local_callers(settings.console_url, settings.public_url)


def _provider(settings: Settings) -> Provider | None:
    if not settings.oidc_issuer:
        return None
    return Provider(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value(),
        scope=settings.oidc_scope,
        name_claim=settings.oidc_name_claim,
        role_claim=settings.oidc_role_claim,
        roles_of_groups=settings.roles_of_groups,
        back_url=settings.console_url.rstrip("/") + BACK if settings.console_url else "",
        tls=usual_tls(),
    )


def _dicomweb(settings: Settings, inbox: SqlInbox, steps: StepBook) -> list[BaseRoute]:
    clients = settings.dicomweb_clients
    if not clients:
        return []

    def authorise(request: Request) -> str | None:
        return next((name for token, name in clients.items() if bearer_matches(request, token)), None)

    offered = [
        *stow_routes(
            inbox,
            settings.data_dir / "inbox",
            authorise=authorise,
            disk_reserve_bytes=settings.disk_reserve_mb * 2**20,
        ),
        *ups_routes(steps, authorise=authorise),
    ]
    return [*offered, *other_routes(offered, authorise=authorise)]


def _hook(settings: Settings, desk: Desk, memory: Memory, on_hint: Callable[[], None]) -> list[BaseRoute]:
    secret = settings.hook_secret.get_secret_value()
    heard = Heard(memory)

    def hint(body: bytes) -> None:
        if heard.notice(body):
            desk.look_now()
            on_hint()

    return [hook_route(secret=secret, hint=hint)] if secret else []


def _fhir(settings: Settings, desk: Desk, shelf: Shelf) -> list[BaseRoute]:
    token = settings.fhir_token.get_secret_value()
    if not token:
        return []
    return [
        *serve_routes(
            shelf,
            ehr_url=settings.ehr_url,
            authorise=lambda request: bearer_matches(request, token),
            viewed=lambda place, case_ref: desk.audit(kind="viewed", ref=place, case_ref=case_ref, actor="FHIR client"),
        )
    ]


def _keys(settings: Settings) -> list[BaseRoute]:
    published = published_keys(settings)
    return [jwks_route(published)] if published else []


def _cds(settings: Settings, cards: CardShelf, cases: CaseRefs) -> list[BaseRoute]:
    issuers = parse_issuers(settings.cds_issuers)
    for place in issuers.values():
        require_pinned(place)
    public_url = settings.public_url or settings.console_url
    if issuers and not public_url:
        raise BadCase("CONNECTOR_PUBLIC_URL", "", "is needed with CONNECTOR_CDS_ISSUERS: tokens are made for it")
    used = UsedInRedis(settings.broker_url) if settings.broker_url.startswith("redis") else UsedInMemory()
    door = CdsDoor(
        cards,
        clients=CdsClients(issuers, used=used, tls=usual_tls()) if issuers else None,
        is_local=_local_callers(settings),
        public_url=public_url,
        fhir_servers=[url for url in (settings.ehr_url, *_listed(settings.cds_fhir_servers)) if url],
        case_refs=cases.of_identifiers,
    )
    return cds_routes(door, origins=_listed(settings.cds_origins))


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
