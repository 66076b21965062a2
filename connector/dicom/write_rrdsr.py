"""Writes the administration of a radiopharmaceutical as a dose report of its own, which dose registries collect."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from highdicom.sr import (
    CodeContentItem,
    CodedConcept,
    ContainerContentItem,
    ContentSequence,
    DateTimeContentItem,
    NumContentItem,
    PnameContentItem,
    RelationshipTypeValues,
    UIDRefContentItem,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dicom_codes
from pydicom.uid import RadiopharmaceuticalRadiationDoseSRStorage

from connector.core.case import Code
from connector.core.errors import ImpossibleInput
from connector.core.nuclides import NUCLIDES
from connector.dicom.headers import Header, quiet, read_headers
from connector.dicom.identity import OUR_MANUFACTURER, uid_from
from connector.dicom.read_activity import ACTIVITY_CLASSES, administered_gbq, nuclide_of
from connector.dicom.read_codes import first_code
from connector.dicom.read_values import date_time, decimal, text, zone_of
from connector.dicom.write_header import (
    date_document,
    document_of,
    finish_document,
    number_after_rejections,
    part_10,
    plain,
    read_study_header,
    series_references,
    start_document,
    use_unicode_if_needed,
)
from connector.ports import Document, WriteRequest

KIND = "rrdsr"
ContentItem = CodeContentItem | UIDRefContentItem | DateTimeContentItem | NumContentItem | PnameContentItem

_CONTAINS = RelationshipTypeValues.CONTAINS
_PROPERTY = RelationshipTypeValues.HAS_PROPERTIES
_MODIFIER = RelationshipTypeValues.HAS_CONCEPT_MOD
_REPORT = CodedConcept("113500", "DCM", "Radiopharmaceutical Radiation Dose Report")
_ADMINISTRATION = CodedConcept("113502", "DCM", "Radiopharmaceutical Administration")
_EVENT_UID = CodedConcept("113503", "DCM", "Radiopharmaceutical Administration Event UID")
_ACTIVITY = CodedConcept("113507", "DCM", "Administered activity")
_START = CodedConcept("123003", "DCM", "Radiopharmaceutical Start DateTime")
_AGENT = CodedConcept("349358000", "SCT", "Radiopharmaceutical agent")
_NUCLIDE = CodedConcept("89457008", "SCT", "Radionuclide")
_HALF_LIFE = CodedConcept("304283002", "SCT", "Radionuclide Half Life")
_ROUTE = CodedConcept("410675002", "SCT", "Route of administration")
_PROCEDURE = CodedConcept("363589002", "SCT", "Associated Procedure")
_INTENT = CodedConcept("363703001", "SCT", "Has Intent")
_PERSON = CodedConcept("113870", "DCM", "Person Name")
_ROLE = CodedConcept("113875", "DCM", "Person Role in Procedure")
_ADMINISTERING = CodedConcept("113851", "DCM", "Irradiation Administering")
# TID 10022 asks who gave it; no image header tells, and the scan's operators are other people.
_NOT_TOLD = "Unknown"
_SECOND = CodedConcept("s", "UCUM", "seconds")
_MEGABECQUEREL = CodedConcept("MBq", "UCUM", "MBq")
# CID 3108, by modality of the image that tells of the administration.
_PROCEDURES = {
    "PT": dicom_codes.SCT.PETStudyForLocalizationOfTumor,
    "NM": dicom_codes.SCT.RadionuclideLocalizationOfTumor,
}


@dataclass(frozen=True, slots=True)
class _Administration:
    """What one series tells of the administration, all of it from its header."""

    agent: Code
    nuclide: Code
    half_life_s: Decimal
    activity_mbq: Decimal
    started: datetime
    event_uid: str
    route: Code | None
    modality: str
    therapeutic: bool


class AdministrationWriter:
    """
    Writes a Radiopharmaceutical Radiation Dose SR (TID 10021) for each administration that the images fully tell.

    Agent, nuclide, half-life, activity and start must all be in the PET or NM header: nothing is estimated, and without
    one of them there is no report. The activity is what was drawn up, for the header knows no residue. Nothing in it
    depends on the day or the rules, so that it is the same object whenever the patient is assessed again.
    """

    def write(self, request: WriteRequest) -> Sequence[Document]:
        """Make the reports; none when no header tells the whole administration. Raises ImpossibleInput."""
        with quiet():
            told: dict[_Administration, list[Header]] = {}
            for header in _images(request):
                administration = _administration(header.dataset)
                if administration is not None:
                    told.setdefault(administration, []).append(header)
            reports = [_report(request, each, images) for each, images in told.items()]
            return [document_of(KIND, report, part_10(report)) for report in reports]


def _images(request: WriteRequest) -> list[Header]:
    headers, _ = read_headers(request.paths)
    study = request.assessment.study_instance_uid
    images = [
        each
        for each in headers
        if each.sop_class_uid in ACTIVITY_CLASSES
        and each.study_instance_uid == study
        and each.dataset.get("Manufacturer") != OUR_MANUFACTURER
    ]
    return sorted(images, key=lambda each: each.sop_instance_uid)


def _administration(dataset: Dataset) -> _Administration | None:
    items = dataset.get("RadiopharmaceuticalInformationSequence") or ()
    if len(items) != 1:
        return None
    item: Dataset = next(iter(items))
    agent, nuclide = first_code(item, "RadiopharmaceuticalCodeSequence"), first_code(item, "RadionuclideCodeSequence")
    started = date_time(item.get("RadiopharmaceuticalStartDateTime"), zone_of(dataset))
    activity_gbq = administered_gbq(dataset, [])
    if agent is None or nuclide is None or started is None or activity_gbq is None:
        return None
    try:
        name = nuclide_of(dataset, [])
    except ImpossibleInput:  # code and half-life contradict: which one was given is not known
        return None
    # A code without a half-life is the nuclide's own; one that we do not know has none.
    known = NUCLIDES[name].half_life_h * 3600 if name in NUCLIDES else None
    half_life_s = decimal(item.get("RadionuclideHalfLife")) or known
    if half_life_s is None:
        return None
    modality = text(dataset.get("Modality"))
    parts = str(dataset.StudyInstanceUID), started.isoformat(), str(activity_gbq.normalize())
    event_uid = str(item.get("RadiopharmaceuticalAdministrationEventUID") or "") or uid_from("administration", *parts)
    return _Administration(
        agent=agent,
        nuclide=nuclide,
        half_life_s=half_life_s,
        activity_mbq=activity_gbq * 1000,
        started=started,
        event_uid=event_uid,
        route=first_code(item, "AdministrationRouteCodeSequence"),
        modality=modality if modality in _PROCEDURES else "NM",
        therapeutic=name in NUCLIDES and name != "Tc-99m",
    )


def _report(request: WriteRequest, administration: _Administration, images: Sequence[Header]) -> Dataset:
    report = start_document(
        read_study_header(request),
        request,
        kind=KIND,
        sop_class_uid=RadiopharmaceuticalRadiationDoseSRStorage,
        modality="SR",
        description="Radiopharmaceutical administration (draft)",
    )
    report.InstanceNumber = number_after_rejections(request)
    root = _content(administration)
    for element in root:
        report.add(element)
    use_unicode_if_needed(report, [administration.agent.meaning])
    report.ReferencedPerformedProcedureStepSequence = []
    report.PerformedProcedureCodeSequence = []
    report.CompletionFlag, report.VerificationFlag, report.PreliminaryFlag = "COMPLETE", "UNVERIFIED", "PRELIMINARY"
    evidence = Dataset()
    evidence.StudyInstanceUID = request.assessment.study_instance_uid
    evidence.ReferencedSeriesSequence = series_references(
        [(each.series_instance_uid, each.sop_class_uid, each.sop_instance_uid) for each in images],
        "ReferencedSOPSequence",
    )
    report.CurrentRequestedProcedureEvidenceSequence = [evidence]
    date_document(report, administration.started.date())
    finish_document(KIND, report)
    return report


def _content(administration: _Administration) -> Dataset:
    """TID 10021 with its one TID 10022; observers have no place directly under this root."""
    root = ContainerContentItem(name=_REPORT, template_id="10021")
    procedure = CodeContentItem(_PROCEDURE, _PROCEDURES[administration.modality], _MODIFIER)
    intent = dicom_codes.SCT.TherapeuticIntent if administration.therapeutic else dicom_codes.SCT.DiagnosticIntent
    procedure.ContentSequence = ContentSequence([CodeContentItem(_INTENT, intent, _MODIFIER)])
    event = ContainerContentItem(name=_ADMINISTRATION, template_id="10022", relationship_type=_CONTAINS)
    event.ContentSequence = ContentSequence(_event(administration))
    root.ContentSequence = ContentSequence([procedure, event])
    return root


def _event(
    administration: _Administration,
) -> list[ContentItem]:
    agent = CodeContentItem(_AGENT, _coded(administration.agent), _CONTAINS)
    agent.ContentSequence = ContentSequence(
        [
            CodeContentItem(_NUCLIDE, _coded(administration.nuclide), _PROPERTY),
            NumContentItem(_HALF_LIFE, float(administration.half_life_s), _SECOND, relationship_type=_PROPERTY),
        ]
    )
    items: list[ContentItem] = [
        agent,
        UIDRefContentItem(_EVENT_UID, administration.event_uid, _CONTAINS),
        DateTimeContentItem(_START, administration.started, _CONTAINS),
        NumContentItem(_ACTIVITY, float(administration.activity_mbq), _MEGABECQUEREL, relationship_type=_CONTAINS),
    ]
    person = PnameContentItem(_PERSON, _NOT_TOLD, _CONTAINS)
    person.ContentSequence = ContentSequence([CodeContentItem(_ROLE, _ADMINISTERING, _PROPERTY)])
    items.append(person)
    if administration.route is not None:
        items.append(CodeContentItem(_ROUTE, _coded(administration.route), _CONTAINS))
    return items


def _coded(code: Code) -> CodedConcept:
    return CodedConcept(code.value, code.system, plain(code.meaning))
