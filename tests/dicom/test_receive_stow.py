"""STOW-RS: what each request is answered, and what is on disk and in the ledger afterwards."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import anyio
import httpx
import pytest
from pydicom import Dataset, dcmread
from receive_case import MemoryInbox, as_file, files_in, make_image
from starlette.applications import Starlette
from starlette.requests import Request

from connector.dicom.receive_stow import stow_routes
from connector.dicom.receive_web_other import other_routes

BOUNDARY = "b0unDary"


def multipart(*parts: bytes, content_type: str = "application/dicom") -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Type: {content_type}\r\n\r\n".encode()
    return b"".join(head + part + b"\r\n" for part in parts) + f"--{BOUNDARY}--".encode()


class Door:
    """A STOW-RS service over a ledger in memory, and what it says of the rest of `/dicom-web`."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.inbox, self.folder = MemoryInbox(), folder

        def authorise(request: Request) -> str | None:
            return "lab" if request.headers.get("x-key") else None

        offered = stow_routes(self.inbox, folder, authorise=authorise, **settings)
        self.app = Starlette(routes=[*offered, *other_routes(offered, authorise=authorise)])

    def post(self, body: Any, **named: Any) -> httpx.Response:
        return anyio.run(lambda: self.send(body, **named))

    async def send(
        self, body: Any, *, study: str = "", content_type: str | None = None, key: str = "1", **headers: str
    ) -> httpx.Response:
        content_type = content_type or f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
        path = f"/dicom-web/studies/{study}" if study else "/dicom-web/studies"
        sent = {"content-type": content_type, "x-key": key} | headers
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://lab") as client:
            return await client.post(path, content=body, headers=sent)


async def in_chunks(body: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(body), size):
        yield body[at : at + size]


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    yield Door(tmp_path)
    assert not files_in(tmp_path / ".incoming"), "nothing half-kept"


def reasons(answer: Any) -> list[int]:
    found = json.loads(answer.content)
    items = [*found.get("00081198", {}).get("Value", []), *found.get("0008119A", {}).get("Value", [])]
    return [item["00081197"]["Value"][0] for item in items]


def stored(answer: Any) -> list[str]:
    items = json.loads(answer.content).get("00081199", {}).get("Value", [])
    return [item["00081155"]["Value"][0] for item in items]


def test_instances_are_stored_with_their_data_sets(door: Door) -> None:
    images = [make_image(), make_image(rows=40_000)]  # the second is larger than memory may hold: 5 MB
    answer = door.post(multipart(*map(as_file, images)))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/dicom+json"
    assert stored(answer) == [image.SOPInstanceUID for image in images]
    for image in images:
        receipt = door.inbox.receipts[image.SOPInstanceUID]
        assert receipt.source == "stow:lab"
        assert receipt.patient_id == "PHANTOM-1"
        assert receipt.size_bytes == receipt.path.stat().st_size
        assert dcmread(receipt.path) == image


def test_a_single_instance_may_come_without_multipart(door: Door) -> None:
    image = make_image()
    answer = door.post(as_file(image), content_type="application/dicom")
    assert (answer.status_code, stored(answer)) == (200, [image.SOPInstanceUID])


def test_some_stored_is_202_and_tells_each(door: Door) -> None:
    image = make_image()
    other = make_image()
    announced = other.SOPInstanceUID.encode()
    mislabelled = as_file(other).replace(announced, announced[::-1], 1)  # in the file meta only
    answer = door.post(multipart(as_file(image), b"no DICOM at all" * 20, mislabelled))
    assert answer.status_code == 202
    assert stored(answer) == [image.SOPInstanceUID]
    assert sorted(reasons(answer)) == [0xA900, 0xC000]


def test_an_instance_that_was_cut_off_is_not_stored(door: Door) -> None:
    whole, cut = as_file(make_image()), as_file(make_image())[:-3]
    answer = door.post(multipart(whole, cut))
    assert (answer.status_code, reasons(answer)) == (202, [0xC000])
    assert len(door.inbox.receipts) == 1
    assert door.post(cut, content_type="application/dicom").status_code == 409


def test_none_stored_is_409(door: Door) -> None:
    answer = door.post(multipart(b"no DICOM at all" * 20))
    assert (answer.status_code, reasons(answer)) == (409, [0xC000])


