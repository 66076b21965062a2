"""Receives instances over HTTP (STOW-RS, PS3.18 section 10.5), by the same way in as C-STORE."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from connector.core.errors import ConnectorError, ImpossibleInput
from connector.dicom.receive_head import Head, is_uid
from connector.dicom.receive_intake import OUT_OF_RESOURCES, Intake, WrongObject, refusal_status
from connector.dicom.receive_multipart import MultipartScanner, PartBegan, PartData, PartEnded, read_content_type
from connector.dicom.receive_part10 import Part10
from connector.dicom.receive_stow_answer import JSON, XML, Failed, Stored, as_json, as_xml
from connector.dicom.store_file import FileStore
from connector.logs import get_logger
from connector.ports import Inbox

log = get_logger("dicom.stow")

_DICOM = "application/dicom"
_RETRY_SECONDS = "60"
_ANSWERS = {
    **dict.fromkeys(("*/*", "application/*", JSON, "application/json", ""), JSON),
    **dict.fromkeys((XML, "application/xml", "text/xml"), XML),
}
_AT_ONCE = 8  # instances of one request; each is up to 4 MB of memory

Authorise = Callable[[Request], str | None]


class _Refusal(Exception):
    """The whole request is answered with a status instead of per-instance results."""

    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.response = PlainTextResponse(text + "\n", status, headers)


@dataclass(slots=True)
class _Upload:
    """One request: where it comes from, what it may hold, and what became of its instances."""

    source: str
    study_instance_uid: str | None
    stored: list[Stored] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)


def stow_routes(
    inbox: Inbox,
    folder: Path,
    *,
    authorise: Authorise,
    disk_reserve_bytes: int = 0,
    largest_request_bytes: int = 16 * 2**30,
    largest_instance_bytes: int = 4 * 2**30,
    idle_seconds: float = 60.0,
    maximum_uploads: int = 16,
) -> list[Route]:
    """
    Routes for `POST /dicom-web/studies` and `POST /dicom-web/studies/{uid}`.

    `authorise` names the client (it becomes the receipts' source, `stow:<name>`) or gives None for 401.
    """
    door = _Door(
        intake=Intake(inbox, FileStore(folder, disk_reserve_bytes=disk_reserve_bytes)),
        authorise=authorise,
        largest_request_bytes=largest_request_bytes,
        largest_instance_bytes=largest_instance_bytes,
        idle_seconds=idle_seconds,
        free_places=maximum_uploads,
    )
    return [
        Route("/dicom-web/studies", door.store, methods=["POST"]),
        Route("/dicom-web/studies/{study_instance_uid}", door.store, methods=["POST"]),
    ]


@dataclass(slots=True, kw_only=True)
class _Door:
    intake: Intake
    authorise: Authorise
    largest_request_bytes: int
    largest_instance_bytes: int
    idle_seconds: float
    free_places: int

    async def store(self, request: Request) -> Response:
        """Store Instances: 200 all, 202 some, 409 none; 503 when nothing could be taken for want of resources."""
        if self.free_places <= 0:
            return _Refusal(503, "too many uploads at once, send again later", {"Retry-After": _RETRY_SECONDS}).response
        self.free_places -= 1
        try:
            upload = _Upload(f"stow:{self._client(request)}", _study(request))
            accepted = _acceptable(request.headers.get("accept", "*/*"))
            await self._receive(request, upload)
        except _Refusal as refusal:
            return refusal.response
        except ClientDisconnect:
            log.warning("upload_cut_off")
            return Response(status_code=400)
        finally:
            self.free_places += 1
        log.info("upload_ended", count=len(upload.stored), status=_status(upload))
        body = as_xml(upload.stored, upload.failed) if accepted == XML else as_json(upload.stored, upload.failed)
        headers = {"Retry-After": _RETRY_SECONDS} if _status(upload) == 503 else None  # noqa: PLR2004 - HTTP status
        return Response(body, _status(upload), headers, accepted)

    def _client(self, request: Request) -> str:
        client = self.authorise(request)
        if client is None:
            raise _Refusal(401, "sign in to store", {"WWW-Authenticate": "Bearer"})
        return client

    async def _receive(self, request: Request, upload: _Upload) -> None:
        content = read_content_type(request.headers.get("content-type", ""))
        if request.headers.get("content-encoding", "identity") != "identity":
            raise _Refusal(415, "send without content encoding")
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self.largest_request_bytes:
            raise _Refusal(413, f"at most {self.largest_request_bytes} bytes a request: send fewer instances")
        if content.media_type == _DICOM:
            await self._receive_single(request, upload)
            return
        kind = content.parameters.get("type", _DICOM).lower()
        if content.media_type != "multipart/related" or kind != _DICOM:
            raise _Refusal(415, f'send multipart/related; type="{_DICOM}"')
        try:
            scanner = MultipartScanner(content.parameters.get("boundary", ""))
            await self._receive_parts(request, upload, scanner)
            scanner.finish()
        except ImpossibleInput as fault:
            # What was stored before stays stored: it is in the ledger, and sent again it is the same instance.
            raise _Refusal(400, str(fault)) from fault
        if not upload.stored and not upload.failed:
            raise _Refusal(400, "the request holds no instance")

    async def _receive_single(self, request: Request, upload: _Upload) -> None:
        async with _Keeping(upload) as keeping:
            part = keeping.begin(_Part(self, upload))
            async for octets in self._octets(request):
                await part.take(octets)
            await keeping.end()

    async def _receive_parts(self, request: Request, upload: _Upload, scanner: MultipartScanner) -> None:
        async with _Keeping(upload) as keeping:
            part = _Part(self, upload)
            async for octets in self._octets(request):
                for piece in scanner.feed(octets):
                    match piece:
                        case PartBegan(headers):
                            part = keeping.begin(_Part(self, upload, headers.get("content-type", _DICOM)))
                        case PartData(data):
                            await part.take(data)
                        case PartEnded():
                            await keeping.end()

    async def _octets(self, request: Request) -> AsyncIterator[bytes]:
        """The body, bounded in size, and in time between two pieces."""
        total = 0
        stream = request.stream()
        while True:
            try:
                async with asyncio.timeout(self.idle_seconds):
                    octets = await anext(stream)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise _Refusal(408, "the sender stopped sending", {"Connection": "close"}) from None
            total += len(octets)
            if total > self.largest_request_bytes:
                raise _Refusal(413, f"at most {self.largest_request_bytes} bytes a request: send fewer instances")
            yield octets


class _Part:
    """One instance of a request."""

    def __init__(self, door: _Door, upload: _Upload, content_type: str = _DICOM) -> None:
        self._door = door
        self._upload = upload
        self._file = Part10(door.intake)
        self._size = 0
        self._fault: ConnectorError | None = None
        if read_content_type(content_type).media_type != _DICOM:
            self._fault = ImpossibleInput(f"a part is not {_DICOM}")

    async def take(self, octets: bytes) -> None:
        """Take more of the instance; after a fault the rest of it is let pass."""
        self._size += len(octets)
        if self._size > self._door.largest_instance_bytes:
            raise _Refusal(413, f"at most {self._door.largest_instance_bytes} bytes an instance")
        if self._fault is not None:
            return
        try:
            if self._file.on_disk:
                await run_in_threadpool(self._file.write, octets)
            else:
                self._file.write(octets)
        except ConnectorError as fault:
            self._fault = fault

    async def end(self) -> Stored | Failed:
        """Accept the instance, or tell why not."""
        try:
            return await run_in_threadpool(self._accept)
        except Exception as fault:  # noqa: BLE001 - whatever went wrong, the client must hear that it is not stored
            return self._failed(fault)
        finally:
            self.close()

    def close(self) -> None:
        """Forget what was not accepted."""
        self._file.close()

    def _accept(self) -> Stored:
        if self._fault is not None:
            raise self._fault
        announced, incoming = self._file.announced, self._file.incoming
        if announced is None or incoming is None:
            raise ImpossibleInput("the part ended inside its file meta information")
        self._file.require_whole()
        head, _ = self._door.intake.accept(
            incoming,
            sop_class_uid=announced.sop_class_uid,
            sop_instance_uid=announced.sop_instance_uid,
            transfer_syntax_uid=announced.transfer_syntax_uid,
            source=self._upload.source,
            check=self._check_study,
        )
        return Stored(head.sop_class_uid, head.sop_instance_uid)

    def _check_study(self, head: Head) -> None:
        if self._upload.study_instance_uid not in {None, head.study_instance_uid}:
            raise WrongObject("the instance is of another study than its address says", other_study=True)

    def _failed(self, fault: Exception) -> Failed:
        reason = refusal_status(fault)
        announced = self._file.announced
        uids = (announced.sop_class_uid, announced.sop_instance_uid) if announced else ("", "")
        told = str(fault) if isinstance(fault, ConnectorError) else type(fault).__name__
        log.warning("store_refused", reason=told, status=f"{reason:04X}", sop_instance_uid=uids[1])
        return Failed(*uids, reason)


class _Keeping:
    """
    The instances of one request on their way to the disk, several at a time: they share its syncs and commits.

    The request is answered when all of them are safe; the results stand in the order in which they came.
    """

    def __init__(self, upload: _Upload) -> None:
        self._upload = upload
        self._part: _Part | None = None
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._ending: list[asyncio.Task[Stored | Failed]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._part is not None:
            self._part.close()
        for result in await asyncio.gather(*self._ending):
            if isinstance(result, Stored):
                self._upload.stored.append(result)
            else:
                self._upload.failed.append(result)

    def begin(self, part: _Part) -> _Part:
        """A new instance begins to come in."""
        self._part = part
        return part

    async def end(self) -> None:
        """The instance is here: have it kept, when so many are not under way already."""
        assert self._part is not None  # noqa: S101 - the scanner ends what it began
        await self._places.acquire()
        task = asyncio.create_task(self._part.end())
        task.add_done_callback(lambda _: self._places.release())
        self._ending.append(task)
        self._part = None


def _status(upload: _Upload) -> int:
    if not upload.failed:
        return 200
    if upload.stored:
        return 202
    return 503 if all(one.reason == OUT_OF_RESOURCES for one in upload.failed) else 409


def _study(request: Request) -> str | None:
    uid: str | None = request.path_params.get("study_instance_uid")
    if uid is not None and not is_uid(uid):
        raise _Refusal(400, "the study in the URL is not a UID")
    return uid


def _acceptable(accept: str) -> str:
    """The media type of the answer by the Accept header, PS3.18, 8.7.5: the highest quality, then the first named."""
    best, chosen = 0.0, ""
    for item in accept.split(","):
        media_type, _, parameters = item.partition(";")
        offered = _ANSWERS.get(media_type.strip().lower())
        quality = _quality(parameters)
        if offered is not None and quality > best:
            best, chosen = quality, offered
    if not chosen:
        raise _Refusal(406, f"answers come as {JSON} or {XML}")
    return chosen


def _quality(parameters: str) -> float:
    """The weight of a media type, RFC 9110, 12.4.2; one that cannot be read is taken as 1."""
    found = re.search(r"(?:^|;)\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*(?:;|$)", parameters)
    return float(found[1]) if found else 1.0
