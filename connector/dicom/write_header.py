"""What all our DICOM documents share: the patient and study of the images, our equipment, and bytes without a clock."""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from pydicom import dcmread, dcmwrite
from pydicom.charset import convert_encodings
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, ExplicitVRLittleEndian

from connector.core.errors import ImpossibleInput
from connector.dicom.identity import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    OUR_DEVICE_UID,
    OUR_MANUFACTURER,
    OUR_MODEL_NAME,
    OUR_SERIES_NUMBERS,
    series_uid,
    uid_from,
)
from connector.ports import Document, Predecessor, WriteRequest

# Root attributes of the modules Patient (C.7.1.1), Clinical Trial Subject (C.7.1.3), General Study (C.7.2.1), Patient
# Study (C.7.2.2), Clinical Trial Study (C.7.2.3), and the time zone that the copied times are in (C.12.1).
_COPIED = (
    "TimezoneOffsetFromUTC",
    "PatientName", "PatientID", "IssuerOfPatientID", "TypeOfPatientID", "IssuerOfPatientIDQualifiersSequence",
    "PatientBirthDate", "PatientBirthTime", "PatientSex", "OtherPatientIDsSequence", "OtherPatientNames",
    "QualityControlSubject", "PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence",
    "ClinicalTrialSponsorName", "ClinicalTrialProtocolID", "ClinicalTrialProtocolName", "ClinicalTrialSiteID",
    "ClinicalTrialSiteName", "ClinicalTrialSubjectID", "ClinicalTrialSubjectReadingID",
    "StudyInstanceUID", "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber",
    "IssuerOfAccessionNumberSequence", "StudyDescription", "ProcedureCodeSequence",
    "PatientAge", "PatientSize", "PatientWeight", "AdmissionID", "IssuerOfAdmissionIDSequence",
    "ClinicalTrialTimePointID", "ClinicalTrialTimePointDescription",
)  # fmt: skip
_MAY_BE_EMPTY = (  # type 2: must be there, may be empty
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex",
    "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber",
)  # fmt: skip
_REFERENCED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "PatientID",
               "IssuerOfPatientID", "ReferencedSeriesSequence", "Manufacturer")  # fmt: skip
