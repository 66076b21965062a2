"""Priors over DICOMweb from a server that misbehaves: pages, faults, foreign instances, answers that are cut off."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from receive_case import MemoryInbox, as_file, files_in, make_image

from connector.core.errors import ConnectorError, Refused, TryLater
from connector.dicom.pacs_priors import FoundSeries, PacsPriors, Retrieved
from connector.dicom.pacs_web import WebArchive, WebPacs

Answer = tuple[int, dict[str, str], bytes]
BOUNDARY = "the-boundary"


@contextmanager
def serving(answer: Callable[[str], Answer]) -> Iterator[tuple[WebPacs, list[tuple[str, dict[str, str]]]]]:
    """A DICOMweb service that answers each path as told; yields where it is, and what it was asked."""
    asked: list[tuple[str, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, dict(self.headers)))
            status, headers, body = answer(self.path)
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(ConnectionError):  # who asked may have gone, as some of these tests want
                self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        at = f"http://127.0.0.1:{server.server_address[1]}/dicom-web"
        yield WebPacs(url=at, token="for-this-run", answer_seconds=1.0), asked  # noqa: S106 - of a made server
    finally:
        server.shutdown()
        server.server_close()


def as_json(*studies: dict[str, str]) -> Answer:
    body = [{tag: {"vr": "LO", "Value": [value]} for tag, value in study.items()} for study in studies]
    return 200, {"Content-Type": "application/dicom+json"}, json.dumps(body).encode()


def as_parts(*files: bytes, end: bytes = b"--") -> Answer:
    delimiter = f"--{BOUNDARY}".encode()
    parts = [delimiter + b"\r\nContent-Type: application/dicom\r\n\r\n" + octets + b"\r\n" for octets in files]
    kind = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
    return 200, {"Content-Type": kind}, b"".join(parts) + delimiter + end


def study(uid: str, patient: str = "P-1") -> dict[str, str]:
    return {"0020000D": uid, "00080020": "20250102", "00100020": patient}


def retrieve(pacs: WebPacs, inbox: MemoryInbox, folder: Path, uid: str, patient_id: str = "") -> Retrieved:
    return PacsPriors([WebArchive(pacs)], inbox=inbox, folder=folder, source="PACS").retrieve_study(
        uid, patient_id=patient_id
    )


def test_what_is_asked_and_how_we_sign_in() -> None:
    with serving(lambda _: as_json()) as (pacs, asked):
        assert WebArchive(pacs).studies_of("P-1") == []
        assert WebArchive(pacs).series_of("1.2.3") == []
    (studies, headers), (series, _) = asked
    query = parse_qs(urlsplit(studies).query)
    assert urlsplit(studies).path == "/dicom-web/studies"
    assert (query["PatientID"], query["includefield"]) == (["P-1"], ["IssuerOfPatientID"])
    assert urlsplit(series).path == "/dicom-web/studies/1.2.3/series"
    assert headers["Authorization"] == "Bearer for-this-run"


@pytest.mark.parametrize("knows_offset", [True, False], ids=["pages", "always_the_first_page"])
def test_every_page_is_read_and_a_server_without_offset_does_not_loop(*, knows_offset: bool) -> None:
    everything = [study(f"1.2.{number}") for number in range(150)]

    def answer(path: str) -> Answer:
        query = parse_qs(urlsplit(path).query)
        start = int(query.get("offset", ["0"])[0]) if knows_offset else 0
        return as_json(*everything[start : start + 100])

    with serving(answer) as (pacs, asked):
        found = WebArchive(pacs).studies_of("P-1")
    assert len(found) == (150 if knows_offset else 100)
    assert len(asked) == (3 if knows_offset else 2)


@pytest.mark.parametrize(
    ("answer", "failure", "told"),
    [
        ((503, {"Retry-After": "7"}, b""), TryLater, "503"),
        ((429, {}, b""), TryLater, "429"),
        ((401, {}, b""), Refused, "check its user, password or token"),
        ((403, {}, b""), Refused, "check its user, password or token"),
        ((404, {}, b""), Refused, "with 404: check CONNECTOR_PACS_DICOMWEB_URL"),
        ((200, {}, b"<html>"), Refused, "no DICOM JSON: check CONNECTOR_PACS_DICOMWEB_URL"),
    ],
)
def test_a_search_that_fails_is_judged(answer: Answer, failure: type[ConnectorError], told: str) -> None:
    with serving(lambda _: answer) as (pacs, _), pytest.raises(failure, match=told) as caught:
        WebArchive(pacs).studies_of("SECRET-ID")
    assert "SECRET-ID" not in str(caught.value), "an address holds the patient's ID"
    if "Retry-After" in answer[1]:
        assert caught.value.retry_after_seconds == 7.0


def test_a_service_that_is_silent_or_away_is_asked_later() -> None:
    silent = threading.Event()
    with serving(lambda _: (silent.wait(3), as_json())[1]) as (pacs, _):
        with pytest.raises(TryLater, match="cannot be reached"):
            WebArchive(pacs).check()
        silent.set()
    shut = r"cannot be reached \(ConnectionError\): nothing listens there: .*; check CONNECTOR_PACS_DICOMWEB_URL"
    with pytest.raises(TryLater, match=shut):
        WebArchive(pacs).check()


def test_instances_are_stored_octet_for_octet(tmp_path: Path) -> None:
    images = [make_image(rows=600) for _ in range(3)]
    for image in images:
        image.StudyInstanceUID = images[0].StudyInstanceUID
    inbox = MemoryInbox()
    with serving(lambda _: as_parts(*map(as_file, images))) as (pacs, asked):
        got = retrieve(pacs, inbox, tmp_path, images[0].StudyInstanceUID, "PHANTOM-1")
    assert got == Retrieved(stored=3, failed=0)
    assert 'type="application/dicom"; transfer-syntax=*' in asked[0][1]["Accept"]
    for image in images:
        kept = inbox.receipts[image.SOPInstanceUID].path.read_bytes()
        sent = as_file(image)
        assert kept[kept.index(b"\x08\x00\x05\x00") :] == sent[sent.index(b"\x08\x00\x05\x00") :]


@pytest.mark.parametrize("changes", [{"PatientID": "PHANTOM-2"}, {"StudyInstanceUID": "1.9.9"}])
def test_an_instance_of_another_patient_or_study_is_refused(tmp_path: Path, changes: dict[str, str]) -> None:
    asked_for = make_image()
    wrong = make_image(**({"StudyInstanceUID": asked_for.StudyInstanceUID} | changes))
    inbox = MemoryInbox()
    with serving(lambda _: as_parts(as_file(asked_for), as_file(wrong))) as (pacs, _):
        got = retrieve(pacs, inbox, tmp_path, asked_for.StudyInstanceUID, "PHANTOM-1")
    assert got == Retrieved(stored=1, failed=1)
    assert set(inbox.receipts) == {asked_for.SOPInstanceUID}
    assert len(files_in(tmp_path)) == 1


@pytest.mark.parametrize(
    ("answer", "failure", "told"),
    [
        (as_parts(as_file(make_image()), end=b""), TryLater, "cut off"),
        ((200, {"Content-Type": "application/dicom"}, b"x"), Refused, "multipart/related"),
        ((200, {"Content-Type": "multipart/related", "Content-Length": "900000"}, b"x"), TryLater, "malformed|reached"),
        (as_parts(b"no DICOM at all" * 20), TryLater, "malformed"),
    ],
)
def test_a_retrieval_that_fails_is_judged(
    tmp_path: Path, answer: Answer, failure: type[ConnectorError], told: str
) -> None:
    with serving(lambda _: answer) as (pacs, _), pytest.raises(failure, match=told):
        retrieve(pacs, MemoryInbox(), tmp_path, "1.2.3")
    assert not list((tmp_path / ".incoming").iterdir())


def test_a_series_is_asked_for_by_its_address(tmp_path: Path) -> None:
    inbox = MemoryInbox()
    image = make_image(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.34", Modality="SR", PixelData=None)

    def answer(path: str) -> Answer:
        first = parse_qs(urlsplit(path).query).get("offset", ["0"]) == ["0"]
        if path.startswith("/dicom-web/studies?"):
            return as_json(study(image.StudyInstanceUID, "PHANTOM-1")) if first else as_json()
        if "/series?" in path:
            return as_json({"0020000E": image.SeriesInstanceUID, "00080060": "SR"}) if first else as_json()
        return as_parts(as_file(image))

    with serving(answer) as (pacs, asked):
        assert WebArchive(pacs).series_of(image.StudyInstanceUID) == [
            FoundSeries(image.StudyInstanceUID, image.SeriesInstanceUID, "SR")
        ]
        got = PacsPriors([WebArchive(pacs)], inbox=inbox, folder=tmp_path, source="PACS").retrieve_priors(
            patient_id="PHANTOM-1"
        )
    assert got == Retrieved(stored=1, failed=0)
    assert asked[-1][0] == f"/dicom-web/studies/{image.StudyInstanceUID}/series/{image.SeriesInstanceUID}"
