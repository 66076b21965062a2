"""What the console shows of files on disk: whom a study's images name, and documents as a person opens them."""

from dataclasses import dataclass

from connector.core.case import PatientIdentity
from connector.dicom.view_study import identity_of, pdf_of
from connector.store.ledger import SqlLedger

_DICOM, _PDF, _FHIR = "application/dicom", "application/pdf", "application/fhir+json"


@dataclass(frozen=True, slots=True)
class StudyFiles:
    """Reads from the inbox and the outbox; see `console.site.Studies`."""

    ledger: SqlLedger

    def identity(self, study_instance_uid: str) -> PatientIdentity | None:
        """Whom the study's images name."""
        study = self.ledger.study(study_instance_uid)
        return None if study is None else identity_of(study.paths)

    def document(self, document_id: str) -> tuple[str, str, bytes] | None:
        """File name, media type and content; a report comes as the PDF inside its DICOM object."""
        try:
            document = self.ledger.document(document_id)
        except FileNotFoundError:
            return None
        if document is None:
            return None
        name = f"{document.kind}-{document_id[:8]}"
        if document.destination == "ehr":
            return f"{name}.json", _FHIR, document.content
        pdf = pdf_of(document.content) if document.kind == "pdf" else None
        return (f"{name}.pdf", _PDF, pdf) if pdf is not None else (f"{name}.dcm", _DICOM, document.content)
