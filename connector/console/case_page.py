"""One case: whom it is of (for those who may know), what was found, what is proposed and why, and where it went."""

from collections.abc import Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connector.console.case_content import case_content
from connector.console.people import Person
from connector.console.resolving import OFFERS, comparison, offered
from connector.console.site import Site, person_of, require
from connector.flow import RELEASE_HINT
from connector.report import words
from connector.store.worklist import GROUPS

UNKNOWN_CASE = "There is no such case here: the reference may be mistyped, or its ledger is gone."
_DOCUMENT_ROLES = "Documents name the patient: they open for a clinician or physicist who signed in by name."


def routes(site: Site) -> list[Route]:
    """The case page and its documents."""

    async def case(request: Request) -> Response:
        content = await run_in_threadpool(_content, site, request)
        return await run_in_threadpool(site.page, request, "case.html", **content)

    async def document(request: Request) -> Response:
        person = person_of(request)
        require(person.sees_identity, _DOCUMENT_ROLES)
        case_ref, document_id = request.path_params["case_ref"], request.path_params["document_id"]
        return await run_in_threadpool(_document, site, person, case_ref, document_id)

    return [Route("/cases/{case_ref}", case), Route("/cases/{case_ref}/documents/{document_id}", document)]


def found_case(site: Site, case_ref: str) -> dict[str, Any]:
    """A case as the ledger knows it. Raises HTTPException 404."""
    found = site.worklist.case(case_ref)
    if found is None:
        raise HTTPException(404, UNKNOWN_CASE)
    return found


def _content(site: Site, request: Request) -> dict[str, Any]:
    person, case_ref = person_of(request), request.path_params["case_ref"]
    found = found_case(site, case_ref)
    chosen = request.query_params.get("assessment", "")
    assessment = site.worklist.assessment(case_ref, chosen or None) if person.is_clinical else None
    if chosen and person.is_clinical and assessment is None:
        raise HTTPException(404, "This case has no such assessment: the newest stands on the case's page.")
    if person.is_clinical:
        site.logbook.note_look("viewed", actor=person.name, ref=f"case:{case_ref}", case_ref=case_ref)
    waiting = [study for study in found["studies"] if study["state"] in GROUPS["needs_person"]]
    to_compare = _to_compare(site, person, case_ref, waiting)
    rejected = {study["study_instance_uid"] for study in found["studies"] if study["kept"] == "rejected"}
    return {
        "case": found,
        "assessment": assessment,
        "newest": site.worklist.assessment(case_ref) if chosen and assessment else assessment,
        "is_wrong_patients": assessment is not None and assessment["study_instance_uid"] in rejected,
        "said": case_content(assessment["summary"]) if assessment else None,
        "waits": bool(waiting),
        "to_compare": to_compare,
        "documents": _documents(found["documents"], assessment),
        # Where it is in question whose images they are and nothing stands on them, no name stands above.
        "identity": None if to_compare and assessment is None else _identity(site, person, found, assessment),
        "acts": {study["study_instance_uid"]: offered(study, person) for study in found["studies"]},
        "events": site.logbook.of_case(case_ref),
        "done": OFFERS.get(request.query_params.get("done", "")),
    }


def _to_compare(site: Site, person: Person, case_ref: str, waiting: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Of the newest study whose patient is in question: images and record, for those who may know."""
    questioned = next((study for study in waiting if RELEASE_HINT in (study["reason"] or "")), None)
    if questioned is None or not person.sees_identity:
        return None
    return {"study": questioned, **comparison(site, person, questioned["study_instance_uid"], case_ref)}


def _documents(
    every: Sequence[dict[str, Any]], assessment: dict[str, Any] | None
) -> dict[str, Sequence[dict[str, Any]]]:
    """Those of the assessment on the page, and the others; one equal to an earlier one was not written again."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for one in every:
        if (
            assessment is not None
            and one["study_instance_uid"] == assessment["study_instance_uid"]
            and one["assessed_at"] <= assessment["assessed_at"]
        ):
            newest.setdefault((one["kind"], one["destination"]), one)
    of_this = list(newest.values())
    return {"of_this": of_this, "others": [one for one in every if one not in of_this]}


def _identity(
    site: Site, person: Person, found: dict[str, Any], assessment: dict[str, Any] | None
) -> list[tuple[str, str]] | None:
    """
    Whom the images name that the assessment on the page is of, without one those of the newest study.

    A newer study may wait just because it names somebody else. None for those who may not know; it is written down who
    saw it.
    """
    if not person.sees_identity:
        return None
    kept = [study for study in found["studies"] if study["kept"] != "rejected"] or found["studies"]
    identity = site.studies.identity((assessment or kept[0])["study_instance_uid"])
    site.logbook.note_look(
        "identity_shown", actor=person.name, ref=f"case:{found['case_ref']}", case_ref=found["case_ref"]
    )
    if identity is None:
        whose = "this assessment's study" if assessment else "the newest study"
        return [("Patient", f"the images of {whose} cannot be read")]
    numbers = [f"{one.value} ({one.system})" if one.system else one.value for one in identity.identifiers]
    return [
        ("Patient", words.full_name(identity)),
        ("Born", words.day(identity.birth_date)),
        ("Sex", words.SEXES.get(identity.sex or "", "not known")),
        ("Patient ID", ", ".join(numbers) or "not known"),
    ]


def _document(site: Site, person: Person, case_ref: str, document_id: str) -> Response:
    known = {row["id"]: row for row in site.worklist.documents(case_ref)}
    opened = site.studies.document(document_id) if document_id in known else None
    if opened is None:
        raise HTTPException(404, "There is no such document of this case, or its file is gone from the outbox.")
    name, media_type, content = opened
    site.logbook.note(
        "document_opened", actor=person.name, ref=known[document_id]["identity"], case_ref=case_ref,
        detail=known[document_id]["kind"],
    )  # fmt: skip
    # Shown by the browser only when it is a PDF; everything else is saved, whatever it may claim to be.
    shown = "inline" if media_type == "application/pdf" else "attachment"
    return Response(content, media_type=media_type, headers={"Content-Disposition": f'{shown}; filename="{name}"'})