def test_a_part_of_another_type_is_not_stored(door: Door) -> None:
    answer = door.post(multipart(as_file(make_image()), content_type="image/jpeg"))
    assert (answer.status_code, reasons(answer)) == (409, [0xC000])


def test_an_instance_of_another_study_than_the_address_is_not_stored(door: Door) -> None:
    mine, foreign = make_image(), make_image()
    answer = door.post(multipart(as_file(mine), as_file(foreign)), study=mine.StudyInstanceUID)
    assert answer.status_code == 202
    assert (stored(answer), reasons(answer)) == ([mine.SOPInstanceUID], [0xC001])


def test_the_same_again_is_success_and_keeps_one_file(door: Door) -> None:
    octets = multipart(as_file(make_image()))
    assert [door.post(octets).status_code for _ in range(2)] == [200, 200]
    assert len(files_in(door.folder)) == 1


def test_other_content_under_the_same_uid_is_kept_aside(door: Door) -> None:
    first = make_image()
    second = make_image(SOPInstanceUID=first.SOPInstanceUID)
    assert [door.post(multipart(as_file(image))).status_code for image in (first, second)] == [200, 200]
    assert len(files_in(door.folder)) == 2
    assert len(door.inbox.conflicts) == 1


def test_a_ledger_that_is_away_is_503_and_nothing_is_kept(door: Door) -> None:
    door.inbox.away = True
    answer = door.post(multipart(as_file(make_image())))
    assert (answer.status_code, reasons(answer)) == (503, [0xA700])
    assert answer.headers["retry-after"]
    assert not files_in(door.folder)


def test_a_full_disk_is_503(tmp_path: Path) -> None:
    door = Door(tmp_path, disk_reserve_bytes=2**62)
    answer = door.post(multipart(as_file(make_image()), as_file(make_image(rows=40_000))))
    assert (answer.status_code, reasons(answer)) == (503, [0xA700, 0xA700])
    assert not files_in(tmp_path)


@pytest.mark.parametrize(
    ("body", "content_type", "status", "why"),
    [
        (b"", None, 400, "empty"),
        (b"--b0unDary--", None, 400, "no part"),
        (multipart(b"x")[:-4], None, 400, "no closing boundary"),
        (b"--b0unDary\r\nA" + b"a" * 20_000, None, 400, "headers without end"),
        (b"x", "multipart/related; type=application/dicom", 400, "no boundary"),
        (b"x", "multipart/form-data; boundary=x", 415, "a form"),
        (b"x", 'multipart/related; type="application/dicom+json"; boundary=x', 415, "metadata and bulk data"),
        (b"x", "application/json", 415, "JSON"),
        (b"\0" * 20_001, "application/dicom", 413, "more than a request may hold"),
        (multipart(b"\0" * 10_001), None, 413, "more than an instance may hold"),
    ],
)
def test_requests_that_are_wrong_as_a_whole(
    tmp_path: Path, body: bytes, content_type: str | None, status: int, why: str
) -> None:
    door = Door(tmp_path, largest_request_bytes=20_000 if status == 413 else 10**9, largest_instance_bytes=10_000)
    assert door.post(body, content_type=content_type).status_code == status, why
    assert door.post(in_chunks(body, 700), content_type=content_type).status_code == status, f"{why}, in chunks"
    assert not files_in(tmp_path)


def test_the_study_in_the_address_must_be_a_uid(door: Door) -> None:
    assert door.post(multipart(as_file(make_image())), study="abc").status_code == 400


def test_who_does_not_sign_in_is_401(door: Door) -> None:
    assert door.post(multipart(as_file(make_image())), key="").status_code == 401
    assert not files_in(door.folder)


def test_compressed_requests_are_415(door: Door) -> None:
    assert door.post(b"x", **{"content-encoding": "gzip"}).status_code == 415


def test_the_answer_comes_as_xml_when_asked(door: Door) -> None:
    image = make_image()
    answer = door.post(multipart(as_file(image), b"?" * 200), accept="application/dicom+xml")
    assert answer.headers["content-type"] == "application/dicom+xml"
    space = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"
    values = [node.text for node in ET.fromstring(answer.content).iter(f"{space}Value")]  # noqa: S314 - our own answer
    assert values == [image.SOPClassUID, image.SOPInstanceUID, "49152"]


