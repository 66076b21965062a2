"""Real STOW-RS clients at our door: dicomweb-client, and Orthanc's DICOMweb plugin as a sender."""

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from dicomweb_client.api import DICOMwebClient
from pydicom import dcmread
from pydicom.data import get_testdata_file
from receive_case import MemoryInbox, as_file, make_image
from starlette.applications import Starlette

from connector.dicom.receive_stow import stow_routes

sys.path.insert(0, str(Path(__file__).parent))

from dicom_peers import orthanc
from state_peers import free_port, wait_until


@pytest.fixture
def inbox() -> MemoryInbox:
    return MemoryInbox()


@pytest.fixture
def address(inbox: MemoryInbox, tmp_path: Path) -> Iterator[str]:
    """Our STOW-RS door on a free port."""
    routes = stow_routes(
        inbox, tmp_path / "in",
        authorise=lambda request: "peer" if request.headers.get("authorization") == "Bearer secret" else None,
    )  # fmt: skip
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), port=port, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started, seconds=30, what="the start of the door")
    yield f"http://127.0.0.1:{port}/dicom-web"
    server.should_exit = True
    thread.join(15)


def client(address: str, token: str = "secret") -> DICOMwebClient:  # noqa: S107 - of a made server
    return DICOMwebClient(address, headers={"Authorization": f"Bearer {token}"})


def test_dicomweb_client_stores_and_reads_our_answer(address: str, inbox: MemoryInbox) -> None:
    images = [make_image() for _ in range(3)]
    answer = client(address).store_instances(images)
    assert {item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence} == {
        image.SOPInstanceUID for image in images
    }
    assert "FailedSOPSequence" not in answer
    for image in images:
        assert dcmread(inbox.receipts[image.SOPInstanceUID].path) == image


def test_dicomweb_client_stores_into_a_named_study(address: str, inbox: MemoryInbox) -> None:
    right, wrong = make_image(), make_image()
    answer = client(address).store_instances([right, wrong], study_instance_uid=right.StudyInstanceUID)
    assert [item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence] == [right.SOPInstanceUID]
    (failed,) = answer.FailedSOPSequence
    assert (failed.ReferencedSOPInstanceUID, failed.FailureReason) == (wrong.SOPInstanceUID, 0xC001)
    assert set(inbox.receipts) == {right.SOPInstanceUID}


def test_orthanc_sends_over_stow(address: str, inbox: MemoryInbox, tmp_path: Path) -> None:
    (tmp_path / "orthanc").mkdir()
    compressed = Path(get_testdata_file("MR_small_RLE.dcm"))
    with orthanc(tmp_path / "orthanc", connector_port=free_port()) as peer:
        server = {"Url": f"{address}/", "HttpHeaders": {"Authorization": "Bearer secret"}}
        peer.http.put("/dicom-web/servers/connector", json=server).raise_for_status()
        images = [make_image() for _ in range(5)]
        names = [peer.upload(octets) for octets in (*map(as_file, images), compressed.read_bytes())]
        sent = peer.http.post(
            "/dicom-web/servers/connector/stow", json={"Resources": names, "Synchronous": True}
        ).raise_for_status()
        assert sent.json()["InstancesCount"] == "6"
        end = time.monotonic() + 20
        while len(inbox.receipts) < 6 and time.monotonic() < end:
            time.sleep(0.05)
    for image in images:
        assert dcmread(inbox.receipts[image.SOPInstanceUID].path).PixelData == image.PixelData
    kept = inbox.receipts[dcmread(compressed).SOPInstanceUID]
    assert kept.transfer_syntax_uid == dcmread(compressed).file_meta.TransferSyntaxUID
