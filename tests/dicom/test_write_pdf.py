"""The PDF stands in the study as it was drawn."""

import pytest
import written_cases as cases
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO

from connector.core.errors import ImpossibleInput
from connector.dicom.write_pdf import PdfWriter, encapsulate
from connector.ports import Predecessor


@pytest.fixture(scope="module")
def request_(tmp_path_factory):
    return cases.request(cases.assessment(), cases.make_study(tmp_path_factory.mktemp("study")))


@pytest.mark.parametrize("pdf", [b"%PDF-1.7 odd", b"%PDF-1.7 even"])
def test_the_bytes_come_back(request_, pdf):
    document = encapsulate(pdf, request_)
    written = dcmread(DicomBytesIO(document.content))
    assert written.EncapsulatedDocument[: written.EncapsulatedDocumentLength] == pdf
    assert (document.kind, written.Modality, written.MIMETypeOfEncapsulatedDocument) == (
        "pdf",
        "DOC",
        "application/pdf",
    )
    assert written.StudyInstanceUID == cases.STUDY


def test_equal_pages_are_the_equal_document_and_a_correction_is_not(request_):
    one = encapsulate(b"%PDF-1.7 a", request_)
    assert encapsulate(b"%PDF-1.7 a", request_) == one
    assert encapsulate(b"%PDF-1.7 b", request_).identity != one.identity
    corrected = cases.request(
        request_.assessment, request_.paths, predecessors=(Predecessor("pdf", "2.25.1", one.sop_class_uid, "2.25.2"),)
    )
    assert encapsulate(b"%PDF-1.7 a", corrected).identity != one.identity


def test_the_writer_draws_and_encapsulates(request_):
    (document,) = PdfWriter(lambda request: b"%PDF-" + request.assessment.ruleset.encode()).write(request_)
    assert b"%PDF-rules-of-the-test" in document.content


def test_other_bytes_are_refused(request_):
    with pytest.raises(ImpossibleInput, match="not a PDF"):
        encapsulate(b"<html>", request_)
