"""Writes the assessment as one DICOM Structured Report that a PACS keeps beside the images it was made from."""

from collections.abc import Sequence

from highdicom.sr import (
    CodeContentItem,
    CodedConcept,
    ContainerContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    LanguageOfContentItemAndDescendants,
    ObserverContext,
    RelationshipTypeValues,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dicom_codes
from pydicom.uid import Comprehensive3DSRStorage

from connector.core.assessment import Assessment
from connector.dicom import codes
from connector.dicom.codes import coded
from connector.dicom.headers import quiet
from connector.dicom.identity import OUR_DEVICE_UID, OUR_MANUFACTURER, OUR_MODEL_NAME
from connector.dicom.write_header import (
    StudyHeader,
    date_document,
    document_of,
    evidence_of,
    finish_document,
    part_10,
    predecessors_of,
    read_study_header,
    start_document,
    use_unicode_if_needed,
)
from connector.dicom.write_sr_groups import measurement_groups, time_point_of
from connector.dicom.write_sr_items import text_item
from connector.dicom.write_sr_text import sentences
from connector.ports import Document, WriteRequest
from connector.terminology import Concept


class ReportWriter:
    """
    Writes a Comprehensive 3D SR after TID 1500, "Oncology Measurement Report".

    Lesions are measurement groups (TID 1411 when they refer to a segment, else TID 1501) with the tracking UID that the
    lesion keeps for life; "Overall response" and each region's absorbed dose are groups of their own. What is said in
    words stands in Qualitative Evaluations (TID 1500, rows 12 to 14). The report is UNVERIFIED and PRELIMINARY. It
    names every instance of the study as evidence and has no image library (user optional): a reader meets the
    measurements first. Overall responses have no DICOM code, see `codes.OVERALL_RESPONSES`.
    """

    def write(self, request: WriteRequest) -> Sequence[Document]:
        """Make the one report of the assessed study. Raises ImpossibleInput (no file of the study, two patients)."""
        with quiet():
            report = _report(request)
            content = part_10(report)
        return [document_of("sr", report, content)]


def _report(request: WriteRequest) -> Dataset:
    header = read_study_header(request)
    report = start_document(
        header,
        request,
        kind="sr",
        sop_class_uid=Comprehensive3DSRStorage,
        modality="SR",
        description="Oncology measurement report (draft)",
    )
    root = _content(request.assessment, header)
    for element in root:
        report.add(element)
    use_unicode_if_needed(report, _texts(root))
    _add_document_modules(report, header, request)
    earlier = predecessors_of("sr", request)
    if earlier:
        report.PredecessorDocumentsSequence = earlier
    date_document(report, request.assessment.assessed_on)
    finish_document("sr", report)
    return report


def _add_document_modules(report: Dataset, header: StudyHeader, request: WriteRequest) -> None:
    """Add SR Document Series (C.17.1) and SR Document General (C.17.2)."""
    report.ReferencedPerformedProcedureStepSequence = []
    report.CompletionFlag = "COMPLETE"
    report.VerificationFlag = "UNVERIFIED"
    report.PreliminaryFlag = "PRELIMINARY"
    report.PerformedProcedureCodeSequence = []
    report.CurrentRequestedProcedureEvidenceSequence = evidence_of(header, request)
    scheme = Dataset()
    scheme.CodingSchemeDesignator = codes.OUR_SCHEME
    scheme.CodingSchemeName = codes.OUR_SCHEME_NAME
    scheme.CodingSchemeResponsibleOrganization = OUR_MANUFACTURER
    report.CodingSchemeIdentificationSequence = [scheme]


def _content(assessment: Assessment, header: StudyHeader) -> Dataset:
    root = ContainerContentItem(name=coded(codes.ONCOLOGY_REPORT), template_id="1500")
    items = ContentSequence()
    items.extend(LanguageOfContentItemAndDescendants(CodedConcept("en", "RFC5646", "English")))
    items.extend(_observer(assessment))
    items.append(
        CodeContentItem(
            name=coded(codes.PROCEDURE_REPORTED),
            value=_procedure(assessment, header),
            relationship_type=RelationshipTypeValues.HAS_CONCEPT_MOD,
        )
    )
    groups = measurement_groups(assessment, header)
    if groups:
        measurements = _container(codes.IMAGING_MEASUREMENTS)
        for group in groups:
            measurements.ContentSequence.extend(group)
        items.append(measurements)
    said = sentences(assessment)
    if said:
        evaluations = _container(codes.QUALITATIVE_EVALUATIONS)
        evaluations.ContentSequence.extend(text_item(concept, text) for concept, text in said)
        items.append(evaluations)
    root.ContentSequence = items
    return root


def _container(concept: Concept) -> ContainerContentItem:
    container = ContainerContentItem(name=coded(concept), relationship_type=RelationshipTypeValues.CONTAINS)
    container.ContentSequence = ContentSequence()
    return container


def _observer(assessment: Assessment) -> ObserverContext:
    device = DeviceObserverIdentifyingAttributes(
        uid=OUR_DEVICE_UID,
        name=OUR_MODEL_NAME,
        manufacturer_name=OUR_MANUFACTURER,
        model_name=OUR_MODEL_NAME,
        serial_number=assessment.connector_version,
    )
    return ObserverContext(observer_type=dicom_codes.DCM.Device, observer_identifying_attributes=device)


def _procedure(assessment: Assessment, header: StudyHeader) -> CodedConcept:
    point = time_point_of(assessment)
    seen = {instance.modality for instance in header.instances}
    modality = point.modality if point is not None else ""
    if modality not in codes.PROCEDURE_OF_MODALITY:
        modality = next((each for each in codes.PROCEDURE_OF_MODALITY if each in seen), "")
    return coded(codes.PROCEDURE_OF_MODALITY.get(modality, codes.IMAGING_PROCEDURE))


def _texts(item: Dataset) -> list[str]:
    found = [str(item.TextValue)] if "TextValue" in item else []
    for child in item.get("ContentSequence", []):
        found += _texts(child)
    return found
