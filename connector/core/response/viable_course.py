"""What the viable part of each tumour says over time: beside RECIST 1.1, and never mixed with it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from connector.core.assessment import DatedResponse, ViableReport
from connector.core.case import Enhancement, FactValue, LesionMeasurement, LesionState, TimePoint
from connector.core.evidence import Observed
from connector.core.lesion_reports import DatedViability, TreatedLesionReport, UptakeReport
from connector.core.response.assess import assess_response
from connector.core.response.case import NewLesion, Response, ResponseCase
from connector.core.response.from_time_points import response_case
from connector.core.response.mrecist import MRECIST, SeenNodule, new_nodule
from connector.core.response.pet_metrics import pet_change
from connector.core.response.viability import (
    JUDGED_AT_ONCE,
    JUDGED_BY_CHANGE,
    Scan,
    Viability,
    easl_response,
    judge_treated_lesion,
)

_LIVER = "liver"
_ZERO_MM = Decimal(0)


def viable_report(
    time_points: Sequence[TimePoint], treated_on: date | None, treated: Sequence[TreatedLesionReport]
) -> ViableReport | None:
    """
    Judge the viable diameters by mRECIST, and their products by EASL; None when fewer than two studies hold any.

    Only lesions whose viable part was measured in some study take part, so that no sum mixes viable and whole
    diameters. A liver nodule that the baseline does not know is new by its enhancement and growth (`new_nodule`).
    """
    ordered = sorted(time_points, key=lambda point: point.studied_on)
    followed = {lesion.tracking_uid for point in ordered for lesion in point.lesions if lesion.viable_mm is not None}
    first_uids = {lesion.tracking_uid for lesion in _first_with_viable(ordered, treated_on)}
    nodules = _new_nodules(ordered, first_uids)
    viable = [_viable_point(point, followed, nodules) for point in ordered]
    case = response_case([point for point in viable if point is not None], treated_on, criteria=MRECIST)
    if not isinstance(case, ResponseCase):
        return None
    return ViableReport(assess_response(_dated_back(case, nodules)), _easl(case, ordered, treated))


def _first_with_viable(ordered: Sequence[TimePoint], treated_on: date | None) -> tuple[LesionMeasurement, ...]:
    """Find the lesions of the baseline: the last study with a viable part up to the treatment, else the first."""
    measured = [point for point in ordered if any(lesion.viable_mm is not None for lesion in point.lesions)]
    before = [point for point in measured if treated_on is not None and point.studied_on <= treated_on]
    baseline = before[-1:] or measured[:1]
    return tuple(lesion for point in baseline for lesion in point.lesions)


_Nodules = Mapping[str, Mapping[date, NewLesion]]


def _new_nodules(ordered: Sequence[TimePoint], first_uids: set[str]) -> _Nodules:
    seen: dict[str, list[tuple[date, LesionMeasurement]]] = {}
    for point in ordered:
        for lesion in point.lesions:
            if lesion.site == _LIVER and lesion.tracking_uid not in first_uids:
                seen.setdefault(lesion.tracking_uid, []).append((point.studied_on, lesion))
    return {
        uid: dict(
            zip(
                (on for on, _ in course),
                new_nodule([_seen(lesion) for _, lesion in course]),
                strict=True,
            )
        )
        for uid, course in seen.items()
    }


def _seen(lesion: LesionMeasurement) -> SeenNodule:
    size_mm = _ZERO_MM if lesion.state is LesionState.ABSENT else lesion.long_axis_mm
    return SeenNodule(size_mm, typical=bool(lesion.viable_mm))


def _viable_point(point: TimePoint, followed: set[str], nodules: _Nodules) -> TimePoint | None:
    """Keep the viable diameters; a nodule becomes a word on new lesions. None: nobody looked for what enhances."""
    if all(lesion.viable_mm is None for lesion in point.lesions):
        return None
    lesions = []
    new = NewLesion(point.new_lesion)
    for lesion in point.lesions:
        status = nodules.get(lesion.tracking_uid, {}).get(point.studied_on)
        if status is not None:
            new = max(new, status, key=list(NewLesion).index)
        elif lesion.tracking_uid in followed:
            lesions.append(_viable(lesion))
    return replace(point, lesions=tuple(lesions), new_lesion=new.value)


def _viable(lesion: LesionMeasurement) -> LesionMeasurement:
    size = lesion.viable_mm
    state = LesionState.NOT_EVALUABLE if size is None else LesionState.MEASURED if size else LesionState.ABSENT
    # A node is measured on its short axis there too; the role is by the viable size, which need not be RECIST's.
    return replace(lesion, role=None, state=state, long_axis_mm=size, short_axis_mm=size if lesion.lymph_node else None)


def _dated_back(case: ResponseCase, nodules: _Nodules) -> ResponseCase:
    """A nodule that is called new at last was new when it was first seen."""
    since: dict[date, date] = {}
    for course in nodules.values():
        confirmed = [on for on, status in course.items() if status is NewLesion.UNEQUIVOCAL]
        first = min(course)
        if confirmed and first < confirmed[0]:
            since[confirmed[0]] = min(first, since.get(confirmed[0], first))
    dates = {visit.on for visit in case.visits if visit.new_lesion is NewLesion.EQUIVOCAL}
    return replace(
        case,
        visits=tuple(
            visit._replace(confirms_equivocal_of=since[visit.on])
            if since.get(visit.on) in dates and visit.new_lesion is NewLesion.UNEQUIVOCAL
            else visit
            for visit in case.visits
        ),
    )


def _easl(
    case: ResponseCase, ordered: Sequence[TimePoint], treated: Sequence[TreatedLesionReport]
) -> tuple[DatedResponse, ...]:
    """Judge the sum of products at each visit; empty when the baseline has none, NE where one is missing."""
    products: dict[date, dict[str, Decimal]] = {}
    for point in ordered:
        for lesion in point.lesions:
            product = _product_mm2(lesion)
            if product is not None:
                products.setdefault(point.studied_on, {}).update({
                    lesion.tracking_id: product, lesion.tracking_uid: product,
                })  # fmt: skip
    sums = [_sum_mm2(case, products.get(visit.on, {})) for visit in case.visits]
    baseline = smallest = sums[0]
    if not baseline or smallest is None:
        return ()
    back = {report.local_progression_on for report in treated}
    found = []
    for visit, total in zip(case.visits[1:], sums[1:], strict=True):
        if total is None:
            found.append(DatedResponse(Response.NE, visit.on))
            continue
        response = easl_response(
            baseline_mm2=baseline,
            smallest_mm2=smallest,
            current_mm2=total,
            new_enhancement_in_treated_lesion=visit.on in back,
        )
        found.append(DatedResponse(response, visit.on))
        smallest = min(smallest, total)
    return tuple(found)


def _product_mm2(lesion: LesionMeasurement) -> Decimal | None:
    if lesion.viable_mm == 0:
        return _ZERO_MM
    if lesion.viable_mm is None or lesion.viable_across_mm is None:
        return None
    return lesion.viable_mm * lesion.viable_across_mm


def _sum_mm2(case: ResponseCase, products: Mapping[str, Decimal]) -> Decimal | None:
    found = [products.get(target.id) for target in case.targets]
    known = [product for product in found if product is not None]
    return sum(known, _ZERO_MM) if known and len(known) == len(found) else None


def treated_lesions(
    time_points: Sequence[TimePoint], treatments: Sequence[Observed[str]]
) -> tuple[TreatedLesionReport, ...]:
    """
    Judge every lesion of which a study says what enhances after a local treatment.

    The record does not say which lesion was treated: it is one whose enhancement a reader judged, or that a study calls
    treated locally, and the treatment is the last one before the first such study. Without a dated treatment nothing
    can be judged.
    """
    local = [
        (one.observed_on, one.value)
        for one in treatments
        if one.observed_on is not None and one.value in JUDGED_AT_ONCE | JUDGED_BY_CHANGE
    ]
    found = []
    for course in _courses(time_points):
        judged = [on for on, lesion in course if _is_judged(lesion)]
        before = [one for one in local if judged and one[0] < judged[0]]
        if before:
            treated_on, modality = max(before)
            found.append(_treated(course, modality, treated_on))
    return tuple(one for one in found if one.scans)


_Course = Sequence[tuple[date, LesionMeasurement]]


def _courses(time_points: Sequence[TimePoint]) -> Iterable[_Course]:
    """Every lesion over time, one entry a day."""
    courses: dict[str, dict[date, LesionMeasurement]] = {}
    for point in sorted(time_points, key=lambda point: point.studied_on):
        for lesion in point.lesions:
            on = courses.setdefault(lesion.tracking_uid, {})
            if point.studied_on not in on or not _is_judged(on[point.studied_on]):
                on[point.studied_on] = lesion
    return (tuple(course.items()) for course in courses.values())


def _is_judged(lesion: LesionMeasurement) -> bool:
    return lesion.enhancement is not None or lesion.state is LesionState.TREATED_LOCALLY


def _treated(course: _Course, modality: str, treated_on: date) -> TreatedLesionReport:
    before = [lesion.viable_mm for on, lesion in course if on <= treated_on and lesion.viable_mm is not None]
    scans = [scan for on, lesion in course if on > treated_on and (scan := _scan(on, lesion)) is not None]
    answer = judge_treated_lesion(modality, treated_on, scans, enhancing_before_mm=before[-1] if before else None)
    _, last = course[-1]
    return TreatedLesionReport(
        lesion=last.tracking_id,
        tracking_uid=last.tracking_uid,
        modality=modality,
        treated_on=treated_on,
        scans=tuple(DatedViability(one.on, one.viability.value, one.reason) for one in answer.scans),
        residual_on=answer.residual_on,
        local_progression_on=answer.local_progression_on,
    )


def _scan(on: date, lesion: LesionMeasurement) -> Scan | None:
    """Read a diameter of what enhances as that of a mass, unless a reader says otherwise; None when nothing is told."""
    if lesion.enhancement is not None:
        size = lesion.viable_mm if lesion.enhancement is Enhancement.MASSLIKE else None
        return Scan(on, lesion.enhancement, size)
    if lesion.viable_mm is None:
        return None
    return Scan(on, Enhancement.MASSLIKE, lesion.viable_mm) if lesion.viable_mm else Scan(on, Enhancement.NONE)


def viable_facts(
    assessed: TimePoint, viable: ViableReport | None, treated: Sequence[TreatedLesionReport]
) -> dict[str, Observed[FactValue]]:
    """
    State what the assessed study settles, under the names of the catalogue.

    There is residual tumour when one treated lesion is viable, and none when every one that was judged is not.
    """
    facts: dict[str, FactValue] = {}
    today = [scan.viability for report in treated for scan in report.scans if scan.on == assessed.studied_on]
    if Viability.VIABLE in today:
        facts["residual_viable_tumour"] = True
    elif today and set(today) == {Viability.NON_VIABLE}:
        facts["residual_viable_tumour"] = False
    if viable is not None:
        sums = {visit.on: visit.sum_mm for visit in viable.response.visits}
        baseline, current = viable.response.visits[0].sum_mm, sums.get(assessed.studied_on)
        if baseline and current is not None:
            facts |= {"viable_sum_baseline_mm": baseline, "viable_sum_current_mm": current}
    return {name: Observed(value, assessed.study_instance_uid, assessed.studied_on) for name, value in facts.items()}


def uptake_reports(
    time_points: Sequence[TimePoint], *, assessed_on: date, treated_on: date | None
) -> tuple[UptakeReport, ...]:
    """Compare each tumour's uptake on the assessed day with the last before treatment, else with its first."""
    found = []
    for course in _courses(time_points):
        measured = [(on, lesion) for on, lesion in course if lesion.uptake is not None and on <= assessed_on]
        if measured and measured[-1][0] == assessed_on:
            earlier = [one for one in measured[:-1] if treated_on is None or one[0] <= treated_on]
            # Before a treatment the last PET compares best; without one, the first tells the whole course.
            found.append(_uptake(measured[-1], earlier[-1 if treated_on else 0] if earlier else None))
    return tuple(found)


def _uptake(now: tuple[date, LesionMeasurement], before: tuple[date, LesionMeasurement] | None) -> UptakeReport:
    on, lesion = now
    uptake = lesion.uptake
    assert uptake is not None  # noqa: S101 - only lesions with uptake come here
    if before is None or before[1].uptake is None:
        return UptakeReport(lesion.tracking_id, lesion.tracking_uid, on, uptake)
    change = pet_change(before[1].uptake, uptake)
    return UptakeReport(
        lesion.tracking_id,
        lesion.tracking_uid,
        on,
        uptake,
        before_on=before[0],
        suv_max_percent=change.suv_max_percent,
        suv_peak_percent=change.suv_peak_percent,
        functional_volume_percent=change.functional_volume_percent,
        tlg_percent=change.tlg_percent,
        flags=change.flags,
    )
