"""Our delivery against real archives: Orthanc with commitment, query and retrieval, and DCMTK's storage SCP."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from receive_case import MemoryInbox, as_file, listening, make_image

from connector.core.errors import Refused, TryLater
from connector.dicom.pacs import PacsDestination
from connector.dicom.pacs_association import Pacs
from connector.dicom.pacs_dimse import DimseArchive
from connector.dicom.pacs_priors import Archive, PacsPriors, Retrieved
from connector.dicom.pacs_web import WebArchive, WebPacs
from connector.dicom.receive_same import same_dataset
from connector.dicom.write_rejection import RejectionWriter
from connector.ports import Document, Withdrawal

sys.path.insert(0, str(Path(__file__).parent))

from typing import TYPE_CHECKING

from dicom_peers import Orthanc, dcmtk, orthanc, storescp
from state_peers import free_port, wait_until

if TYPE_CHECKING:
    from connector.dicom.receive_commitment import CommitmentResult

SR = "1.2.840.10008.5.1.4.1.1.88.34"


def document(image: Dataset) -> Document:
    return Document(
        kind="sr", destination="pacs", identity=image.SOPInstanceUID, content=as_file(image),
        study_instance_uid=image.StudyInstanceUID,
    )  # fmt: skip


@pytest.fixture(scope="module")
def port() -> int:
    """The port at which Orthanc believes us to listen."""
    return free_port()


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("orthanc"), connector_port=port) as running:
        yield running


def pacs(peer: Orthanc, *, called: str = "ORTHANC", calling: str = "CONNECTOR") -> Pacs:
    return Pacs(host="127.0.0.1", port=peer.dicom_port, ae_title=called, calling_ae_title=calling)


def test_orthanc_answers_our_echo(peer: Orthanc) -> None:
    PacsDestination(pacs(peer)).echo()


def test_orthanc_holds_what_we_delivered(peer: Orthanc) -> None:
    image = make_image()
    for _ in range(2):  # a repeated delivery is harmless
        assert PacsDestination(pacs(peer)).deliver(document(image)).note == ""
    assert peer.instances().count(image.SOPInstanceUID) == 1


def test_orthanc_holds_a_rejection_note_beside_what_it_names(peer: Orthanc) -> None:
    ours = document(make_image())
    PacsDestination(pacs(peer)).deliver(ours)
    (note,) = RejectionWriter().withdraw(
        Withdrawal(ours.study_instance_uid, datetime(2026, 4, 8, tzinfo=UTC), "olga", [ours])
    )
    for _ in range(2):
        assert PacsDestination(pacs(peer)).deliver(note).note == ""
    assert (peer.instances().count(ours.identity), peer.instances().count(note.identity)) == (1, 1)


def test_orthanc_rejects_a_wrong_called_ae_title_for_good(peer: Orthanc) -> None:
    with pytest.raises(Refused, match="another AE title"):
        PacsDestination(pacs(peer, called="NOBODY")).deliver(document(make_image()))


def test_orthanc_hangs_up_on_an_unknown_calling_ae_title(peer: Orthanc) -> None:
    # Orthanc accepts the association and aborts the C-STORE, so it cannot be told from an outage.
    with pytest.raises(TryLater):
        PacsDestination(pacs(peer, calling="STRANGER")).deliver(document(make_image()))


def test_orthanc_commits_to_our_listener(peer: Orthanc, port: int, tmp_path: Path) -> None:
    results: list[CommitmentResult] = []
    image = make_image()
    with listening(MemoryInbox(), tmp_path, port=port, on_commitment_result=results.append):
        delivery = PacsDestination(pacs(peer), storage_commitment=True).deliver(document(image))
        assert delivery.note == "commitment asked"
        wait_until(lambda: results, seconds=20, what="Orthanc's commitment report")
    assert (results[0].committed, results[0].failed) == ((image.SOPInstanceUID,), {})


WAYS = ["DIMSE", "DICOMweb"]


def archive(peer: Orthanc, way: str) -> Archive:
    return WebArchive(WebPacs(**peer.web)) if way == "DICOMweb" else DimseArchive(pacs(peer))


@pytest.mark.parametrize("way", WAYS)
def test_priors_come_from_orthanc_and_only_the_patients(peer: Orthanc, tmp_path: Path, way: str) -> None:
    me, neighbour = f"PRIOR-{way}", f"PRIOR-{way}2"
    current, earlier, foreign = (
        make_image(SOPClassUID=SR, Modality="SR", PatientID=patient, PixelData=None) for patient in (me, me, neighbour)
    )
    image = make_image(PatientID=me)
    for one in (current, earlier, foreign, image):
        peer.upload(as_file(one))
    inbox = MemoryInbox()
    got = PacsPriors([archive(peer, way)], inbox=inbox, folder=tmp_path, source="ORTHANC").retrieve_priors(
        patient_id=me, issuer_of_patient_id="LAB", beside=[current.StudyInstanceUID]
    )
    assert got == Retrieved(stored=1, failed=0)
    (receipt,) = inbox.receipts.values()
    assert (receipt.sop_instance_uid, receipt.source) == (earlier.SOPInstanceUID, "ORTHANC")
    assert dcmread(receipt.path) == earlier


@pytest.mark.parametrize("way", WAYS)
def test_a_whole_study_comes_from_orthanc_with_its_images(peer: Orthanc, tmp_path: Path, way: str) -> None:
    images = [make_image(rows=256) for _ in range(20)]
    for image in images:
        image.StudyInstanceUID = images[0].StudyInstanceUID
        peer.upload(as_file(image))
    inbox = MemoryInbox()
    got = PacsPriors([archive(peer, way)], inbox=inbox, folder=tmp_path, source="ORTHANC").retrieve_study(
        images[0].StudyInstanceUID
    )
    assert got == Retrieved(stored=20, failed=0)
    for image in images:
        assert dcmread(inbox.receipts[image.SOPInstanceUID].path) == image


def test_compressed_pixels_come_as_they_are_stored(peer: Orthanc, tmp_path: Path) -> None:
    path = Path(get_testdata_file("MR_small_jp2klossless.dcm"))
    peer.upload(path.read_bytes())
    receipts = []
    for way in WAYS:
        inbox = MemoryInbox()
        ask = PacsPriors([archive(peer, way)], inbox=inbox, folder=tmp_path, source="ORTHANC")
        assert ask.retrieve_study(dcmread(path).StudyInstanceUID) == Retrieved(stored=1, failed=0)
        receipts += inbox.receipts.values()
    assert {each.transfer_syntax_uid for each in receipts} == {dcmread(path).file_meta.TransferSyntaxUID}
    assert all(same_dataset(each.path, path) for each in receipts)


def test_more_studies_than_one_page_of_orthanc_are_all_found(peer: Orthanc) -> None:
    images = [make_image(PatientID="MANY", rows=1) for _ in range(103)]
    for image in images:
        peer.upload(as_file(image))
    found = WebArchive(WebPacs(**peer.web)).studies_of("MANY")
    assert {study.study_instance_uid for study in found} == {image.StudyInstanceUID for image in images}


def test_orthanc_does_not_let_a_wrong_password_in(peer: Orthanc) -> None:
    with pytest.raises(Refused, match="401: check its user, password or token"):
        WebArchive(WebPacs(url=peer.web["url"], user="connector", password="wrong")).check()  # noqa: S106 - it is wrong
    WebArchive(WebPacs(**peer.web)).check()


def test_when_the_web_service_is_away_the_priors_come_by_dimse(peer: Orthanc, tmp_path: Path) -> None:
    image = make_image(SOPClassUID=SR, Modality="SR", PatientID="FALLBACK", PixelData=None)
    peer.upload(as_file(image))
    away = WebArchive(WebPacs(url=f"http://127.0.0.1:{free_port()}/dicom-web"))
    inbox = MemoryInbox()
    got = PacsPriors([away, DimseArchive(pacs(peer))], inbox=inbox, folder=tmp_path, source="ORTHANC").retrieve_priors(
        patient_id="FALLBACK", issuer_of_patient_id="LAB"
    )
    assert got == Retrieved(stored=1, failed=0)
    assert set(inbox.receipts) == {image.SOPInstanceUID}


def test_an_orthanc_that_refuses_get_moves_to_our_listener(tmp_path: Path) -> None:
    ours, inbox = free_port(), MemoryInbox()
    image = make_image(SOPClassUID=SR, Modality="SR", PixelData=None)
    (tmp_path / "orthanc").mkdir()
    with (
        orthanc(tmp_path / "orthanc", connector_port=ours, allow_get=False) as strict,
        listening(inbox, tmp_path / "in", port=ours),
    ):
        strict.upload(as_file(image))
        got = PacsPriors(
            [DimseArchive(pacs(strict), move_to="CONNECTOR")], inbox=inbox, folder=tmp_path / "in", source="ORTHANC"
        ).retrieve_priors(patient_id="PHANTOM-1", issuer_of_patient_id="LAB")
    assert got == Retrieved(stored=1, failed=0)
    (receipt,) = inbox.receipts.values()
    assert (receipt.sop_instance_uid, receipt.is_prior) == (image.SOPInstanceUID, True)


def test_dcmtk_finds_what_we_delivered_and_moves_it_where_it_is_no_prior_of_ours(tmp_path: Path) -> None:
    ours, inbox, report = free_port(), MemoryInbox(), make_image(SOPClassUID=SR, Modality="SR", PixelData=None)
    (tmp_path / "orthanc").mkdir()
    with (
        orthanc(tmp_path / "orthanc", connector_port=ours) as archive,
        listening(inbox, tmp_path / "in", port=ours),
    ):
        archive.upload(as_file(report))
        level, uid = "QueryRetrieveLevel=STUDY", f"StudyInstanceUID={report.StudyInstanceUID}"
        to = (
            "-aet",
            "CONNECTOR",
            "-aec",
            "ORTHANC",
            "-S",
            "-k",
            level,
            "-k",
            uid,
            "127.0.0.1",
            str(archive.dicom_port),
        )
        found = dcmtk("findscu", "-v", "-k", "PatientID", *to)
        assert report.PatientID in found.stdout + found.stderr
        assert dcmtk("movescu", "-aem", "CONNECTOR", *to).returncode == 0
    (receipt,) = inbox.receipts.values()
    assert (receipt.sop_instance_uid, receipt.is_prior) == (report.SOPInstanceUID, False), "a person had it sent"


def test_dcmtk_stores_what_we_deliver(tmp_path: Path) -> None:
    image = make_image()
    with storescp(tmp_path) as at:
        to = Pacs(host="127.0.0.1", port=at, ae_title="DCMTK", calling_ae_title="CONNECTOR")
        PacsDestination(to).echo()
        assert PacsDestination(to).deliver(document(image)).note == ""
    (stored,) = [path for path in tmp_path.iterdir() if path.is_file()]
    assert dcmread(stored) == image


@pytest.mark.parametrize(
    ("option", "failure"), [("--refuse", Refused), ("--abort-during", TryLater), ("--abort-after", TryLater)]
)
def test_dcmtk_refuses_and_aborts(tmp_path: Path, option: str, failure: type[Exception]) -> None:
    with storescp(tmp_path, option) as at:
        to = Pacs(host="127.0.0.1", port=at, ae_title="DCMTK", calling_ae_title="CONNECTOR")
        with pytest.raises(failure):
            PacsDestination(to).deliver(document(make_image()))
