"""Real senders at our door: DCMTK as shipped, Orthanc with storage commitment, and what happens when they break."""

import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from receive_case import MemoryInbox, as_file, files_in, listening, make_image, wait_for

from connector.dicom.receive import Listener
from connector.dicom.receive_same import same_dataset
from connector.service import Service
from connector.settings import Settings

sys.path.insert(0, str(Path(__file__).parent))

from dicom_peers import dcmtk, orthanc, start_storescu, storescu
from state_peers import answers, free_port, wait_until


@pytest.fixture
def inbox() -> MemoryInbox:
    return MemoryInbox()


@pytest.fixture
def listener(inbox: MemoryInbox, tmp_path: Path) -> Iterator[Listener]:
    with listening(inbox, tmp_path / "in") as running:
        yield running


def write_images(folder: Path, count: int, *, rows: int = 8) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number:04d}.dcm" for number in range(count)]
    for path in paths:
        path.write_bytes(as_file(make_image(rows=rows)))
    return paths


@pytest.mark.parametrize("program", ["storescu", "dcmsend"])
def test_dcmtk_sends_and_everything_is_there(
    listener: Listener, inbox: MemoryInbox, tmp_path: Path, program: str
) -> None:
    files = write_images(tmp_path / "out", 30)
    sent = dcmtk(program, "-aec", "CONNECTOR", "127.0.0.1", str(listener.port), *map(str, files))
    assert sent.returncode == 0, sent.stderr
    assert set(inbox.receipts) == {dcmread(path).SOPInstanceUID for path in files}
    for path in files:
        assert dcmread(inbox.receipts[dcmread(path).SOPInstanceUID].path) == dcmread(path)


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI:UserWarning:pydicom")  # the dose's UIDs have leading zeros
@pytest.mark.parametrize(
    ("name", "proposed"),
    [
        ("MR_small_RLE.dcm", "-xr"),
        ("JPEG2000.dcm", "-xw"),
        ("MR_small_jpeg_ls_lossless.dcm", "-xt"),
        ("MR_small_bigendian.dcm", "-xb"),
        ("image_dfl.dcm", "-xd"),
        ("rtdose.dcm", "-xi"),
        ("liver_1frame.dcm", "-xe"),
        ("test-SR.dcm", "-xe"),
    ],
)
def test_every_transfer_syntax_is_stored_as_it_comes(
    listener: Listener, inbox: MemoryInbox, name: str, proposed: str
) -> None:
    path = Path(get_testdata_file(name))
    sent = storescu(listener.port, [path], proposed, "-R")
    assert sent.returncode == 0, sent.stderr + sent.stdout
    (receipt,) = inbox.receipts.values()
    original = dcmread(path)
    assert receipt.study_instance_uid == original.StudyInstanceUID
    assert receipt.transfer_syntax_uid == original.file_meta.TransferSyntaxUID
    assert same_dataset(receipt.path, path)
    stored = dcmread(receipt.path)
    for dataset in (stored, original):
        del dataset[0x7FE00000:]  # pixels, whose offset table DCMTK drops, and padding
    assert stored == original


def test_a_hundred_associations_at_once(inbox: MemoryInbox, tmp_path: Path) -> None:
    files = write_images(tmp_path / "out", 100)
    with listening(inbox, tmp_path / "in", maximum_associations=128) as listener:
        senders = [start_storescu(listener.port, [path]) for path in files]
        assert [sender.wait(60) for sender in senders] == [0] * 100
        wait_for(lambda: len(inbox.closed) == 100, seconds=20)
    assert len(inbox.receipts) == 100
    assert sorted(inbox.opened) == sorted(inbox.closed)


def test_a_sender_killed_in_the_middle_loses_nothing_that_was_answered(
    listener: Listener, inbox: MemoryInbox, tmp_path: Path
) -> None:
    files = write_images(tmp_path / "out", 200, rows=512)
    sender = start_storescu(listener.port, files)
    wait_until(lambda: len(inbox.receipts) > 5, seconds=20, what="the first instances")
    sender.kill()
    sender.wait()
    wait_for(lambda: inbox.closed)
    assert 5 < len(inbox.receipts) < 200
    for receipt in inbox.receipts.values():
        assert dcmread(receipt.path).SOPInstanceUID == receipt.sop_instance_uid
    assert len(files_in(tmp_path / "in")) == len(inbox.receipts)
    again = storescu(listener.port, files)
    assert again.returncode == 0
    assert len(inbox.receipts) == len(files_in(tmp_path / "in")) == 200


