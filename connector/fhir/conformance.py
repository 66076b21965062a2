"""What the FHIR side asks of an EHR and puts into it, read from the registries that it works by."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from connector import __version__
from connector.fhir import identity
from connector.fhir.cds_clients import ALGORITHMS, LONGEST_LIFE_SECONDS
from connector.fhir.cds_hooks import PREFETCH, SERVICES
from connector.fhir.cds_request import LARGEST_BODY_BYTES
from connector.fhir.ehr import STATEMENT_SECONDS
from connector.fhir.ehr_token import ASSERTION_SECONDS
from connector.fhir.ladder import DENIED_SECONDS, WHOLE, Rung
from connector.fhir.profiles import PROFILES, example
from connector.fhir.read_record import READ_TYPES
from connector.fhir.receive import LOOK_BACK_DAYS
from connector.fhir.receive_hook import SECRET_HEADER
from connector.fhir.reconcile import OPEN_STATUS, RETIRED_STATUS
from connector.fhir.serve import SERVED_KINDS
from connector.fhir.serve_statement import searched_by
from connector.fhir.signing_keys import JWKS_PATH
from connector.fhir.subscribe import HEARTBEAT_SECONDS, SILENT_HEARTBEATS
from connector.fhir.vendors import vendors
from connector.fhir.write_card import OVERRIDE_REASONS
from connector.fhir.write_observations import UNVERIFIED

Json = dict[str, Any]
STATED_ON = "2026-11-28"  # the day when what is asked or written last changed; FHIR wants a date


@dataclass(frozen=True, slots=True)
class Need:
    """What one resource type must offer."""

    resource_type: str
    interactions: Sequence[str]
    search: Sequence[str]
    why: str


# Type of each resource written, its status while it is ours, and what names it for life.
WRITTEN = (
    ("Device", "active", "the software in this version"),
    ("BodyStructure", "", "a lesion, by its DICOM tracking UID"),
    ("Observation", UNVERIFIED, "size of a lesion, response of the study, absorbed dose of a region"),
    ("RiskAssessment", "preliminary", "published risks and every input; a changed result is a new resource"),
    ("DetectedIssue", OPEN_STATUS["DetectedIssue"], "a rule that excludes a treatment"),
    ("CarePlan", OPEN_STATUS["CarePlan"], "the proposal of a study, with its ServiceRequests and Goals"),
    ("DocumentReference", "current, preliminary", "the report as PDF, where one is made"),
    ("Communication", "completed", "the same request as a message, where no Task can be made"),
    ("Task", OPEN_STATUS["Task"], "the request that the board reviews a result, intent `proposal`"),
    ("Provenance", "", "appended for each change; it has no identifier in R4"),
)
# Each rung of the ladder, when it is taken, and what is written on it.
_DOCUMENT = "a DocumentReference with the pages and with all resources as a FHIR Bundle"
RUNGS = (
    (Rung.FULL, f"{', '.join(sorted(WHOLE))} can be written", "everything above"),
    (Rung.RESULTS, "one of these can be written", f"what can be, {_DOCUMENT}, and a Task or Communication"),
    (Rung.DOCUMENT, "only DocumentReference can be written", _DOCUMENT),
    (Rung.NOTHING, "none of these can be written", "nothing: the delivery is parked with this sentence"),
)  # fmt: skip
SYSTEMS = (
    (identity.IDENTIFIER_SYSTEM, "identifiers of what we write"),
    (identity.DIGEST_SYSTEM, "`meta.tag`: digest of a resource as we wrote it"),
    (identity.CODE_SYSTEM, "our own codes: responses, rules, risks"),
    (identity.FACT_SYSTEM, "codes of Observations that state a fact by its name (`connector rules`)"),
    (identity.MODALITY_SYSTEM, "treatments in the activities of a CarePlan"),
    (identity.DICOM_UID_SYSTEM, "DICOM UIDs, as `urn:oid:`"),
)
_SEARCH_OF_NEWS = ("_lastUpdated", "date")  # the second where the first is not offered
_SEARCH_TYPES = {"url": "uri", "identifier": "token", "code": "token", "_lastUpdated": "date", "date": "date"}
_SECURITY_SERVICES = "http://terminology.hl7.org/CodeSystem/restful-security-service"


def needs() -> list[Need]:
    """Every resource type with what is asked of it, by name."""
    found = [
        Need("Patient", ("read", "search-type"), ("identifier",), "finds the one patient and follows merges"),
        Need(
            "Subscription", ("create", "read", "search-type", "update"), ("url",), "tells of news, where it is offered"
        ),
        Need("Medication", ("read",), (), "tells what an order gives, where orders refer to it"),
    ]
    written = {kind for kind, _, _ in WRITTEN}
    found += [Need(kind, *_of(kind, written), why="read for facts") for kind in READ_TYPES if kind not in written]
    for kind, _, what in WRITTEN:
        why = f"read for facts; written: {what}" if kind in READ_TYPES else f"written: {what}"
        found.append(Need(kind, *_of(kind, written), why=why))
    return sorted(found, key=lambda need: need.resource_type)


def _of(kind: str, written: set[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Interactions and search parameters of a type."""
    if kind == "Provenance":
        return ("create",), ()
    if kind == "Communication":
        return ("create", "search-type"), ("identifier",)
    interactions = ("create", "search-type", "update") if kind in written else ("search-type",)
    search = {"patient"} if kind in READ_TYPES else set()
    if kind in written:
        search.add("identifier")
    if kind in RETIRED_STATUS:
        search.add("patient")
    if kind == "Observation":
        search |= {"code", *_SEARCH_OF_NEWS}
    return interactions, tuple(sorted(search))


