"""The measurement groups of the report: lesions, overall response and absorbed dose (TID 1501 and 1411)."""

from decimal import Decimal
from typing import Any

from highdicom.sr import (
    AlgorithmIdentification,
    FindingSite,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    ReferencedSegment,
    SourceSeriesForSegmentation,
    TimePointContext,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)

from connector.core.assessment import (
    Assessment,
    DoseReport,
    RegionDose,
    ResponseReport,
    ViableReport,
    VisitResponse,
)
from connector.core.case import LesionMeasurement, LesionRole, TimePoint
from connector.core.errors import ImpossibleInput
from connector.dicom import codes
from connector.dicom.codes import coded
from connector.dicom.identity import OUR_MODEL_NAME, uid_from
from connector.dicom.write_header import StudyHeader, plain
from connector.dicom.write_sr_items import answer, code_item, number, text_item
from connector.dicom.write_sr_viability import (
    lesion_sentences,
    uptake_measurements,
    viability_answers,
    viable_measurements,
)
from connector.terminology import Concept

Group = MeasurementsAndQualitativeEvaluations | VolumetricROIMeasurementsAndQualitativeEvaluations

_CATEGORY_OF_ROLE = {
    LesionRole.TARGET: codes.TARGET_AT_BASELINE,
    LesionRole.NON_TARGET: codes.NON_TARGET_AT_BASELINE,
}


def measurement_groups(assessment: Assessment, header: StudyHeader) -> list[Group]:
    """Make every group the assessment has something to say in: lesions first, then the response, then the dose."""
    groups: list[Group] = []
    point = time_point_of(assessment)
    if point is not None:
        groups += [_lesion_group(lesion, assessment, header) for lesion in point.lesions]
    if assessment.response is not None:
        visit = visit_of(assessment.response, assessment)
        groups.append(_response_group(assessment.response, visit, assessment))
    if assessment.viable is not None:
        groups.append(_viable_group(assessment.viable, assessment))
    if assessment.dose is not None:
        more = [assessment.dose.normal_liver] if assessment.dose.normal_liver else []
        groups += [
            _dose_group(region, assessment.dose, assessment, header) for region in (*assessment.dose.regions, *more)
        ]
    return groups


def time_point_of(assessment: Assessment) -> TimePoint | None:
    """Find the assessed study among the time points."""
    return next(
        (each for each in assessment.time_points if each.study_instance_uid == assessment.study_instance_uid), None
    )


def visit_of(response: ResponseReport, assessment: Assessment) -> VisitResponse | None:
    """Find the visit of the assessed study by its date; another visit's answer is never put in its place."""
    point = time_point_of(assessment)
    if point is None:
        return None
    return next((visit for visit in reversed(response.visits) if visit.on == point.studied_on), None)


def _time_point_context(assessment: Assessment) -> TimePointContext | None:
    days = sorted({point.studied_on for point in assessment.time_points})
    point = time_point_of(assessment)
    if point is None:
        return None
    order = days.index(point.studied_on) + 1
    is_baseline = order == 1
    return TimePointContext(
        time_point=point.studied_on.isoformat(),
        time_point_type=coded(codes.BASELINE) if is_baseline else None,
        time_point_order=order,
        subject_time_point_identifier="Baseline" if is_baseline else f"Follow-up {order - 1}",
    )


def _algorithm(assessment: Assessment, *more: str) -> AlgorithmIdentification:
    parameters = [f"ruleset={assessment.ruleset}", *more]
    return AlgorithmIdentification(
        name=OUR_MODEL_NAME, version=assessment.connector_version, parameters=[plain(each) for each in parameters]
    )


def _referenced_segment(origin: str | None, number: int | None, header: StudyHeader) -> ReferencedSegment | None:
    """Refer to a segment of a segmentation of this study; None when there is none (a structure set, an earlier SR)."""
    source = header.instance(origin) if origin else None
    if source is None or number is None or source.modality != "SEG" or source.segmented_series_uid is None:
        return None
    return ReferencedSegment(
        sop_class_uid=source.sop_class_uid,
        sop_instance_uid=source.sop_instance_uid,
        segment_number=number,
        source_series=SourceSeriesForSegmentation(source.segmented_series_uid),
    )


def _group(segment: ReferencedSegment | None, **content: Any) -> Group:
    """Make a volumetric group when the region is a segment that can be shown, else a plain one."""
    if segment is None:
        return MeasurementsAndQualitativeEvaluations(**content)
    return VolumetricROIMeasurementsAndQualitativeEvaluations(referenced_segment=segment, **content)


