"""Priors found and fetched at a PACS: all of the patient's, and never another patient's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pacs_case import FIND, GET, MOVE, SR, scripted
from pydicom import Dataset
from pynetdicom import AE, evt
from receive_case import MemoryInbox, files_in, listening, make_image
from step_case import calling

from connector.core.errors import ImpossibleInput, Refused, TryLater
from connector.dicom.pacs_association import Pacs
from connector.dicom.pacs_dimse import DimseArchive
from connector.dicom.pacs_priors import FoundSeries, PacsPriors, Retrieved


def found(**values: str) -> Dataset:
    answer = Dataset()
    for keyword, value in values.items():
        setattr(answer, keyword, value)
    return answer


class Archive:
    """A PACS with studies to find and to get; it may also answer what it was not asked."""

    def __init__(self, *images: Dataset) -> None:
        self.images = images
        self.asked: list[Dataset] = []

    def find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        keys = event.identifier
        self.asked.append(keys)
        for image in self.images:
            if keys.QueryRetrieveLevel == "STUDY":
                answer = {"PatientID": image.PatientID, "IssuerOfPatientID": image.IssuerOfPatientID,
                          "StudyInstanceUID": image.StudyInstanceUID, "StudyDate": image.StudyDate}  # fmt: skip
            elif keys.StudyInstanceUID == image.StudyInstanceUID:
                answer = {"SeriesInstanceUID": image.SeriesInstanceUID, "Modality": image.Modality}
            else:
                continue
            yield 0xFF00, found(**answer)

    def get(self, event: Any) -> Iterator[Any]:
        wanted = [image for image in self.images if image.SeriesInstanceUID == event.identifier.SeriesInstanceUID]
        yield len(wanted)
        for image in wanted:
            yield 0xFF00, image

    @property
    def handlers(self) -> tuple[Any, Any]:
        return (evt.EVT_C_FIND, self.find), (evt.EVT_C_GET, self.get)


def report(**changes: Any) -> Dataset:
    return make_image(SOPClassUID=SR, Modality="SR", **changes)


ARCHIVE = (FIND, GET, SR)


def priors(pacs: Pacs, inbox: MemoryInbox, folder: Path) -> PacsPriors:
    return PacsPriors([DimseArchive(pacs)], inbox=inbox, folder=folder, source="PACS")


def test_priors_come_in_the_same_way_as_what_is_sent(tmp_path: Path) -> None:
    current, earlier, images = report(), report(), make_image()
    inbox = MemoryInbox()
    with scripted(*Archive(current, earlier, images).handlers, contexts=ARCHIVE) as pacs:
        got = priors(pacs, inbox, tmp_path).retrieve_priors(
            patient_id="PHANTOM-1", issuer_of_patient_id="LAB", beside=[current.StudyInstanceUID]
        )
    assert got == Retrieved(stored=1, failed=0)
    (receipt,) = inbox.receipts.values()
    assert (receipt.sop_instance_uid, receipt.source) == (earlier.SOPInstanceUID, "PACS")
    assert inbox.opened == inbox.closed == [receipt.association_id]


def test_a_series_that_the_pacs_lists_twice_is_got_once(tmp_path: Path) -> None:
    series = {"StudyInstanceUID": "2.25.7", "SeriesInstanceUID": "2.25.8"}
    archive, inbox = Archive(report(**series), report(**series)), MemoryInbox()  # it answers once for each instance
    with scripted(*archive.handlers, contexts=ARCHIVE) as pacs:
        got = DimseArchive(pacs).series_of("2.25.7")
        assert got == [FoundSeries("2.25.7", "2.25.8", "SR")] * 2
        came = priors(pacs, inbox, tmp_path)._retrieve(DimseArchive(pacs), got, "PHANTOM-1")
    assert came == Retrieved(stored=2, failed=0)


@pytest.mark.parametrize(
    ("changes", "kept", "why"),
    [
        ({}, True, "the patient"),
        ({"PatientID": "PHANTOM-2"}, False, "another ID: the PACS matched too much"),
        ({"IssuerOfPatientID": "ELSEWHERE"}, False, "the same ID of another issuer is another patient"),
        ({"IssuerOfPatientID": ""}, True, "a PACS that does not keep issuers"),
    ],
)
def test_studies_of_another_patient_are_not_believed(
    tmp_path: Path, changes: dict[str, str], why: str, *, kept: bool
) -> None:
    study, inbox = report(**changes), MemoryInbox()
    with scripted(*Archive(study).handlers, contexts=ARCHIVE) as pacs:
        priors(pacs, inbox, tmp_path).retrieve_priors(patient_id="PHANTOM-1", issuer_of_patient_id="LAB")
    assert list(inbox.receipts) == ([study.SOPInstanceUID] if kept else []), why


@pytest.mark.parametrize("patient_id", ["", "*", "PHANTOM-?", "A\\B"])
def test_an_id_that_matches_other_patients_is_never_asked(tmp_path: Path, patient_id: str) -> None:
    archive = Archive(report())
    with scripted(*archive.handlers, contexts=ARCHIVE) as pacs, pytest.raises(ImpossibleInput):
        priors(pacs, MemoryInbox(), tmp_path).retrieve_priors(patient_id=patient_id)
    assert not archive.asked


@pytest.mark.parametrize("changes", [{"PatientID": "PHANTOM-2"}, {"StudyInstanceUID": "1.9.9"}])
def test_an_instance_of_another_patient_or_study_is_refused(tmp_path: Path, changes: dict[str, str]) -> None:
    asked = report()
    wrong = report(SeriesInstanceUID=asked.SeriesInstanceUID, **changes)
    archive, inbox = Archive(asked), MemoryInbox()
    archive.get = lambda _: iter([1, (0xFF00, wrong)])
    with scripted(*archive.handlers, contexts=ARCHIVE) as pacs:
        got = priors(pacs, inbox, tmp_path).retrieve_priors(patient_id="PHANTOM-1", issuer_of_patient_id="LAB")
    assert got == Retrieved(stored=0, failed=1)
    assert not inbox.receipts
    assert not files_in(tmp_path)


def test_series_are_listed() -> None:
    image = report()
    with scripted(*Archive(image).handlers, contexts=ARCHIVE) as pacs:
        series = DimseArchive(pacs).series_of(image.StudyInstanceUID)
    assert series == [FoundSeries(image.StudyInstanceUID, image.SeriesInstanceUID, "SR")]


@pytest.mark.parametrize(
    ("status", "failure"), [(0xA700, TryLater), (0x0110, TryLater), (0xA900, Refused), (0xC001, Refused)]
)
def test_a_query_that_fails_is_judged(tmp_path: Path, status: int, failure: type[Exception]) -> None:
    handler = (evt.EVT_C_FIND, lambda _: iter([(status, None)]))
    with scripted(handler, contexts=ARCHIVE) as pacs, pytest.raises(failure, match=f"{status:04X}"):
        priors(pacs, MemoryInbox(), tmp_path).retrieve_priors(patient_id="PHANTOM-1")


def test_what_get_is_refused_for_comes_by_move_to_our_listener(tmp_path: Path) -> None:
    earlier, inbox = report(), MemoryInbox()
    archive = Archive(earlier)
    # pynetdicom's archive names itself as the originator, and not who asked.
    with listening(inbox, tmp_path / "in") as listener:

        def move(_: Any) -> Iterator[Any]:
            yield "127.0.0.1", listener.port
            yield 1
            yield 0xFF00, earlier

        handlers = ((evt.EVT_C_FIND, archive.find), (evt.EVT_C_MOVE, move))

        def also_send(entity: AE) -> None:
            entity.add_requested_context(SR, "1.2.840.10008.1.2.1")

        with scripted(*handlers, contexts=(FIND, MOVE), change=also_send) as pacs:
            ways = [DimseArchive(pacs, move_to="CONNECTOR")]
            got = PacsPriors(ways, inbox=inbox, folder=tmp_path / "priors", source="PACS").retrieve_priors(
                patient_id="PHANTOM-1", issuer_of_patient_id="LAB"
            )
    assert got == Retrieved(stored=1, failed=0)
    (receipt,) = inbox.receipts.values()
    assert (receipt.sop_instance_uid, receipt.is_prior) == (earlier.SOPInstanceUID, True), "no assessment of its own"


@pytest.mark.parametrize(
    ("asked_for", "is_prior", "why"),
    [
        (["2.25.8"], True, "its series is asked for at this moment"),
        (["2.25.7"], True, "its study is"),
        (["2.25.9"], False, "another series is: a PACS names itself also in what its own rules send, to be assessed"),
        ([], False, "nothing is"),
    ],
)
def test_what_a_pacs_moves_here_by_itself_is_there_to_be_assessed(tmp_path: Path, asked_for, is_prior, why) -> None:
    inbox, image = MemoryInbox(), make_image(StudyInstanceUID="2.25.7", SeriesInstanceUID="2.25.8")
    with (
        listening(inbox, tmp_path) as listener,
        inbox.expecting(asked_for),
        calling(listener, image.SOPClassUID, title="PACS") as association,
    ):
        assert association.send_c_store(image, originator_aet="PACS", originator_id=1).Status == 0
    (receipt,) = inbox.receipts.values()
    assert receipt.is_prior == is_prior, why


@pytest.mark.parametrize(
    ("final", "why"), [(0xB000, "one of two did not fit the contexts"), (0xA702, "none could be sent")]
)
def test_what_a_get_leaves_out_comes_by_move(tmp_path: Path, final: int, why: str) -> None:
    one = report()
    other = report(**{k: one[k].value for k in ("StudyInstanceUID", "SeriesInstanceUID")})
    inbox, archive = MemoryInbox(), Archive(one)

    def get(_: Any) -> Iterator[Any]:
        yield 2
        if final == 0xB000:
            yield 0xFF00, one
        yield final, found(FailedSOPInstanceUIDList=other.SOPInstanceUID)

    with listening(inbox, tmp_path / "in") as listener:

        def move(_: Any) -> Iterator[Any]:
            yield "127.0.0.1", listener.port
            yield 2
            yield 0xFF00, one
            yield 0xFF00, other

        handlers = ((evt.EVT_C_FIND, archive.find), (evt.EVT_C_GET, get), (evt.EVT_C_MOVE, move))

        def also_send(entity: AE) -> None:
            entity.add_requested_context(SR, "1.2.840.10008.1.2.1")

        with scripted(*handlers, contexts=(*ARCHIVE, MOVE), change=also_send) as pacs:
            ways = [DimseArchive(pacs, move_to="CONNECTOR")]
            got = PacsPriors(ways, inbox=inbox, folder=tmp_path / "priors", source="PACS").retrieve_priors(
                patient_id="PHANTOM-1", issuer_of_patient_id="LAB"
            )
    assert got == Retrieved(stored=2, failed=0), why
    assert set(inbox.receipts) == {one.SOPInstanceUID, other.SOPInstanceUID}


def test_without_a_move_destination_a_pacs_without_get_is_refused(tmp_path: Path) -> None:
    with (
        scripted(*Archive(report()).handlers, contexts=(FIND, SR)) as pacs,
        pytest.raises(Refused, match="does not offer C-GET"),
    ):
        priors(pacs, MemoryInbox(), tmp_path).retrieve_priors(patient_id="PHANTOM-1", issuer_of_patient_id="LAB")


def test_a_pacs_that_does_not_know_us_as_a_destination_says_what_to_do(tmp_path: Path) -> None:
    archive = Archive(report())

    def move(_: Any) -> Iterator[Any]:
        yield None, None

    with scripted((evt.EVT_C_FIND, archive.find), (evt.EVT_C_MOVE, move), contexts=(FIND, MOVE)) as pacs:
        ways = [DimseArchive(pacs, move_to="CONNECTOR")]
        with pytest.raises(Refused, match="register it there"):
            PacsPriors(ways, inbox=MemoryInbox(), folder=tmp_path, source="PACS").retrieve_priors(
                patient_id="PHANTOM-1", issuer_of_patient_id="LAB"
            )


def test_a_pacs_that_cannot_be_queried_is_told(tmp_path: Path) -> None:
    with scripted() as pacs, pytest.raises(Refused, match="supports none"):
        priors(pacs, MemoryInbox(), tmp_path).retrieve_priors(patient_id="PHANTOM-1")
