"""Writes one R4 transaction for an assessment: the same bytes for the same request, each resource by identifier."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from urllib.parse import quote

from connector.fhir.identity import DIGEST_SYSTEM, IDENTIFIER_SYSTEM, canonical_json, content_digest, full_url
from connector.fhir.write_board import write_issues, write_task
from connector.fhir.write_care_plan import write_care_plan
from connector.fhir.write_document_reference import write_document_reference
from connector.fhir.write_observations import write_device, write_doses, write_lesions, write_response, write_size
from connector.fhir.write_provenance import write_provenance
from connector.fhir.write_resource import Case, Resource, checked
from connector.fhir.write_risk_assessment import write_risk_assessment
from connector.fhir.write_viability import write_beside_recist
from connector.ports import Document, WriteRequest


class TransactionWriter:
    """
    A Writer of one `fhir` document.

    `board` is the reference of the tumour board's Organization in the EHR, `report` draws the PDF for the chart.
    """

    def __init__(self, board: str | None = None, report: Callable[[WriteRequest], bytes] | None = None) -> None:
        self._board = board
        self._report = report

    def write(self, request: WriteRequest) -> Sequence[Document]:
        """Make the transaction; none when no record was read, since then nobody is known to write about."""
        if request.record is None:
            return ()
        case = Case(request.assessment, request.record)
        pdf = self._report(request) if self._report else None
        bundle = transaction(self._resources(case, pdf, is_latest_study=request.is_latest_study))
        content = canonical_json(bundle)
        study = request.assessment.study_instance_uid
        identity = f"fhir:{study}:{sha256(content).hexdigest()[:32]}"
        return (Document("fhir", "ehr", identity, content, study),)

    def _resources(self, case: Case, pdf: bytes | None, *, is_latest_study: bool) -> list[Resource]:
        lesions = write_lesions(case)
        sizes = [size for lesion, body in lesions if (size := write_size(case, lesion, body))]
        response = write_response(case, case.assessment.response, sizes)
        doses = write_doses(case, {lesion.tracking_uid: body for lesion, body in lesions})
        beside = write_beside_recist(case, lesions)
        measured = [*sizes, *([response] if response else []), *beside, *doses]
        risk = write_risk_assessment(case, measured)
        resources = [*(body for _, body in lesions), *measured, risk]
        selection = case.assessment.selection
        if selection is not None:
            resources += write_issues(case, selection)
        if selection is not None and is_latest_study:
            plan = write_care_plan(case, selection, [risk, *measured])
            resources += [plan, write_task(case, plan, self._board)]
        if pdf is not None:
            resources.append(write_document_reference(case, pdf))
        return [write_device(case), *resources, write_provenance(case, resources)]


def transaction(resources: Sequence[Resource]) -> Resource:
    """A transaction Bundle: PUT by identifier for what has one, POST for a Provenance, which has none in R4."""
    types = {_url_of(resource): resource["resourceType"] for resource in resources if "identifier" in resource}
    entries = [_entry(resource, types) for resource in resources]
    return checked({"resourceType": "Bundle", "type": "transaction", "entry": entries})


def identifier_query(identifier: str) -> str:
    """The search part of a conditional request for one of our identifiers."""
    return f"identifier={quote(f'{IDENTIFIER_SYSTEM}|{identifier}', safe=':|/')}"


def tagged(resource: Resource, types: dict[str, str]) -> Resource:
    """The resource with a digest of what it says, so that a later touch by someone else shows without any database."""
    tag = {"system": DIGEST_SYSTEM, "code": content_digest(resource, types)}
    return {**resource, "meta": {**resource.get("meta", {}), "tag": [tag]}}


def _url_of(resource: Resource) -> str:
    return full_url(resource["resourceType"], resource["identifier"][0]["value"])


def _entry(resource: Resource, types: dict[str, str]) -> Resource:
    kind = resource["resourceType"]
    if "identifier" not in resource:
        named = sha256(canonical_json(resource)).hexdigest()
        return {
            "fullUrl": full_url(kind, named),
            "resource": resource,
            "request": {"method": "POST", "url": kind},
        }
    query = identifier_query(resource["identifier"][0]["value"])
    return {
        "fullUrl": _url_of(resource),
        "resource": tagged(resource, types),
        "request": {"method": "PUT", "url": f"{kind}?{query}"},
    }