def _lesion_group(lesion: LesionMeasurement, assessment: Assessment, header: StudyHeader) -> Group:
    group = _group(
        _referenced_segment(lesion.origin, lesion.segment_number, header),
        tracking_identifier=TrackingIdentifier(uid=lesion.tracking_uid, identifier=lesion.tracking_id),
        time_point_context=_time_point_context(assessment),
        finding_type=coded(codes.NEOPLASM if lesion.site == "thyroid_bed" else codes.SECONDARY_NEOPLASM),
        finding_sites=_finding_sites(lesion),
        algorithm_id=_algorithm(assessment),
        measurements=_lesion_measurements(lesion),
        qualitative_evaluations=[*_lesion_answers(lesion, assessment.response), *viability_answers(lesion, assessment)],
    )
    group[0].ContentSequence.extend(lesion_sentences(lesion, assessment))
    group[0].ContentSequence.extend(text_item(codes.WARNING, flag) for flag in lesion.flags)
    return group


def _finding_sites(lesion: LesionMeasurement) -> list[FindingSite] | None:
    site = codes.site_concept(lesion.site, lesion.site_code)
    return None if site is None else [FindingSite(coded(site))]


def _lesion_measurements(lesion: LesionMeasurement) -> list[Measurement]:
    rows = (
        (codes.LONG_AXIS, lesion.long_axis_mm, codes.MILLIMETRE),
        (codes.SHORT_AXIS, lesion.short_axis_mm, codes.MILLIMETRE),
        (codes.VOLUME, lesion.volume_ml, codes.MILLILITRE),
    )
    sizes = [number(concept, value, unit) for concept, value, unit in rows if value is not None]
    return [*sizes, *viable_measurements(lesion), *uptake_measurements(lesion)]


def _lesion_answers(lesion: LesionMeasurement, response: ResponseReport | None) -> list[QualitativeEvaluation]:
    answers = [answer(codes.LESION_STATE, codes.LESION_STATES[lesion.state])]
    role = _role(lesion, response)
    if role is not None:
        answers.append(answer(codes.BASELINE_CATEGORY, _CATEGORY_OF_ROLE[role]))
    if lesion.liver_lobe in codes.LOBES:
        answers.append(answer(codes.LIVER_LOBE, codes.LOBES[lesion.liver_lobe]))
    return answers


def _role(lesion: LesionMeasurement, response: ResponseReport | None) -> LesionRole | None:
    """Tell the role that response was judged by, else the one the lesion came with; a new lesion has none."""
    if response is None:
        return lesion.role
    names = {lesion.tracking_id, lesion.tracking_uid}
    if names & set(response.target_ids):
        return LesionRole.TARGET
    return LesionRole.NON_TARGET if names & set(response.non_target_ids) else lesion.role


def _response_code(table: dict[str, Concept], response: str) -> Concept:
    try:
        return table[response]
    except KeyError:
        raise ImpossibleInput(
            f"the response {response!r} has no DICOM code: add it to connector/dicom/codes.py with its source"
        ) from None


def _viable_group(viable: ViableReport, assessment: Assessment) -> Group:
    """A group of its own with its own tracking identifier: viable sums stand beside RECIST and never in it."""
    visit = visit_of(viable.response, assessment)
    group = _response_group(viable.response, visit, assessment, label="Viable tumour response")
    easl = next((one for one in viable.easl if visit is not None and one.on == visit.on), None)
    if easl is not None:
        code = _response_code(codes.OVERALL_RESPONSES, easl.response)
        group[0].ContentSequence.append(code_item(codes.EASL_RESPONSE, code))
    return group


def _response_group(
    response: ResponseReport, visit: VisitResponse | None, assessment: Assessment, label: str = "Overall response"
) -> Group:
    policies = "; ".join(f"{name}={value}" for name, value in sorted(response.policies.items()))
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=uid_from(label.lower(), _baseline_study(assessment)), identifier=label
        ),
        time_point_context=_time_point_context(assessment),
        method=coded(_response_code(codes.CRITERIA, response.criteria)),
        algorithm_id=_algorithm(assessment, *([policies] if policies else [])),
        measurements=_response_measurements(response, visit),
        qualitative_evaluations=_response_answers(response, visit),
    )
    items = group[0].ContentSequence
    if visit is None:
        items.append(text_item(codes.RESPONSE_FLAG, "No response for this study: it is not a visit of the assessment"))
    else:
        items.extend(text_item(codes.RESPONSE_REASON, reason) for reason in visit.reasons)
        items.extend(text_item(codes.RESPONSE_FLAG, flag) for flag in visit.flags)
    return group


def _baseline_study(assessment: Assessment) -> str:
    points = sorted(assessment.time_points, key=lambda point: (point.studied_on, point.study_instance_uid))
    return points[0].study_instance_uid if points else assessment.study_instance_uid