def test_a_stopped_sender_is_dropped_and_others_go_on(inbox: MemoryInbox, tmp_path: Path) -> None:
    files = write_images(tmp_path / "out", 300, rows=512)
    with listening(inbox, tmp_path / "in", idle_seconds=1.0) as listener:
        sender = start_storescu(listener.port, files)
        wait_until(lambda: inbox.receipts, seconds=20, what="the first instance")
        subprocess.run(["kill", "-STOP", str(sender.pid)], check=True)
        assert storescu(listener.port, write_images(tmp_path / "more", 3)).returncode == 0
        wait_for(lambda: len(inbox.closed) == 2, seconds=10)
        sender.kill()
        sender.wait()
    assert not files_in(tmp_path / "in" / ".incoming")


def test_sent_twice_is_kept_once(listener: Listener, inbox: MemoryInbox, tmp_path: Path) -> None:
    files = write_images(tmp_path / "out", 5)
    assert [storescu(listener.port, files).returncode for _ in range(2)] == [0, 0]
    assert len(files_in(tmp_path / "in")) == len(inbox.receipts) == 5


@pytest.mark.parametrize(
    ("called", "calling", "reason"),
    [("WRONG", "CT1", "Called AE Title Not Recognized"), ("CONNECTOR", "CT2", "Calling AE Title Not Recognized")],
)
def test_who_is_not_let_in_hears_why(
    inbox: MemoryInbox, tmp_path: Path, called: str, calling: str, reason: str
) -> None:
    with listening(inbox, tmp_path / "in", allowed_calling_ae_titles=frozenset({"CT1"})) as listener:
        sent = storescu(listener.port, write_images(tmp_path / "out", 1), called=called, calling=calling)
    assert sent.returncode != 0
    assert reason in sent.stderr
    assert not inbox.receipts


def test_a_transfer_syntax_that_dcmtk_does_not_know_is_offered_and_taken(listener: Listener) -> None:
    # storescu cannot send one, so the proposal is looked at: any syntax must be accepted as it is.
    asked = dcmtk("echoscu", "-v", "-aec", "CONNECTOR", "-pts", "38", "127.0.0.1", str(listener.port))
    assert asked.returncode == 0, asked.stderr


def test_a_resource_shortage_is_told_to_the_sender(inbox: MemoryInbox, tmp_path: Path) -> None:
    with listening(inbox, tmp_path / "in", disk_reserve_bytes=2**62) as listener:
        sent = storescu(listener.port, write_images(tmp_path / "out", 1), "-d")
    assert "0xa700" in (sent.stdout + sent.stderr).lower()
    assert not inbox.receipts


def test_a_stock_sender_does_not_wait_for_delayed_acknowledgements(
    listener: Listener, inbox: MemoryInbox, tmp_path: Path
) -> None:
    files = write_images(tmp_path / "out", 100)
    began = time.monotonic()
    assert storescu(listener.port, files).returncode == 0
    assert time.monotonic() - began < 100 * 0.040, "Nagle and delayed acknowledgement cost 40 ms an instance"
    assert len(inbox.receipts) == 100


def test_orthanc_sends_and_we_commit(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "orthanc").mkdir()
    with orthanc(tmp_path / "orthanc", connector_port=port) as peer, Service(
        Settings(
            data_dir=tmp_path / "in", dicom_port=port, http_port=0, disk_reserve_mb=0, offer_storage_commitment=True,
            storage_commitment_peers=f"ORTHANC=127.0.0.1:{peer.dicom_port}",
        )
    ) as service:  # fmt: skip
        images = [make_image() for _ in range(3)]
        names = [peer.upload(as_file(image)) for image in images]
        sent = peer.http.post(
            "/modalities/connector/store", json={"Resources": names[:2], "StorageCommitment": True}
        ).raise_for_status()
        uids = [image.SOPInstanceUID for image in images]
        assert set(service.app.inbox.held(uids)) == set(uids[:2])
        transaction = sent.json()["StorageCommitmentTransactionUID"]
        wait_until(
            lambda: peer.http.get(f"/storage-commitment/{transaction}").json()["Status"] != "Pending",
            seconds=20, what="our commitment report",
        )  # fmt: skip
        assert peer.http.get(f"/storage-commitment/{transaction}").json()["Status"] == "Success"
        # The third was never sent: that we hold it must not be promised.
        asked = peer.http.post(
            "/modalities/connector/storage-commitment", json={"DicomInstances": [
                {"SOPClassUID": images[2].SOPClassUID, "SOPInstanceUID": images[2].SOPInstanceUID}]}
        ).raise_for_status()  # fmt: skip
        path = asked.json()["Path"]
        wait_until(lambda: peer.http.get(path).json()["Status"] != "Pending", seconds=20, what="our second report")
        assert peer.http.get(path).json()["Status"] == "Failure"


