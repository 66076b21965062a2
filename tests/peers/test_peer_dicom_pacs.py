"""Our delivery against real archives: Orthanc with commitment, query and retrieval, and DCMTK's storage SCP."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from receive_case import MemoryInbox, as_file, listening, make_image

from connector.core.errors import Refused, TryLater
from connector.dicom.pacs import PacsDestination
from connector.dicom.pacs_association import Pacs
from connector.dicom.pacs_priors import PacsPriors, Retrieved
from connector.ports import Document

sys.path.insert(0, str(Path(__file__).parent))

from typing import TYPE_CHECKING

from dicom_peers import Orthanc, orthanc, storescp
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


def test_priors_come_from_orthanc_and_only_the_patients(peer: Orthanc, tmp_path: Path) -> None:
    current, earlier, foreign = (
        make_image(SOPClassUID=SR, Modality="SR", PatientID=patient, PixelData=None)
        for patient in ("PRIOR-1", "PRIOR-1", "PRIOR-12")
    )
    image = make_image(PatientID="PRIOR-1")
    for one in (current, earlier, foreign, image):
        peer.upload(as_file(one))
    inbox = MemoryInbox()
    got = PacsPriors(pacs(peer), inbox=inbox, folder=tmp_path).retrieve_priors(
        patient_id="PRIOR-1", issuer_of_patient_id="LAB", beside=[current.StudyInstanceUID]
    )
    assert got == Retrieved(stored=1, failed=0)
    (receipt,) = inbox.receipts.values()
    assert receipt.sop_instance_uid == earlier.SOPInstanceUID
    assert dcmread(receipt.path).PatientID == "PRIOR-1"


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
