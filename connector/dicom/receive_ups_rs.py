"""The worklist over HTTP (UPS-RS, PS3.18 section 11): a RIS orders an assessment, asks for it, or takes it back."""

import json
import uuid
from collections.abc import Callable
from typing import Any

from pydicom import DataElement, Dataset
from pydicom.datadict import dictionary_VR, tag_for_keyword
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connector.core.errors import ConnectorError, ImpossibleInput, TryLater
from connector.dicom.receive_head import is_uid
from connector.dicom.receive_steps import DUPLICATE_INSTANCE, StepFault, from_json
from connector.dicom.receive_stow_answer import JSON
from connector.dicom.workitems import (
    ALREADY_IN_PROGRESS,
    CANCEL_OF_COMPLETED,
    MAY_NO_LONGER_BE_UPDATED,
    NO_SUCH_WORKITEM,
    NOT_IN_PROGRESS,
    NOT_REACHED,
    NOT_READY_FOR_FINAL,
    WRONG_TRANSACTION,
    StepWarning,
    Workitems,
)
from connector.logs import get_logger
from connector.ports import StepBook

log = get_logger("dicom.ups")

_LARGEST_BODY_BYTES = 4 * 2**20
_LARGEST_ANSWER = 1000
_CONFLICTS = frozenset({
    DUPLICATE_INSTANCE, MAY_NO_LONGER_BE_UPDATED, WRONG_TRANSACTION, ALREADY_IN_PROGRESS, NOT_IN_PROGRESS,
    CANCEL_OF_COMPLETED, NOT_READY_FOR_FINAL, NOT_REACHED,
})  # fmt: skip
_WORKITEM = "/dicom-web/workitems/{workitem}"

Authorise = Callable[[Request], str | None]
Json = dict[str, Any]


def ups_routes(book: StepBook, *, authorise: Authorise) -> list[Route]:
    """
    Routes below `/dicom-web/workitems`.

    `authorise` names the client (it becomes the workitem's owner, `ups:<name>`) or gives None for 401.
    """
    desk = _Desk(Workitems(book), authorise)
    return [
        Route("/dicom-web/workitems", desk.door(desk.create), methods=["POST"]),
        Route("/dicom-web/workitems", desk.door(desk.search), methods=["GET"]),
        Route(_WORKITEM, desk.door(desk.retrieve), methods=["GET"]),
        Route(_WORKITEM, desk.door(desk.update), methods=["POST"]),
        Route(f"{_WORKITEM}/state", desk.door(desk.change_state), methods=["PUT"]),
        Route(f"{_WORKITEM}/cancelrequest", desk.door(desk.request_cancel), methods=["POST"]),
    ]


class _Refusal(Exception):
    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.response = Response(text + "\n", status, headers, "text/plain")


Transaction = Callable[[Request, str, list[Dataset]], Response]


class _Desk:
    def __init__(self, workitems: Workitems, authorise: Authorise) -> None:
        self._workitems = workitems
        self._authorise = authorise

    def door(self, transaction: Transaction) -> Callable[[Request], Any]:
        """A transaction with what is common to all: who comes, what the body holds, how a fault is told."""

        async def answer(request: Request) -> Response:
            try:
                client = self._client(request)
                _require_json_wanted(request)
                body = await _body(request) if request.method != "GET" else []
                return await run_in_threadpool(transaction, request, f"ups:{client}", body)
            except _Refusal as refusal:
                return refusal.response
            except StepWarning as told:
                return Response(status_code=200, headers=_warning(told.comment))
            except StepFault as fault:
                log.info("step_refused", status=f"{fault.status:04X}", reason=fault.comment)
                return Response(status_code=_http_status(fault), headers=_warning(fault.comment))
            except TryLater as fault:
                return _Refusal(503, str(fault), {"Retry-After": "60"}).response
            except ConnectorError as fault:
                return _Refusal(400, str(fault)).response

        return answer

    def _client(self, request: Request) -> str:
        client = self._authorise(request)
        if client is None:
            raise _Refusal(401, "sign in for the worklist", {"WWW-Authenticate": "Bearer"})
        return client

    def create(self, request: Request, owner: str, body: list[Dataset]) -> Response:
        """Create Workitem, 11.4."""
        attributes = _one(body)
        uid = request.url.query.removeprefix("workitem=") or str(attributes.get("SOPInstanceUID", ""))
        uid = uid or f"2.25.{uuid.uuid4().int}"
        if not is_uid(uid):
            raise _Refusal(400, "the workitem in the URL is not a UID")
        self._workitems.create(uid, attributes, owner=owner)
        where = f"{request.url.path}/{uid}"
        return Response(status_code=201, headers={"Location": where, "Content-Location": where})

    def retrieve(self, request: Request, _owner: str, _body: list[Dataset]) -> Response:
        """Retrieve Workitem, 11.5."""
        return _json([self._workitems.get(_uid(request))])

    def update(self, request: Request, _owner: str, body: list[Dataset]) -> Response:
        """Update Workitem, 11.6; the Transaction UID is the query, or stands in the body."""
        changes = _one(body)
        transaction = request.url.query.removeprefix("transaction=") or str(changes.get("TransactionUID", ""))
        self._workitems.update(_uid(request), changes, transaction_uid=transaction)
        return Response(status_code=200)

    def change_state(self, request: Request, _owner: str, body: list[Dataset]) -> Response:
        """Change Workitem State, 11.7."""
        wanted = _one(body)
        self._workitems.change_state(
            _uid(request),
            str(wanted.get("ProcedureStepState", "")),
            transaction_uid=str(wanted.get("TransactionUID", "")),
        )
        return Response(status_code=200)

    def request_cancel(self, request: Request, _owner: str, body: list[Dataset]) -> Response:
        """Request Cancellation, 11.8; a reason is optional."""
        self._workitems.request_cancel(_uid(request), body[0] if body else Dataset())
        return Response(status_code=202)

    def search(self, request: Request, _owner: str, _body: list[Dataset]) -> Response:
        """Search for Workitems, 11.9."""
        keys, limit, offset = _query(request)
        found = list(self._workitems.search(keys))
        page = found[offset : offset + limit]
        if not page:
            return Response(status_code=204)
        more = len(found) > offset + limit
        return _json(page, _warning(f"{len(found)} workitems match: ask on with offset") if more else None)


