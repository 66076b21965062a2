"""What outside judges say of a rejection note: a Key Object Selection of our objects, never of the sender's."""

from datetime import UTC, datetime
from io import BytesIO

import highdicom as hd
import pytest
import written_cases as cases
from judge_dicom import dciodvfy, dsrdump, missing_judges, pixelmed
from pydicom import dcmread

from connector.dicom.write_rejection import RejectionWriter
from connector.dicom.write_rtdose import DoseMapWriter
from connector.dicom.write_sr import ReportWriter
from connector.ports import Document, Predecessor, Withdrawal

KOS = "1.2.840.10008.5.1.4.1.1.88.59"


@pytest.fixture(scope="module")
def sent(tmp_path_factory):
    assert not missing_judges(), f"install these judges first: {missing_judges()}"
    request = cases.request(cases.assessment(1, dose=cases.dose()), cases.make_study(tmp_path_factory.mktemp("study")))
    made = [*ReportWriter().write(request), *DoseMapWriter().write(request)]
    return [*made, Document("fhir", "ehr", "fhir:1", b"{}", cases.STUDY)]


# What an earlier report was, whose content is no longer here.
TIDIED = (
    Document("sr", "pacs", "2.25.41", b"", cases.STUDY, "1.2.840.10008.5.1.4.1.1.88.34", "2.25.40"),
    Document("fhir", "ehr", "fhir:0", b"", cases.STUDY),
)


def note_of(sent, path):
    at = datetime(2026, 4, 8, 9, 30, 15, tzinfo=UTC)
    withdrawal = Withdrawal(cases.STUDY, at, "olga", sent, tidied=TIDIED)
    (note,) = RejectionWriter().withdraw(withdrawal)
    path.write_bytes(note.content)
    assert (note,) == tuple(RejectionWriter().withdraw(withdrawal)), "the same bytes"
    return dcmread(path)


def test_the_judges_find_no_error(sent, tmp_path):
    path = tmp_path / "note.dcm"
    note_of(sent, path)
    assert dciodvfy(path, tmp_path) == []
    text, faults = dsrdump(path)
    assert faults == []
    assert "Rejected for Patient Safety Reasons" in text
    assert pixelmed([path])[path] == []


def test_it_names_all_of_ours_and_nothing_else(sent, tmp_path):
    note = hd.ko.KeyObjectSelectionDocument.from_dataset(note_of(sent, tmp_path / "note.dcm"))
    ours = {one.identity for one in (*sent, *TIDIED) if one.destination == "pacs"}
    assert {one.referenced_sop_instance_uid for one in note.content.get_references()} == ours
    assert {uid for uid in ours if note.resolve_reference(uid)[0] == cases.STUDY} == ours
    code = note.ConceptNameCodeSequence[0]
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("113037", "DCM")
    assert (note.StudyInstanceUID, note.PatientID, note.Modality) == (cases.STUDY, "T-0001", "KO")


@pytest.mark.parametrize("rejections", [1, 2])
def test_what_was_rejected_comes_back_as_another_instance_when_the_mark_is_taken_back(sent, tmp_path, rejections):
    notes = tuple(Predecessor("rejection", f"2.25.{number}", KOS, "2.25.9") for number in range(rejections))
    request = cases.request(cases.assessment(1, dose=cases.dose()), cases.make_study(tmp_path), predecessors=notes)
    (again,) = DoseMapWriter().write(request)
    assert again.identity not in {one.identity for one in sent}
    assert dcmread(BytesIO(again.content), stop_before_pixels=True).InstanceNumber == 1 + rejections


def test_without_an_object_in_the_pacs_there_is_no_note(sent):
    at = datetime(2026, 4, 8, tzinfo=UTC)
    assert RejectionWriter().withdraw(Withdrawal(cases.STUDY, at, "olga", sent[-1:])) == ()
