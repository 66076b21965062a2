"""Puts the report that a person reads into the PACS, as a PDF within the study."""

from collections.abc import Callable, Sequence

from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage

from connector.core.errors import ImpossibleInput
from connector.dicom.headers import quiet
from connector.dicom.write_header import (
    date_document,
    document_of,
    earlier_documents,
    finish_document,
    part_10,
    read_study_header,
    reference,
    start_document,
)
from connector.ports import Document, WriteRequest


class PdfWriter:
    """Writes as Encapsulated PDF (PS3.3 A.45.1) what `render` draws: the same bytes for the same request."""

    def __init__(self, render: Callable[[WriteRequest], bytes]) -> None:
        self._render = render

    def write(self, request: WriteRequest) -> Sequence[Document]:
        """Make the one PDF of the assessed study. Raises ImpossibleInput (no file of the study, no PDF)."""
        return [encapsulate(self._render(request), request)]


def encapsulate(pdf: bytes, request: WriteRequest) -> Document:
    """Put a finished PDF into the study. Raises ImpossibleInput when the bytes are no PDF."""
    if not pdf.startswith(b"%PDF-"):
        raise ImpossibleInput("the report is not a PDF: its first bytes are not %PDF-")
    with quiet():
        document = _document(pdf, request)
        return document_of("pdf", document, part_10(document))


def _document(pdf: bytes, request: WriteRequest) -> Dataset:
    study = read_study_header(request)
    document = start_document(
        study,
        request,
        kind="pdf",
        sop_class_uid=EncapsulatedPDFStorage,
        modality="DOC",
        description="Oncology report (draft)",
    )
    date_document(document, request.assessment.assessed_on)
    document.ConversionType = "WSD"
    document.AcquisitionDateTime = None
    document.BurnedInAnnotation = "YES"
    document.DocumentTitle = "Oncology report (draft)"
    document.ConceptNameCodeSequence = []
    document.SourceInstanceSequence = [
        reference(instance.sop_class_uid, instance.sop_instance_uid) for instance in study.instances
    ]
    document.MIMETypeOfEncapsulatedDocument = "application/pdf"
    document.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    document.EncapsulatedDocumentLength = len(pdf)
    finish_document("pdf", document, [each.identity.encode() for each in earlier_documents("pdf", request)])
    return document
