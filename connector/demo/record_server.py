"""A small FHIR R4 server for the demo and for training: one process, in memory, on loopback."""

import json
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connector.demo.record_store import NotPossible, RecordStore, parse_query

_KINDS = (
    "Patient", "Observation", "Condition", "Procedure", "MedicationRequest", "MedicationStatement", "CarePlan",
    "MedicationAdministration", "AllergyIntolerance", "RiskAssessment", "Device", "BodyStructure", "Provenance",
    "ServiceRequest", "Task", "DetectedIssue", "DocumentReference", "ImagingStudy", "DiagnosticReport", "Medication",
)  # fmt: skip


def make_record_server(store: RecordStore) -> Starlette:
    """Build the ASGI application; its base URL is /fhir."""

    async def metadata(_: Request) -> Response:
        return _fhir(_capabilities())

    async def base(request: Request) -> Response:
        return await _answered(lambda body: (200, store.transaction(body)), request)

    async def kind(request: Request) -> Response:
        name = request.path_params["kind"]
        parameters = list(request.query_params.multi_items())
        if request.method == "GET":
            return _fhir(_searchset(store.search(name, parameters)))
        if request.method == "PUT":
            return await _answered(lambda body: _stored(*store.conditional(body, parameters, update=True)), request)
        condition = request.headers.get("if-none-exist")
        return await _answered(
            lambda body: (
                _stored(*store.conditional(body, parse_query(condition), update=False))
                if condition
                else _stored(*store.conditional(body, [("_id", "")], update=False))
            ),
            request,
        )

    async def one(request: Request) -> Response:
        name, resource_id = request.path_params["kind"], request.path_params["id"]
        if request.method == "GET":
            return await _answered(lambda _: (200, store.read(name, resource_id)), request)
        if_match = request.headers.get("if-match")
        return await _answered(lambda body: (200, store.put({**body, "id": resource_id}, if_match=if_match)), request)

    return Starlette(
        routes=[
            Route("/fhir/metadata", metadata),
            Route("/fhir", base, methods=["POST"]),
            Route("/fhir/", base, methods=["POST"]),
            Route("/fhir/{kind}", kind, methods=["GET", "POST", "PUT"]),
            Route("/fhir/{kind}/{id}", one, methods=["GET", "PUT"]),
        ]
    )


async def _answered(act: Callable[[Any], tuple[int, dict[str, Any]]], request: Request) -> Response:
    body = await request.body()
    try:
        status, resource = act(json.loads(body) if body else None)
    except NotPossible as fault:
        issue = {"severity": "error", "code": "processing", "diagnostics": str(fault)}
        return _fhir({"resourceType": "OperationOutcome", "issue": [issue]}, fault.status)
    except (ValueError, KeyError) as fault:
        issue = {"severity": "error", "code": "structure", "diagnostics": type(fault).__name__}
        return _fhir({"resourceType": "OperationOutcome", "issue": [issue]}, 400)
    return _fhir(resource, status)


def _stored(resource: dict[str, Any], created: bool) -> tuple[int, dict[str, Any]]:  # noqa: FBT001 - unpacked pair
    return (201 if created else 200), resource


def _fhir(resource: dict[str, Any], status: int = 200) -> Response:
    headers = {}
    if "versionId" in resource.get("meta", {}):
        headers["ETag"] = f'W/"{resource["meta"]["versionId"]}"'
        headers["Location"] = f"{resource['resourceType']}/{resource['id']}"
    return Response(json.dumps(resource), status_code=status, headers=headers, media_type="application/fhir+json")


def _searchset(resources: list[dict[str, Any]]) -> dict[str, Any]:
    entries = [{"fullUrl": f"{each['resourceType']}/{each['id']}", "resource": each} for each in resources]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}


def _capabilities() -> dict[str, Any]:
    interactions = [{"code": code} for code in ("read", "create", "update", "search-type")]
    return {
        "resourceType": "CapabilityStatement", "status": "active", "date": "2026-01-01", "kind": "instance",
        "fhirVersion": "4.0.1", "format": ["application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "interaction": [{"code": "transaction"}],
                "resource": [
                    {
                        "type": kind, "interaction": interactions, "versioning": "versioned",
                        "conditionalCreate": True, "conditionalUpdate": True,
                        "searchParam": [
                            {"name": "identifier", "type": "token"}, {"name": "patient", "type": "reference"},
                            {"name": "_lastUpdated", "type": "date"},
                        ],
                    }
                    for kind in _KINDS
                ],
            }
        ],
    }  # fmt: skip