def test_the_json_answer_is_a_dicom_data_set(door: Door) -> None:
    image = make_image()
    answer = Dataset.from_json(json.loads(door.post(multipart(as_file(image))).content))
    assert answer.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == image.SOPInstanceUID


@pytest.mark.parametrize(
    ("accept", "status", "answer"),
    [
        ("*/*", 200, "application/dicom+json"),
        ("application/json", 200, "application/dicom+json"),
        ("text/html, application/dicom+xml;q=0.5", 200, "application/dicom+xml"),
        ("application/dicom+json;q=0.1, application/dicom+xml;q=0.9", 200, "application/dicom+xml"),
        ("application/dicom+xml, application/dicom+json", 200, "application/dicom+xml"),
        ("application/dicom+json;q=0, application/dicom+xml", 200, "application/dicom+xml"),
        ("application/dicom+json;q=0", 406, "text/plain; charset=utf-8"),
        ("text/html", 406, "text/plain; charset=utf-8"),
    ],
)
def test_answers_come_in_what_is_acceptable(door: Door, accept: str, status: int, answer: str) -> None:
    given = door.post(multipart(as_file(make_image())), accept=accept)
    assert (given.status_code, given.headers["content-type"]) == (status, answer)


def test_too_many_uploads_at_once_are_told_to_wait(tmp_path: Path) -> None:
    door, octets, statuses = Door(tmp_path, maximum_uploads=1), multipart(as_file(make_image())), []

    async def two() -> None:
        began, go_on = anyio.Event(), anyio.Event()

        async def slowly() -> AsyncIterator[bytes]:
            yield octets[:100]
            began.set()
            await go_on.wait()
            yield octets[100:]

        async def first() -> None:
            statuses.append((await door.send(slowly())).status_code)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(first)
            await began.wait()
            statuses.append((await door.send(octets)).status_code)
            go_on.set()

    anyio.run(two)
    assert statuses == [503, 200]
    assert door.post(octets).status_code == 200, "the place is free again"


def test_a_sender_that_stalls_is_408(tmp_path: Path) -> None:
    door = Door(tmp_path, idle_seconds=0.05)

    async def stalls() -> AsyncIterator[bytes]:
        yield multipart(as_file(make_image()))[:500]
        await anyio.sleep_forever()

    assert door.post(stalls()).status_code == 408
    assert not files_in(tmp_path)


def test_a_sender_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    door = Door(tmp_path)
    large = multipart(as_file(make_image(rows=60_000)))

    async def breaks_off() -> None:
        messages = [
            {"type": "http.request", "body": large[: len(large) // 2], "more_body": True},
            {"type": "http.disconnect"},
        ]
        sent: list[Any] = []

        async def receive() -> Any:
            return messages.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"content-type", f"multipart/related; boundary={BOUNDARY}".encode()), (b"x-key", b"1")]
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/dicom-web/studies",
            "headers": headers,
            "query_string": b"",
        }
        await door.app(scope, receive, send)
        assert sent[0]["status"] == 400

    anyio.run(breaks_off)
    assert not files_in(tmp_path)


@pytest.mark.parametrize(
    ("method", "address", "key", "status", "allow"),
    [
        ("GET", "studies", "1", 405, "POST"),
        ("OPTIONS", "studies/1.2.3", "1", 405, "POST"),
        ("GET", "studies", "", 401, None),
        ("POST", "studies/", "1", 404, None),
        ("GET", "studies/1.2.3/series", "1", 501, None),
        ("POST", "workitems/1.2.3/subscribers/RIS", "1", 501, None),
    ],
)
def test_what_is_not_offered_is_told_as_a_machine_reads_it(
    door: Door, method: str, address: str, key: str, status: int, allow: str | None
) -> None:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(door.app), base_url="http://lab") as client:
            return await client.request(method, f"/dicom-web/{address}", headers={"x-key": key} if key else {})

    answer = anyio.run(ask)
    assert (answer.status_code, answer.headers.get("allow")) == (status, allow)
