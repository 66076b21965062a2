"""Writes what was measured and concluded: lesions, their sizes, the tumour response and the absorbed doses."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from connector.core.assessment import DoseReport, RegionDose, ResponseReport, VisitResponse
from connector.core.case import LesionMeasurement, LesionState
from connector.core.response.case import CRITERIA
from connector.fhir.identity import DICOM_UID_SYSTEM, OUR_NAME
from connector.fhir.write_resource import (
    Case,
    Resource,
    category,
    component,
    concept,
    device_identifier,
    new,
    quantity,
    reference_to,
    study_reference,
)
from connector.terminology import Concept

_NOT_IN_A_SLOT = re.compile(r"[^A-Za-z0-9.:-]")  # the separators of a search (| , $ \\) must not enter an identifier
# Unverified results of software are preliminary until a person confirms them (FHIR R4, observation-status).
UNVERIFIED = "preliminary"
TUMOUR_SIZE = Concept("21889-1", "LN", "Size Tumor")
_LONG_AXIS = Concept("33728-7", "LN", "Size.maximum dimension in Tumor")
_OTHER_AXIS = Concept("33729-5", "LN", "Size additional dimension in Tumor")
_SHORT_AXIS = Concept("103340004", "SCT", "Short axis")
_VOLUME = Concept("118565006", "SCT", "Volume")
_METASTATIC = Concept("14799000", "SCT", "Neoplasm, metastatic")
RESPONSE = Concept("97509-4", "LN", "Cancer Disease Progression")
MEAN_DOSE = Concept("128533", "DCM", "Mean Absorbed Radiation Dose")
_MAXIMUM_DOSE = Concept("128531", "DCM", "Maximum Absorbed Radiation Dose")
_MINIMUM_DOSE = Concept("128532", "DCM", "Minimum Absorbed Radiation Dose")
# By the name of the criteria: how our codes of a response begin, and the code of the method where there is one.
RESPONSE_CODES: Mapping[str, tuple[str, Sequence[Concept]]] = {
    "recist-1.1": ("RECIST11", [Concept("126081", "DCM", "RECIST 1.1")]),
    "mrecist": ("MRECIST", []),
}
_METHODS: Mapping[str, Concept] = {
    "CT": Concept("77477000", "SCT", "Computerized axial tomography"),
    "MR": Concept("113091000", "SCT", "Magnetic resonance imaging"),
    "PT": Concept("82918005", "SCT", "Positron emission tomography"),
    "US": Concept("16310003", "SCT", "Ultrasonography"),
}
_SITES: Mapping[str, Concept] = {
    "liver": Concept("10200004", "SCT", "Liver structure"),
    "lung": Concept("39607008", "SCT", "Lung structure"),
    "bone": Concept("272673000", "SCT", "Bone structure"),
    "lymph_node": Concept("59441001", "SCT", "Structure of lymph node"),
    "brain": Concept("12738006", "SCT", "Brain structure"),
    "pleura": Concept("3120008", "SCT", "Pleural membrane structure"),
    "adrenal": Concept("23451007", "SCT", "Adrenal structure"),
    "thyroid_bed": Concept("69748006", "SCT", "Thyroid structure"),
}
# mCODE STU4, value set of cancer disease status: a category of RECIST and the trend it stands for.
_IMPROVED = Concept("268910001", "SCT", "Patient's condition improved")
_STABLE = Concept("359746009", "SCT", "Patient's condition stable")
_WORSENED = Concept("271299001", "SCT", "Patient's condition worsened")
_UNDETERMINED = Concept("709137006", "SCT", "Patient condition undetermined")
_TRENDS: Mapping[str, tuple[Concept, str]] = {
    "CR": (_IMPROVED, "complete response"),
    "PR": (_IMPROVED, "partial response"),
    "SD": (_STABLE, "stable disease"),
    "NON-CR/NON-PD": (_STABLE, "neither complete response nor progression"),
    "PD": (_WORSENED, "progressive disease"),
    "NE": (_UNDETERMINED, "not evaluable"),
    "NA": (_UNDETERMINED, "no lesion to judge"),
}


def write_device(case: Case) -> Resource:
    """This software in this version."""
    version = case.assessment.connector_version
    return new(
        "Device",
        device_identifier(case.assessment),
        says=[f"{OUR_NAME} {version}: decision support software; its results are drafts for a tumour board"],
        status="active",
        manufacturer=OUR_NAME,
        deviceName=[{"name": OUR_NAME, "type": "model-name"}],
        version=[{"value": version}],
        type={"text": "Clinical decision support software"},
    )


def write_lesions(case: Case) -> list[tuple[LesionMeasurement, Resource]]:
    """Each lesion of the assessed study, named by its tracking UID for life."""
    lesions = case.assessed.lesions if case.assessed else ()
    written = []
    for lesion in lesions:
        site = _SITES.get(lesion.site)
        resource = new(
            "BodyStructure",
            f"lesion:{lesion.tracking_uid}",
            says=[f"Lesion {lesion.tracking_id}, {lesion.site.replace('_', ' ')}"],
            identifiers=[{"use": "official", "system": DICOM_UID_SYSTEM, "value": f"urn:oid:{lesion.tracking_uid}"}],
            morphology=concept(_METASTATIC),
            location=concept(site) if site else {"text": lesion.site},
            description=f"Lesion {lesion.tracking_id}",
            patient=case.subject,
        )
        written.append((lesion, resource))
    return written


def write_size(case: Case, lesion: LesionMeasurement, body_structure: Resource) -> Resource | None:
    """The size of one lesion (shaped as mCODE tumour size), None when it was not measured."""
    if lesion.state is not LesionState.MEASURED or (lesion.long_axis_mm is None and lesion.short_axis_mm is None):
        return None
    method = _METHODS.get(case.assessed.modality) if case.assessed else None
    if lesion.long_axis_mm is None:
        axes = component(concept(_SHORT_AXIS), lesion.short_axis_mm, "mm")
    else:
        axes = component(concept(_LONG_AXIS), lesion.long_axis_mm, "mm")
        axes += component(concept(_OTHER_AXIS), lesion.short_axis_mm, "mm")
    size = " x ".join(f"{axis} mm" for axis in (lesion.long_axis_mm, lesion.short_axis_mm) if axis is not None)
    return observation(
        case,
        f"size:{lesion.tracking_uid}",
        says=[f"Lesion {lesion.tracking_id}: {size}, unverified"],
        kind="imaging",
        code=concept(TUMOUR_SIZE),
        focus=[reference_to(body_structure)],
        method=concept(method) if method else None,
        component=[*axes, *component(concept(_VOLUME), lesion.volume_ml, "mL")],
    )


def write_response(case: Case, report: ResponseReport | None, sizes: list[Resource]) -> Resource | None:
    """The response at the assessed study, with its numbers; None when no visit of that day was judged."""
    assessed = case.assessed
    visit = next((one for one in report.visits if assessed and one.on == assessed.studied_on), None) if report else None
    if report is None or visit is None:
        return None
    trend, words = _TRENDS.get(visit.overall_response, (_UNDETERMINED, "not evaluable"))
    name, (begins, methods) = CRITERIA[report.criteria], RESPONSE_CODES[report.criteria]
    liver = case.record.references.get("condition.liver_metastases")
    return observation(
        case,
        f"response:{report.criteria}",
        says=[f"{name}: {words} ({visit.overall_response}), unverified", *visit.reasons, *visit.flags],
        kind="imaging",
        code=concept(RESPONSE),
        focus=[{"reference": liver}] if liver else None,
        valueCodeableConcept=concept(trend, text=f"{name}: {words}", local=f"{begins}-{visit.overall_response}"),
        method=concept(*methods, text=name),
        component=_response_numbers(visit),
        note=[{"text": reason} for reason in (*visit.reasons, *visit.flags)],
        measured=[reference_to(size) for size in sizes],
    )


def _response_numbers(visit: VisitResponse) -> list[Resource]:
    def percent(text: str | None) -> Decimal | None:
        return None if text is None else Decimal(text)

    return [
        *component(concept(text="Sum of target lesion diameters", local="sum-of-diameters"), visit.sum_mm, "mm"),
        *component(concept(text="Smallest sum before this study", local="nadir"), visit.nadir_mm, "mm"),
        *component(
            concept(text="Change of the sum from baseline", local="change-from-baseline"),
            percent(visit.change_from_baseline_percent),
            "%",
        ),
        *component(
            concept(text="Change of the sum from its smallest", local="change-from-nadir"),
            percent(visit.change_from_nadir_percent),
            "%",
        ),
    ]


def write_doses(case: Case, lesions: Mapping[str, Resource]) -> list[Resource]:
    """The absorbed dose of each region; `lesions` are BodyStructures by tracking UID."""
    report = case.assessment.dose
    if report is None:
        return []
    more = [report.normal_liver] if report.normal_liver else []
    return [_dose(case, report, region, lesions) for region in (*report.regions, *more)]


def _dose(case: Case, report: DoseReport, region: RegionDose, lesions: Mapping[str, Resource]) -> Resource:
    lesion = lesions.get(region.tracking_uid or "")
    number = region.name if region.number is None else str(region.number)
    slot = region.tracking_uid or _NOT_IN_A_SLOT.sub("-", f"{region.origin or 'region'}:{number}")
    return observation(
        case,
        f"dose:{slot}",
        says=[f"{region.name}: mean absorbed dose {_gy(region.mean_gy)} Gy ({report.nuclide}), unverified"],
        kind="therapy",
        code=concept(MEAN_DOSE),
        focus=[reference_to(lesion)] if lesion else None,
        bodySite=None
        if lesion
        else concept(_SITES["liver"])
        if region.name in {"liver", "normal liver"}
        else {"text": region.name},
        valueQuantity=quantity(_gy(region.mean_gy), "Gy"),
        method={"text": f"{report.method.replace('_', ' ')}, {report.nuclide}"},
        component=[
            *component(concept(_MAXIMUM_DOSE), _gy(region.max_gy), "Gy"),
            *component(concept(_MINIMUM_DOSE), _gy(region.min_gy), "Gy"),
            *component(concept(text="Dose to the hottest 70 % of the volume", local="d70"), _gy(region.d70_gy), "Gy"),
            *component(concept(_VOLUME), _decimal(region.volume_ml, "0.01"), "mL"),
            *component(
                concept(text="Biologically effective dose", local="bed"),
                None if region.bed_gy is None else _gy(region.bed_gy),
                "Gy",
            ),
            *_interval(region),
        ],
        note=[{"text": words} for words in (*_findings(report, region), *report.warnings)],
    )


def _interval(region: RegionDose) -> list[Resource]:
    """The interval of the mean dose, about 95 %."""
    if region.mean_interval_gy is None:
        return []
    low, high = (quantity(_gy(end), "Gy") for end in region.mean_interval_gy)
    code = concept(text="Mean dose, two standard uncertainties each way", local="mean-interval")
    return [{"code": code, "valueRange": {"low": low, "high": high}}]


def _findings(report: DoseReport, region: RegionDose) -> list[str]:
    return [f"{each.text} [{each.source}]" for each in report.findings if each.region == region.name]


def _gy(value: float) -> Decimal:
    return _decimal(value, "0.01")


def _decimal(value: float, step: str) -> Decimal:
    return Decimal(repr(float(value))).quantize(Decimal(step))


def observation(
    case: Case, slot: str, *, says: list[str], kind: str, measured: list[Resource] | None = None, **elements: Any
) -> Resource:
    """An unverified result of the assessed study, `measured` from other Observations."""
    return new(
        "Observation",
        case.of_study(slot),
        says=says,
        status=UNVERIFIED,
        category=category(kind),
        subject=case.subject,
        effectiveDateTime=case.study_day,
        device=case.device,
        derivedFrom=[study_reference(case), *(measured or [])],
        **elements,
    )