_IMAGE_MODALITIES = ("CT", "MR", "PT", "NM")
_UNICODE = "ISO_IR 192"
# The signs that guidelines are quoted with; the lint exceptions below are for exactly these look-alikes.
_ASCII_WORDS = str.maketrans({
    "≥": ">=", "≤": "<=", "±": "+/-", "×": "x", "−": "-", "–": "-", "—": "-", "‑": "-", "→": "->", "…": "...",  # noqa: RUF001
    "‘": "'", "’": "'", "“": '"', "”": '"', "µ": "u", "μ": "u", "α": "alpha", "β": "beta", "²": "2", "³": "3",  # noqa: RUF001
    "½": "1/2", "\u00a0": " ", "\u202f": " ",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class SourceInstance:
    """One instance of the assessed study, as far as a document refers to it."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    modality: str
    segmented_series_uid: str | None  # of a segmentation: the series it was drawn on


@dataclass(frozen=True, slots=True, eq=False)
class StudyHeader:
    """The patient and study attributes as sent, and the instances of the study in the order of their UIDs."""

    attributes: Dataset
    instances: tuple[SourceInstance, ...]

    def instance(self, sop_instance_uid: str) -> SourceInstance | None:
        """Find an instance of the study, None when it is not among the files."""
        return next((each for each in self.instances if each.sop_instance_uid == sop_instance_uid), None)


def read_study_header(request: WriteRequest) -> StudyHeader:
    """
    Read what the documents copy and refer to, from the files of the assessed study.

    Our own earlier documents are left out, and so are files that name no patient: the reader does not use them either.
    The patient's attributes come from the first image by SOP Instance UID, so that the order of the files does not
    matter. Raises ImpossibleInput when no file belongs to the study, when the files carry two patients, or when their
    patient is not the one of the request.
    """
    heads = [(path, _head(path, _REFERENCED)) for path in request.paths]
    found = [(path, head) for path, head in heads if head is not None and _belongs(head, request)]
    if not found:
        raise ImpossibleInput(
            "no file of the assessed study was given to the writer: check that the study's files are still in the inbox"
        )
    _check_one_patient([head for _, head in found], request)
    found.sort(key=lambda pair: (pair[1].get("Modality") not in _IMAGE_MODALITIES, str(pair[1].SOPInstanceUID)))
    attributes = _head(found[0][0], ("SpecificCharacterSet", *_COPIED))
    if attributes is None:  # it was readable a moment ago
        raise ImpossibleInput("the header of the study's first image can no longer be read: send the study again")
    unique = {str(head.SOPInstanceUID): head for _, head in found}
    return StudyHeader(attributes, tuple(_source_instance(unique[uid]) for uid in sorted(unique)))


def _belongs(head: Dataset, request: WriteRequest) -> bool:
    named = all(str(head.get(keyword) or "").strip() for keyword in ("SOPClassUID", "SOPInstanceUID", "PatientID"))
    of_study = str(head.get("StudyInstanceUID", "")) == request.assessment.study_instance_uid
    return named and of_study and head.get("Manufacturer") != OUR_MANUFACTURER


def _head(path: Path, keywords: Sequence[str]) -> Dataset | None:
    try:
        return dcmread(path, stop_before_pixels=True, specific_tags=list(keywords), force=True)
    except (OSError, ValueError, EOFError, InvalidDicomError):
        return None  # the reader has named it among the skipped files


def _check_one_patient(heads: Sequence[Dataset], request: WriteRequest) -> None:
    patient_ids = {str(head.PatientID).strip() for head in heads}
    issuers = {str(head.get("IssuerOfPatientID") or "").strip() for head in heads} - {""}
    if len(patient_ids) > 1 or len(issuers) > 1:
        raise ImpossibleInput(
            "the files of one study carry more than one patient: correct the patient in the PACS and send it again"
        )
    known = {identifier.value.strip() for identifier in request.identity.identifiers}
    if known and patient_ids - known:
        raise ImpossibleInput(
            "the PatientID in the study's files is not one of the assessed patient: check how they were matched"
        )


def _source_instance(head: Dataset) -> SourceInstance:
    series = head.get("ReferencedSeriesSequence") or []
    return SourceInstance(
        sop_class_uid=str(head.SOPClassUID),
        sop_instance_uid=str(head.SOPInstanceUID),
        series_instance_uid=str(head.get("SeriesInstanceUID", "")),
        modality=str(head.get("Modality", "")),
        segmented_series_uid=str(series[0].SeriesInstanceUID) if series and "SeriesInstanceUID" in series[0] else None,
    )


def plain(text: str) -> str:
    """Write the signs of our own sentences in ASCII, which every character set of a hospital holds."""
    return text.translate(_ASCII_WORDS)


def copy_study(attributes: Dataset) -> Dataset:
    """Begin a document with the patient and study of another one, in its character set."""
    document = Dataset()
    character_set = attributes.get("SpecificCharacterSet")
    if character_set:
        document.SpecificCharacterSet = character_set
    for keyword in _COPIED:
        if keyword in attributes:
            document.add(copy.deepcopy(attributes[keyword]))
    for keyword in _MAY_BE_EMPTY:
        if keyword not in document:
            setattr(document, keyword, None)
    return document


def start_document(
    header: StudyHeader, request: WriteRequest, *, kind: str, sop_class_uid: str, modality: str, description: str
) -> Dataset:
    """
    Begin a document of the study: patient, study, series, equipment and SOP common modules, without a UID yet.

    The character set is kept.
    """
    document = copy_study(header.attributes)
    study_uid = request.assessment.study_instance_uid
    document.SOPClassUID = sop_class_uid
    document.InstanceCreatorUID = OUR_DEVICE_UID
    document.Modality = modality
    document.SeriesInstanceUID = series_uid(kind, study_uid)
    document.SeriesNumber = OUR_SERIES_NUMBERS[kind]
    document.SeriesDescription = description
    document.InstanceNumber = 1 + len(earlier_documents(kind, request))
    document.Manufacturer = OUR_MANUFACTURER
    document.ManufacturerModelName = OUR_MODEL_NAME
    # Enhanced General Equipment asks for a serial number: software has none but its version.
    document.DeviceSerialNumber = request.assessment.connector_version
    document.SoftwareVersions = request.assessment.connector_version
    return document


def date_document(document: Dataset, day: date) -> None:
    """Date the document's content; the time, which only a clock would know, is midnight."""
    document.InstanceCreationDate = document.ContentDate = day.strftime("%Y%m%d")
    document.ContentTime = "000000"


def use_unicode_if_needed(document: Dataset, texts: Iterable[str]) -> None:
    """
    Change the document to UTF-8 when the study's character set cannot hold our texts (a lesion's label, say).

    Nothing is changed when the study declares no character set but holds other than ASCII: what its bytes mean is then
    unknown, and declaring a set would invent names.
    """
    declared = document.get("SpecificCharacterSet")
    encodings = convert_encodings(declared) if declared else ["ascii"]
    if all(_encodes(text, encodings) for text in texts):
        return
    if declared or _is_ascii(document):
        document.decode()
        document.SpecificCharacterSet = _UNICODE


def _encodes(text: str, encodings: Sequence[str]) -> bool:
    for encoding in ("ascii", *encodings):
        try:
            text.encode(encoding)
        except (UnicodeEncodeError, LookupError):
            continue
        return True
    return False


def _is_ascii(document: Dataset) -> bool:
    return all(str(element.value).isascii() for element in document if element.VR in ("PN", "LO", "SH", "LT", "ST"))


def evidence_of(header: StudyHeader, request: WriteRequest) -> list[Dataset]:
    """Refer to every instance of the study (Current Requested Procedure Evidence, PS3.3 C.17.2)."""
    references = [(each.series_instance_uid, each.sop_class_uid, each.sop_instance_uid) for each in header.instances]
    return [study_references(request.assessment.study_instance_uid, references)]


def study_references(study_uid: str, references: Iterable[tuple[str, str, str]]) -> Dataset:
    """Refer to instances of a study, given as (series, class, instance)."""
    study = Dataset()
    study.StudyInstanceUID = study_uid
    study.ReferencedSeriesSequence = series_references(references, "ReferencedSOPSequence")
    return study


def series_references(references: Iterable[tuple[str, str, str]], within: str) -> list[Dataset]:
    """Refer to instances, given as (series, class, instance), one item a series; `within` is its sequence's keyword."""
    by_series: dict[str, list[Dataset]] = {}
    for series, sop_class, sop_instance in sorted(set(references)):
        by_series.setdefault(series, []).append(reference(sop_class, sop_instance))
    items = []
    for series, instances in by_series.items():
        item = Dataset()
        item.SeriesInstanceUID = series
        setattr(item, within, instances)
        items.append(item)
    return items


def reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    """Refer to one instance by class and UID."""
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class_uid
    item.ReferencedSOPInstanceUID = sop_instance_uid
    return item


def earlier_documents(kind: str, request: WriteRequest) -> list[Predecessor]:
    """Name the documents of a kind that the new one supersedes."""
    return [each for each in request.predecessors if each.kind == kind]


def number_after_rejections(request: WriteRequest) -> int:
    """
    Number a document that names no predecessor: 1, and one more for each time that the study was rejected.

    What a PACS has rejected it hides for good, so equal content comes back as another instance.
    """
    return 1 + len(earlier_documents("rejection", request))


def predecessors_of(kind: str, request: WriteRequest) -> list[Dataset]:
    """Refer to the earlier documents of a kind (Predecessor Documents, PS3.3 C.17.2); empty without any."""
    earlier = earlier_documents(kind, request)
    references = [(each.series_instance_uid, each.sop_class_uid, each.identity) for each in earlier]
    return [study_references(request.assessment.study_instance_uid, references)] if references else []


def finish_document(kind: str, document: Dataset, bulk: Iterable[bytes] = ()) -> None:
    """
    Give the document the UID of its content; `bulk` stands for pixels or a file that are kept outside.

    A document that names its predecessor has another UID than one with equal words and none: when a correction is
    taken back, the archive gets a third report that supersedes the second, instead of keeping the wrong one as newest.
    """
    buffer = BytesIO()
    dcmwrite(buffer, document, implicit_vr=False, little_endian=True)
    digest = sha256(buffer.getvalue())
    for octets in bulk:
        digest.update(octets)
    document.SOPInstanceUID = UID(uid_from(kind, str(document.StudyInstanceUID), digest.hexdigest()))


def part_10(document: Dataset) -> bytes:
    """Make the DICOM file of a finished document, in Explicit VR Little Endian."""
    document.file_meta = file_meta_of(document)
    buffer = BytesIO()
    dcmwrite(buffer, document, enforce_file_format=True)
    return buffer.getvalue()


def file_meta_of(document: Dataset) -> FileMetaDataset:
    """Make the file meta information, which names our implementation."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = document.SOPClassUID
    meta.MediaStorageSOPInstanceUID = document.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    return meta


def document_of(kind: str, document: Dataset, content: bytes) -> Document:
    """Hand a finished DICOM document to the flow, bound for the PACS."""
    return Document(
        kind=kind,
        destination="pacs",
        identity=str(document.SOPInstanceUID),
        content=content,
        study_instance_uid=str(document.StudyInstanceUID),
        sop_class_uid=str(document.SOPClassUID),
        series_instance_uid=str(document.SeriesInstanceUID),
    )