def test_a_connection_reset_in_the_middle_leaves_nothing(
    listener: Listener, inbox: MemoryInbox, tmp_path: Path
) -> None:
    (large,) = write_images(tmp_path / "out", 1, rows=60_000)  # 7.7 MB
    proxy = socket.create_server(("127.0.0.1", 0))
    sender = start_storescu(proxy.getsockname()[1], [large])
    inside, _ = proxy.accept()
    with socket.create_connection(("127.0.0.1", listener.port)) as outside:
        inside.settimeout(0.2)
        outside.settimeout(0.2)
        passed = 0
        while passed < 6_000_000:
            for source, target in ((inside, outside), (outside, inside)):
                try:
                    octets = source.recv(65536)
                except TimeoutError:
                    continue
                target.sendall(octets)
                passed += len(octets)
            inside.settimeout(0.001)
            outside.settimeout(0.001)
    inside.close()
    proxy.close()
    sender.kill()
    sender.wait()
    wait_for(lambda: not listener.open_associations)
    assert not inbox.receipts
    assert not files_in(tmp_path / "in")


LISTENER = """
import signal, sys
from pathlib import Path
from connector.dicom.receive import Listener
from connector.dicom.receive_same import same_dataset
from connector.service import Service
from connector.settings import Settings
from connector.store import open_ledger
from connector.store.inbox import SqlInbox
from connector.store.tables import metadata
port, folder = int(sys.argv[1]), Path(sys.argv[2])
engine = open_ledger(f"sqlite:///{folder}/ledger.sqlite")
metadata.create_all(engine)
inbox = SqlInbox(engine, case_ref=str, same_dataset=same_dataset)
Listener(inbox=inbox, folder=folder / "in", ae_title="CONNECTOR", host="127.0.0.1", port=port).start()
signal.pause()
"""


def test_a_listener_killed_after_its_answer_has_lost_nothing(tmp_path: Path) -> None:
    files, port = write_images(tmp_path / "out", 300, rows=64), free_port()

    def start() -> "subprocess.Popen[bytes]":
        process = subprocess.Popen([sys.executable, "-c", LISTENER, str(port), str(tmp_path)])
        try:
            wait_until(lambda: answers(port), seconds=60, what="the start of the listener")
        except TimeoutError:
            process.kill()
            raise
        return process

    killed = start()
    sender = subprocess.Popen(
        ["storescu", "-v", "-aec", "CONNECTOR", "127.0.0.1", str(port), *map(str, files)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    answered = 0
    for line in sender.stdout:
        answered += "Received Store Response (Success)" in line
        if answered == 40:
            killed.kill()
            break
    answered += sender.stdout.read().count("Received Store Response (Success)")
    sender.wait(30)
    killed.wait()
    assert 40 <= answered < 300
    with sqlite3.connect(tmp_path / "ledger.sqlite") as ledger:
        kept = dict(ledger.execute("SELECT sop_instance_uid, path FROM instance"))
    for path in files[:answered]:
        image = dcmread(path)
        assert dcmread(kept[image.SOPInstanceUID]) == image
    again = start()
    try:
        assert storescu(port, files).returncode == 0
    finally:
        again.kill()
        again.wait()
    with sqlite3.connect(tmp_path / "ledger.sqlite") as ledger:
        kept = dict(ledger.execute("SELECT sop_instance_uid, path FROM instance"))
    assert len(kept) == 300
    assert all(Path(path).is_file() for path in kept.values())
    assert not files_in(tmp_path / "in" / ".incoming")
