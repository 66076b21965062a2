"""Reads a call of an EHR for cards: bounded, as JSON, and about one patient; every fault has its HTTP status."""

import asyncio
import re
import uuid
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from connector.fhir.read_orders import treatments_selected
from connector.fhir.resource import Json
from connector.fhir.write_card import PLAN

LARGEST_BODY_BYTES = 2 * 1024 * 1024  # a prefetched Patient with a photo, or an ordering session, fits well
NOT_KEPT = {"Cache-Control": "no-store"}
_LONGEST_SENDING_SECONDS = 10.0
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")  # FHIR R4, datatypes: id


class Fault(Exception):
    """An answer that is no 200."""

    def __init__(self, status: int, says: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(says)
        self.response = json_answer({"error": says}, status, headers)


def asked(hook: str, body: Json) -> tuple[str, frozenset[str]]:
    """The patient's reference and what cards are asked about; raises 400 for what no CDS client may send."""
    if body.get("hook") != hook:
        raise Fault(400, f"hook must be {hook!r} here")
    if not _is_uuid(body.get("hookInstance")):
        raise Fault(400, "hookInstance must be a UUID")
    context = body.get("context")
    if not isinstance(context, dict):
        raise Fault(400, "context must be an object")
    patient_id = context.get("patientId")
    patient_id = patient_id.removeprefix("Patient/") if isinstance(patient_id, str) else ""
    if not _ID.fullmatch(patient_id):
        raise Fault(400, "context.patientId must be the id of a Patient")
    if not isinstance(context.get("userId"), str) or not context["userId"]:
        raise Fault(400, "context.userId must be the reference of the user")
    patient = f"Patient/{patient_id}"
    if hook == "patient-view":
        return patient, frozenset({PLAN})
    selections, orders = context.get("selections"), context.get("draftOrders")
    if not isinstance(selections, list) or not all(isinstance(one, str) for one in selections):
        raise Fault(400, "context.selections must be references of the selected orders")
    if not isinstance(orders, dict) or orders.get("resourceType") != "Bundle":
        raise Fault(400, "context.draftOrders must be a Bundle")
    treatments = treatments_selected(orders, selections, patient)
    return patient, treatments | {PLAN} if treatments else frozenset()


def _is_uuid(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(uuid.UUID(value))
    except ValueError:
        return False


async def content_of(request: Request) -> bytes:
    """The body of a call that says it is JSON; raises 415, 413, 408 or 400."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Fault(415, "send application/json")
    return await _bounded(request)


def parsed(content: bytes) -> Json:
    """The JSON object of a body; raises 400."""
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise Fault(400, "the body is not JSON") from None
    if not isinstance(found, dict):
        raise Fault(400, "the body is not a JSON object")
    return found


async def _bounded(request: Request) -> bytes:
    held = bytearray()
    try:
        async with asyncio.timeout(_LONGEST_SENDING_SECONDS):
            async for chunk in request.stream():
                held += chunk
                if len(held) > LARGEST_BODY_BYTES:
                    raise Fault(413, f"send no more than {LARGEST_BODY_BYTES} bytes")
    except TimeoutError:
        raise Fault(408, "the body did not come in time") from None
    except ClientDisconnect:
        raise Fault(400, "the body ended early") from None
    return bytes(held)


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer that nobody on the way may keep."""
    return Response(orjson.dumps(value), status, headers={**NOT_KEPT, **(headers or {})}, media_type="application/json")