def _response_measurements(response: ResponseReport, visit: VisitResponse | None) -> list[Measurement]:
    if visit is None:
        return []
    first = response.visits[0]
    today = []
    if visit.sum_mm is not None:
        derivation = coded(codes.SUM_OF_DIAMETERS)
        name, unit = coded(codes.MEASUREMENT_OF_RESPONSE), coded(codes.MILLIMETRE)
        today.append(Measurement(name=name, value=float(visit.sum_mm), unit=unit, derivation=derivation))
    rows: tuple[tuple[Concept, Decimal | None, Concept], ...] = (
        (codes.BASELINE_SUM, None if first is visit else first.sum_mm, codes.MILLIMETRE),
        (codes.NADIR_SUM, None if first is visit else visit.nadir_mm, codes.MILLIMETRE),
        (codes.CHANGE_FROM_BASELINE, _percent(visit.change_from_baseline_percent), codes.PERCENT),
        (codes.CHANGE_FROM_NADIR, _percent(visit.change_from_nadir_percent), codes.PERCENT),
    )
    return today + [number(concept, value, unit) for concept, value, unit in rows if value is not None]


def _percent(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _response_answers(response: ResponseReport, visit: VisitResponse | None) -> list[QualitativeEvaluation]:
    answers = []
    if visit is not None:
        answers += [
            answer(codes.CURRENT_RESPONSE, _response_code(codes.OVERALL_RESPONSES, visit.overall_response)),
            answer(codes.TARGET_RESPONSE, _response_code(codes.TARGET_RESPONSES, visit.target_response)),
            answer(codes.NON_TARGET_RESPONSE, _response_code(codes.NON_TARGET_RESPONSES, visit.non_target_response)),
        ]
        if visit.new_lesion is not None:
            answers.append(answer(codes.NEW_LESION, codes.NEW_LESION_ANSWERS[visit.new_lesion]))
    best = _response_code(codes.OVERALL_RESPONSES, response.best_overall_response.response)
    confirmed = _response_code(codes.OVERALL_RESPONSES, response.confirmed_best_overall_response.response)
    if response.policies.get("confirm", "false").lower() == "true":
        leading, other = confirmed, (codes.UNCONFIRMED_BEST_OVERALL_RESPONSE, best)
    else:
        leading, other = best, (codes.CONFIRMED_BEST_OVERALL_RESPONSE, confirmed)
    return [*answers, answer(codes.BEST_OVERALL_RESPONSE, leading), answer(*other)]


def _dose_group(region: RegionDose, dose: DoseReport, assessment: Assessment, header: StudyHeader) -> Group:
    uid = region.tracking_uid or uid_from("region", assessment.study_instance_uid, region.name)
    return _group(
        _referenced_segment(region.origin, region.number, header),
        tracking_identifier=TrackingIdentifier(uid=uid, identifier=region.name),
        time_point_context=_time_point_context(assessment),
        algorithm_id=_algorithm(assessment, dose_parameters(dose)),
        measurements=_dose_measurements(region),
    )


def dose_parameters(dose: DoseReport) -> str:
    """Name how the dose map was made: nuclide, method, constants, scale and decay."""
    parameters = {
        "nuclide": dose.nuclide,
        "method": dose.method,
        **{name: dose.constants[name] for name in sorted(dose.constants)},
        "scale": f"{dose.scale:.6g}",
        "decay reference": dose.decay_reference,
        "decay hours": f"{dose.decay_hours:.6g}",
    }
    return "; ".join(f"{name}={value}" for name, value in parameters.items())


def _dose_measurements(region: RegionDose) -> list[Measurement]:
    mean_low, mean_high = region.mean_interval_gy or (None, None)
    volume_low, volume_high = region.volume_interval_ml or (None, None)
    rows: list[tuple[Concept, float | None, Concept]] = [
        (codes.MEAN_DOSE, region.mean_gy, codes.GRAY),
        (codes.MEAN_DOSE_LOW, mean_low, codes.GRAY),
        (codes.MEAN_DOSE_HIGH, mean_high, codes.GRAY),
        (codes.MINIMUM_DOSE, region.min_gy, codes.GRAY),
        (codes.MAXIMUM_DOSE, region.max_gy, codes.GRAY),
        (codes.VOLUME, region.volume_ml, codes.MILLILITRE),
        (codes.VOLUME_LOW, volume_low, codes.MILLILITRE),
        (codes.VOLUME_HIGH, volume_high, codes.MILLILITRE),
        (codes.dose_to_volume("2"), region.d2_gy, codes.GRAY),
        (codes.dose_to_volume("50"), region.d50_gy, codes.GRAY),
        (codes.dose_to_volume("70"), region.d70_gy, codes.GRAY),
        (codes.dose_to_volume("95"), region.d95_gy, codes.GRAY),
        (codes.dose_to_volume("98"), region.d98_gy, codes.GRAY),
        *(
            (codes.volume_at_dose(dose), 100 * fraction, codes.PERCENT)
            for dose, fraction in sorted(region.v_fraction.items(), key=lambda pair: Decimal(pair[0]))
        ),
        (codes.BED, region.bed_gy, codes.GRAY),
        (codes.EQD2, region.eqd2_gy, codes.GRAY),
        (codes.EUBED, region.eubed_gy, codes.GRAY),
        (codes.GEUD, region.geud_gy, codes.GRAY),
    ]
    return [number(concept, value, unit) for concept, value, unit in rows if value is not None]
