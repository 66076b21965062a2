"""What a report says of single lesions beside their size: the viable part, viability after treatment, and uptake."""

from collections.abc import Iterator

from highdicom.sr import Measurement, QualitativeEvaluation, TextContentItem

from connector.core.assessment import Assessment
from connector.core.case import LesionMeasurement
from connector.core.lesion_reports import DatedViability, TreatedLesionReport
from connector.dicom import codes
from connector.dicom.write_sr_items import answer, number, text_item


def viable_measurements(lesion: LesionMeasurement) -> list[Measurement]:
    """Say how long the enhancing part is, and how long across; 0 mm is an answer."""
    rows = ((codes.VIABLE_DIAMETER, lesion.viable_mm), (codes.VIABLE_ACROSS, lesion.viable_across_mm))
    return [number(concept, value, codes.MILLIMETRE) for concept, value in rows if value is not None]


def uptake_measurements(lesion: LesionMeasurement) -> list[Measurement]:
    """Say SUVbw with its derivations (CID 7469, CID 7464), metabolic volume and glycolysis (CID 7466)."""
    uptake = lesion.uptake
    if uptake is None:
        return []
    suv = ((codes.MAXIMUM, uptake.suv_max), (codes.PEAK, uptake.suv_peak), (codes.MEAN, uptake.suv_mean))
    rows = (
        (codes.METABOLIC_VOLUME, uptake.functional_volume_ml, codes.MILLILITRE),
        (codes.TOTAL_LESION_GLYCOLYSIS, uptake.tlg_g, codes.GRAM),
    )
    return [
        *(
            number(codes.SUV_BW, value, codes.SUV_BODY_WEIGHT, derivation=how)
            for how, value in suv
            if value is not None
        ),
        *(number(concept, value, unit) for concept, value, unit in rows if value is not None),
    ]


def viability_answers(lesion: LesionMeasurement, assessment: Assessment) -> list[QualitativeEvaluation]:
    """Say what enhances, and whether the treated lesion is viable on the day of the study."""
    answers = []
    if lesion.enhancement is not None:
        answers.append(answer(codes.ENHANCEMENT, codes.ENHANCEMENTS[lesion.enhancement]))
    scan = _scan(lesion, assessment)
    if scan is not None:
        answers.append(answer(codes.VIABILITY, codes.VIABILITIES[scan.viability]))
    return answers


def lesion_sentences(lesion: LesionMeasurement, assessment: Assessment) -> Iterator[TextContentItem]:
    """Say why it is viable or not, since when, what counts as functional tumour, and how the uptake has changed."""
    treated, scan = _treated(lesion, assessment), _scan(lesion, assessment)
    if scan is not None:
        yield text_item(codes.RESPONSE_REASON, scan.reason)
    if treated is not None:
        for concept, on in (
            (codes.RESIDUAL_TUMOUR, treated.residual_on),
            (codes.LOCAL_PROGRESSION, treated.local_progression_on),
        ):
            if on is not None:
                yield text_item(concept, on.isoformat())
    if lesion.uptake is not None and lesion.uptake.functional_by:
        yield text_item(codes.FUNCTIONAL_BY, lesion.uptake.functional_by)
    for report in assessment.uptake:
        if report.tracking_uid == lesion.tracking_uid and report.before_on is not None:
            yield text_item(codes.FINDING, report.text)


def _treated(lesion: LesionMeasurement, assessment: Assessment) -> TreatedLesionReport | None:
    return next((one for one in assessment.treated_lesions if one.tracking_uid == lesion.tracking_uid), None)


def _scan(lesion: LesionMeasurement, assessment: Assessment) -> DatedViability | None:
    treated = _treated(lesion, assessment)
    return next((scan for scan in treated.scans if scan.on == lesion.observed_on), None) if treated else None
