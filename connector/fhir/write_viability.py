"""Writes what stands beside RECIST: viable parts and their response, viability after treatment, and PET uptake."""

from collections.abc import Sequence
from decimal import Decimal

from connector.core.case import LesionMeasurement
from connector.core.lesion_reports import TreatedLesionReport, UptakeReport
from connector.fhir.write_observations import observation, write_response
from connector.fhir.write_resource import Case, Resource, component, concept, reference_to
from connector.terminology import Concept

Written = tuple[LesionMeasurement, Resource]
_SUV_BW = Concept("126401", "DCM", "SUVbw")
_METABOLIC_VOLUME = Concept("126032", "DCM", "Metabolic Volume")
_GLYCOLYSIS = Concept("126033", "DCM", "Total Lesion Glycolysis")
# Our own codes of these Observations, since no terminology has them: by these they are found again in the EHR.
BESIDE_RECIST = VIABLE_SIZE, VIABILITY, UPTAKE = "viable-size", "viability", "pet-uptake"
_SUV_UNIT = "{SUVbw}g/ml"


def write_beside_recist(case: Case, lesions: Sequence[Written]) -> list[Resource]:
    """Write an Observation for each of: the viable part of a lesion, its viability, its uptake, the viable response."""
    treated = {report.tracking_uid: report for report in case.assessment.treated_lesions}
    uptakes = {report.tracking_uid: report for report in case.assessment.uptake}
    sizes = [_viable_size(case, lesion, body) for lesion, body in lesions if lesion.viable_mm is not None]
    found = list(sizes)
    for lesion, body in lesions:
        if lesion.tracking_uid in treated:
            found += _viability(case, treated[lesion.tracking_uid], body)
        if lesion.tracking_uid in uptakes:
            found.append(_uptake(case, uptakes[lesion.tracking_uid], body))
    viable = case.assessment.viable
    response = write_response(case, viable.response, sizes) if viable is not None else None
    return [*found, *([response] if response else [])]


def _viable_size(case: Case, lesion: LesionMeasurement, body: Resource) -> Resource:
    return observation(
        case,
        f"viable:{lesion.tracking_uid}",
        says=[f"Lesion {lesion.tracking_id}: viable part {lesion.viable_mm} mm, unverified"],
        kind="imaging",
        code=concept(text="Size of the enhancing, viable part of the tumour", local=VIABLE_SIZE),
        focus=[reference_to(body)],
        component=[
            *component(concept(text="Longest diameter", local="viable-diameter"), lesion.viable_mm, "mm"),
            *component(concept(text="Longest diameter across", local="viable-across"), lesion.viable_across_mm, "mm"),
        ],
    )


def _viability(case: Case, report: TreatedLesionReport, body: Resource) -> list[Resource]:
    """Write the answer of the assessed day; none when the lesion was not judged on it."""
    scan = next((scan for scan in report.scans if scan.on.isoformat() == case.study_day), None)
    if scan is None:
        return []
    word = scan.viability.replace("_", " ")
    made = observation(
        case,
        f"viability:{report.tracking_uid}",
        says=[f"Lesion {report.lesion} is {word}, unverified", report.text],
        kind="imaging",
        code=concept(text="Viability of the treated lesion", local=VIABILITY),
        focus=[reference_to(body)],
        valueCodeableConcept=concept(text=word, local=scan.viability.replace("_", "-")),
        component=[
            *_day("Residual tumour since", "residual-since", report.residual_on),
            *_day("Local tumour progression since", "local-progression-since", report.local_progression_on),
        ],
        note=[{"text": scan.reason}, {"text": report.text}],
    )
    return [made]


def _day(text: str, local: str, on: object) -> list[Resource]:
    return [] if on is None else [{"code": concept(text=text, local=local), "valueDateTime": str(on)}]


def _uptake(case: Case, report: UptakeReport, body: Resource) -> Resource:
    uptake = report.uptake
    rows = (
        (concept(_SUV_BW, text="SUVmax", local="suv-max"), uptake.suv_max, _SUV_UNIT),
        (concept(_SUV_BW, text="SUVpeak", local="suv-peak"), uptake.suv_peak, _SUV_UNIT),
        (concept(_METABOLIC_VOLUME, text="Functional tumour volume"), uptake.functional_volume_ml, "mL"),
        (concept(_GLYCOLYSIS), uptake.tlg_g, "g"),
    )
    changes = (
        ("SUVmax", "suv-max-change", report.suv_max_percent),
        ("SUVpeak", "suv-peak-change", report.suv_peak_percent),
        ("functional tumour volume", "ftv-change", report.functional_volume_percent),
        ("total lesion glycolysis", "tlg-change", report.tlg_percent),
    )
    return observation(
        case,
        f"uptake:{report.tracking_uid}",
        says=[f"Lesion {report.text}, unverified"],
        kind="imaging",
        code=concept(text="Uptake of the lesion in PET", local=UPTAKE),
        focus=[reference_to(body)],
        component=[
            *(part for code, value, unit in rows for part in component(code, _exact(value), unit)),
            *(
                part
                for name, local, value in changes
                for part in component(
                    concept(text=f"Change of {name}", local=local), None if value is None else Decimal(value), "%"
                )
            ),
        ],
        note=[{"text": report.text}],
    )


def _exact(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(repr(value)).quantize(Decimal("0.001"))