def _http_status(fault: StepFault) -> int:
    if fault.status == NO_SUCH_WORKITEM:
        return 404
    return 409 if fault.status in _CONFLICTS else 400


def _warning(text: str) -> dict[str, str]:
    """The Warning header that PS3.18 tells faults in (RFC 7234, 5.5)."""
    return {"Warning": f'299 connector: "{text}"'}


def _uid(request: Request) -> str:
    uid: str = request.path_params["workitem"]
    if not is_uid(uid):
        raise _Refusal(400, "the workitem in the URL is not a UID")
    return uid


def _require_json_wanted(request: Request) -> None:
    wanted = [item.partition(";")[0].strip().lower() for item in request.headers.get("accept", "*/*").split(",")]
    if not {JSON, "application/json", "application/*", "*/*", ""}.intersection(wanted):
        raise _Refusal(406, f"answers come as {JSON}")


async def _body(request: Request) -> list[Dataset]:
    octets = bytearray()
    async for piece in request.stream():
        octets += piece
        if len(octets) > _LARGEST_BODY_BYTES:
            raise _Refusal(413, f"at most {_LARGEST_BODY_BYTES} bytes")
    if not octets.strip():
        return []
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in {JSON, "application/json"}:
        raise _Refusal(415, f"send {JSON}")
    try:
        parsed = json.loads(octets)
    except ValueError as fault:
        raise ImpossibleInput("the body is no JSON") from fault
    items = parsed if isinstance(parsed, list) else [parsed]
    if not all(isinstance(item, dict) for item in items):
        raise ImpossibleInput("the body is no DICOM JSON: send a list with one data set")
    return [from_json(json.dumps(item)) for item in items]


def _one(body: list[Dataset]) -> Dataset:
    if len(body) != 1:
        raise ImpossibleInput(f"{len(body)} data sets in the body: send one")
    return body[0]


def _query(request: Request) -> tuple[Dataset, int, int]:
    """Keys, limit and offset; an attribute is named by keyword or tag, one in a sequence by both with a point."""
    keys, limit, offset = Dataset(), _LARGEST_ANSWER, 0
    for name, value in request.query_params.multi_items():
        if name in {"limit", "offset"}:
            if not value.isdecimal():
                raise ImpossibleInput(f"{name} is no number")
            limit, offset = (min(int(value), limit), offset) if name == "limit" else (limit, int(value))
        elif name not in {"includefield", "fuzzymatching"}:
            _add_key(keys, name.split("."), value)
    return keys, limit, offset


def _add_key(keys: Dataset, names: list[str], value: str) -> None:
    first, *rest = names
    hexadecimal = len(first) == 8 and all(digit in "0123456789abcdefABCDEF" for digit in first)  # noqa: PLR2004 - a tag
    tag = int(first, 16) if hexadecimal else tag_for_keyword(first)
    try:
        vr = dictionary_VR(tag) if tag is not None else ""
    except KeyError:
        vr = ""
    if not vr or tag is None or (vr == "SQ") != bool(rest):
        raise ImpossibleInput("an attribute of the query is not known: name it by keyword or tag")
    if rest:
        if tag not in keys:
            keys.add_new(tag, "SQ", [Dataset()])
        _add_key(keys[tag].value[0], rest, value)
    elif tag in keys:
        held = keys[tag].value
        keys[tag].value = [*([held] if isinstance(held, str) else held), value]
    else:
        # Not checked against its VR: a key may hold wildcards and ranges.
        keys[tag] = DataElement(tag, vr, value.split(",") if vr == "UI" else value, validation_mode=0)


def _json(found: list[Dataset], headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps([one.to_json_dict() for one in found]), 200, headers, JSON)