def capability_statement() -> Json:
    """The CapabilityStatement of us as a client: what the EHR must offer; what we serve is in serve_statement.py."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": STATED_ON,
        "publisher": identity.OUR_NAME,
        "kind": "capability",
        "software": {"name": identity.OUR_NAME, "version": __version__},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [
            {
                "mode": "client",
                "documentation": "Reads one patient's record and writes drafts for a tumour board into it.",
                "security": {
                    "service": [{"coding": [{"system": _SECURITY_SERVICES, "code": "SMART-on-FHIR"}]}],
                    "description": "SMART Backend Services with an asymmetric key, when a client id is set.",
                },
                "resource": [_stated(need) for need in needs()],
                "interaction": [
                    {"code": "transaction", "documentation": "used when the server declares it"},
                    {"code": "batch", "documentation": "of searches only, when the server declares it"},
                ],
            }
        ],
    }


def profile_list() -> list[Json]:
    """The profiles of what is written, each with the skeleton of an example."""
    return [
        asdict(one)
        | {name: list(getattr(one, name)) for name in ("always", "systems", "told_by")}
        | {"example": example(one)}
        for one in PROFILES
    ]


def _stated(need: Need) -> Json:
    stated: Json = {
        "type": need.resource_type,
        "documentation": need.why,
        "interaction": [{"code": code} for code in need.interactions],
    }
    if "update" in need.interactions:
        stated |= {"versioning": "versioned-update", "conditionalCreate": True}
    if need.search:
        stated["searchParam"] = [
            {"name": name, "type": _SEARCH_TYPES.get(name, "reference")} for name in sorted(need.search)
        ]
    return stated


def statement() -> Json:
    """Everything the text tells that is a value, by part."""
    return {
        "needs": [
            {"type": one.resource_type, "interactions": ", ".join(one.interactions), "search": ", ".join(one.search),
             "why": one.why}
            for one in needs()
        ],
        "written": [
            {"type": kind, "status": status, "retired": RETIRED_STATUS.get(kind, ""), "what": what}
            for kind, status, what in WRITTEN
        ],
        "profiles": [
            {"profile": f"{one.resource_type}: {one.name}", "what": one.what, "shaped": one.shaped_after,
             "fixed": ", ".join(f"`{path}` = {value}" for path, value in one.fixed.items()),
             "always": ", ".join(f"`{path}`" for path in one.always),
             "codes": ", ".join(filter(None, (one.code, *(f"`{system}`" for system in one.systems))))}
            for one in PROFILES
        ],
        "systems": [{"system": system, "of": what} for system, what in SYSTEMS],
        "rungs": [
            {"setting": f"`{rung.value}`", "when": when, "written": what} for rung, when, what in RUNGS
        ],
        "vendors": [
            {"product": vendor.title, "setting": f"`{vendor.name}`", "what": one.what, "so_we": one.so_we,
             "source": one.source}
            for vendor in vendors().values() for one in vendor.differences
        ],
        "served": [{"type": kind, "search": ", ".join(searched_by(kind))} for kind in SERVED_KINDS],
        "heartbeat_seconds": HEARTBEAT_SECONDS,
        "silent_seconds": SILENT_HEARTBEATS * HEARTBEAT_SECONDS,
        "look_back_days": LOOK_BACK_DAYS,
        "denied_hours": int(DENIED_SECONDS // 3600),
        "statement_hours": int(STATEMENT_SECONDS // 3600),
        "assertion_seconds": ASSERTION_SECONDS,
        "secret_header": SECRET_HEADER,
        "jwks_path": JWKS_PATH,
        "cds": {
            "services": [{"hook": one.hook, "id": f"`{one.id}`", "what": one.description} for one in SERVICES],
            "prefetch": PREFETCH["patient"],
            "algorithms": " or ".join(ALGORITHMS),
            "longest_life_seconds": LONGEST_LIFE_SECONDS,
            "largest_mib": LARGEST_BODY_BYTES // 2**20,
            "override_reasons": [{"code": f"`{code}`", "display": display} for code, display in OVERRIDE_REASONS],
        },
    }  # fmt: skip
