"""What a person is shown of a study's files besides its images: whom they name, and the PDF inside a document."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from pydicom import dcmread

from connector.core.case import PatientIdentity
from connector.core.errors import ImpossibleInput
from connector.dicom.headers import identity, quiet, read_header, reading


@reading()
def identity_of(paths: Sequence[Path]) -> PatientIdentity | None:
    """Whom the first readable file names; None when none of them can be read."""
    for path in paths:
        try:
            return identity(read_header(path).dataset)
        except ImpossibleInput:
            continue
    return None


def pdf_of(content: bytes) -> bytes | None:
    """The PDF inside an Encapsulated PDF (PS3.3 C.24.2), without its padding; None for any other object."""
    with quiet():
        dataset = dcmread(BytesIO(content))
        encapsulated = dataset.get("EncapsulatedDocument")
        if encapsulated is None or str(dataset.get("MIMETypeOfEncapsulatedDocument")) != "application/pdf":
            return None
        length = dataset.get("EncapsulatedDocumentLength")
        return bytes(encapsulated[: int(length)] if length is not None else encapsulated)
