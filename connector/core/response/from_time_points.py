"""From imaging studies to a response case: which study is the baseline, which lesions are targets, what is new."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from connector.core.case import LesionMeasurement, LesionRole, LesionState, TimePoint
from connector.core.errors import BadCase
from connector.core.response.case import (
    ABSENT,
    LARGEST_DIAMETER_MM,
    Lesion,
    Measurement,
    NewLesion,
    Policies,
    ResponseCase,
    Visit,
)
from connector.core.response.checks import check_case
from connector.core.response.lesions import is_disease
from connector.core.response.matching import propose_matches
from connector.core.response.measurable import Candidate, choose_targets
from connector.core.response.recist_1_1 import RECIST_1_1

Needs = tuple[str, ...]
_SITE_UNKNOWN = "other"
# Words of anatomic codes that tell no organ from another, and regions of the body that hold several of them.
_NO_ORGAN = frozenset({_SITE_UNKNOWN, "and", "entire", "left", "of", "or", "part", "right", "structure", "the"})
_REGIONS = frozenset({
    "abdomen", "back", "body", "chest", "head", "hilum", "mediastinum", "neck", "pelvis", "region", "retroperitoneum",
    "skin", "thorax", "tissue", "trunk", "wall",
})  # fmt: skip
_NEW_LESIONS_BY_WEIGHT = (NewLesion.NONE, NewLesion.EQUIVOCAL, NewLesion.UNEQUIVOCAL)


@dataclass(frozen=True, slots=True)
class _Day:
    """All that was read of the studies of one day, by tracking UID."""

    on: date
    lesions: Mapping[str, LesionMeasurement]
    new_lesion: NewLesion
    twice: tuple[str, ...]  # labels of lesions to which two studies give different diameters


def response_case(
    time_points: Sequence[TimePoint],
    treatment_start: date | None = None,
    *,
    criteria: str = RECIST_1_1.name,
    policies: Policies | None = None,
) -> ResponseCase | Needs:
    """
    Arrange imaging studies as a case, or say what is needed before response can be judged.

    The baseline is the last day with lesions up to the start of treatment (the first day when the start is not known,
    or none is that early); earlier days are left out. Studies of one day are one visit. Targets are those that are
    named so, in any study; if no lesion has a role, they are chosen by size. A lesion that a later study does not
    mention was not evaluable; a tracking UID that the baseline does not know is a new lesion.
    """
    unlikely = tuple(_likely_sizes_needed(time_points))
    if unlikely:
        return unlikely
    days = _from_baseline(_days(time_points), treatment_start)
    if not days:
        return ("measured lesions: no imaging study holds any",)
    if len(days) == 1:
        return (f"a follow-up: {days[0].on} is the only day with measured lesions, or the last before treatment",)
    known = {uid: lesion for uid, lesion in days[0].lesions.items() if _measurement(lesion, None) != ABSENT}
    needs = (
        *_links_needed(days, known),
        *_one_lesion_needed(days),
        *_one_site_needed(days),
        *_one_diameter_needed(days),
    )
    if needs:
        return needs
    ids = _ids(known)
    lesions = _lesions(days, known, ids)
    roles = {lesion.id: lesion.role for lesion in lesions}
    case = ResponseCase(
        criteria=criteria,
        lesions=lesions,
        visits=tuple(_visit(day, ids, roles, is_baseline=day is days[0]) for day in days),
        treatment_start=treatment_start,
        policies=policies or Policies(),
    )
    try:
        check_case(case)
    except BadCase as fault:
        return (f"a correction: {fault}",)
    return case


def _likely_sizes_needed(time_points: Sequence[TimePoint]) -> Iterable[str]:
    for lesion in (lesion for point in time_points for lesion in point.lesions):
        diameter = _diameter_mm(lesion)
        if diameter is not None and not 0 <= diameter <= LARGEST_DIAMETER_MM:
            yield f"a likely size of {lesion.tracking_id} on {lesion.observed_on}: {diameter} mm; check the unit"


def _days(time_points: Sequence[TimePoint]) -> list[_Day]:
    by_day: dict[date, list[TimePoint]] = defaultdict(list)
    for point in time_points:
        if point.lesions or NewLesion(point.new_lesion) is not NewLesion.NONE:
            by_day[point.studied_on].append(point)
    return [_day(on, by_day[on]) for on in sorted(by_day)]


def _day(on: date, points: list[TimePoint]) -> _Day:
    """Join the studies of one day; of two descriptions of a lesion the one with a diameter stands."""
    lesions: dict[str, LesionMeasurement] = {}
    twice: list[str] = []
    for lesion in (lesion for point in points for lesion in point.lesions):
        known = lesions.setdefault(lesion.tracking_uid, lesion)
        before, now = _diameter_mm(known), _diameter_mm(lesion)
        if before is None:
            lesions[lesion.tracking_uid] = lesion
        elif now is not None and now != before:
            twice.append(lesion.tracking_id)
    new = max((NewLesion(point.new_lesion) for point in points), key=_NEW_LESIONS_BY_WEIGHT.index)
    return _Day(on, lesions, new, tuple(twice))


def _from_baseline(days: list[_Day], treatment_start: date | None) -> list[_Day]:
    with_lesions = [index for index, day in enumerate(days) if day.lesions]
    if not with_lesions:
        return []
    before_treatment = [index for index in with_lesions if treatment_start and days[index].on <= treatment_start]
    return days[before_treatment[-1] if before_treatment else with_lesions[0] :]


def _links_needed(days: list[_Day], known: Mapping[str, LesionMeasurement]) -> Iterable[str]:
    """Without one common tracking UID every lesion would read as new, and every old one as missing."""
    for day in days[1:]:
        if day.lesions and known and not known.keys() & day.lesions.keys():
            yield (
                f"linked lesions: no lesion of {day.on} carries a tracking UID of the baseline; give a lesion the same "
                f"tracking UID in every study{_proposals(known, day)}"
            )


def _proposals(known: Mapping[str, LesionMeasurement], day: _Day) -> str:
    proposed = propose_matches(tuple(known.values()), tuple(day.lesions.values()))
    return f". To be checked by a person: {', '.join(map(str, proposed))}" if proposed else ""


def _one_lesion_needed(days: list[_Day]) -> Iterable[str]:
    for day in days:
        for lesion in day.lesions.values():
            if lesion.conflicts:
                yield (
                    f"one lesion for a tracking UID: {lesion.tracking_id} on {day.on} is there twice "
                    f"({', '.join(lesion.conflicts)}); give each lesion its own, or correct the one that is wrong"
                )


def _one_site_needed(days: list[_Day]) -> Iterable[str]:
    """A lesion stays in its organ, and a node stays a node, at every visit: otherwise two lesions were linked."""
    first: dict[str, tuple[date, LesionMeasurement]] = {}
    for day in days:
        for uid, now in day.lesions.items():
            since, before = first.setdefault(uid, (day.on, now))
            if _moved(before, now):
                yield (
                    f"one site for a lesion: {before.tracking_id} is in {_place(before)} on {since} and in "
                    f"{_place(now)} on {day.on}; correct its link or its site"
                )
            elif not _organ(before):
                first[uid] = (day.on, now)


def _moved(before: LesionMeasurement, now: LesionMeasurement) -> bool:
    if before.lymph_node is not now.lymph_node:
        return True
    one, other = before.site_code, now.site_code
    if one is not None and other is not None and (one.value, one.system) == (other.value, other.system):
        return False
    here, there = _organ(before), _organ(now)
    return bool(here and there) and not here & there


def _organ(lesion: LesionMeasurement) -> frozenset[str]:
    """Get the words that name the organ; empty when it is not named, or only a region that holds several organs."""
    words = frozenset(_place(lesion).replace(",", " ").split()) - _NO_ORGAN
    return frozenset() if words & _REGIONS else words


def _one_diameter_needed(days: list[_Day]) -> Iterable[str]:
    for day in days:
        for label in day.twice:
            yield f"one diameter of {label} on {day.on}: two studies of that day give different ones"


def _ids(known: Mapping[str, LesionMeasurement]) -> dict[str, str]:
    """Call a lesion by its label for people where that names one lesion only, else by its tracking UID."""
    labels = Counter(lesion.tracking_id for lesion in known.values())
    return {uid: lesion.tracking_id if labels[lesion.tracking_id] == 1 else uid for uid, lesion in known.items()}


def _lesions(days: list[_Day], known: Mapping[str, LesionMeasurement], ids: Mapping[str, str]) -> tuple[Lesion, ...]:
    stated = {uid: _stated_role(uid, days) for uid in known}
    if any(stated.values()):
        targets = {uid for uid, role in stated.items() if role is LesionRole.TARGET}
    else:
        candidates = [
            Candidate(uid, _place(lesion), lesion.lymph_node, _diameter_mm(lesion), lesion.slice_thickness_mm)
            for uid, lesion in known.items()
            if lesion.state is LesionState.MEASURED
        ]
        targets = set(choose_targets(candidates))
    return tuple(
        Lesion(
            id=ids[uid],
            role=LesionRole.TARGET if uid in targets else LesionRole.NON_TARGET,
            site=_place(lesion),
            lymph_node=lesion.lymph_node,
            slice_thickness_mm=lesion.slice_thickness_mm,
        )
        for uid, lesion in known.items()
    )


def _place(lesion: LesionMeasurement) -> str:
    """Name the organ; one without a word of ours by the meaning of its code, so that two of them stay two organs."""
    named = lesion.site_code.meaning.lower() if lesion.site_code is not None else ""
    return named if lesion.site == _SITE_UNKNOWN and named else lesion.site


def _stated_role(uid: str, days: list[_Day]) -> LesionRole | None:
    roles = (day.lesions[uid].role for day in days if uid in day.lesions)
    return next((role for role in roles if role is not None), None)


def _visit(day: _Day, ids: Mapping[str, str], roles: Mapping[str, LesionRole], *, is_baseline: bool) -> Visit:
    new = NewLesion.NONE if is_baseline else day.new_lesion
    if not is_baseline and new is NewLesion.NONE and any(map(_is_new, _unknown(day, ids))):
        new = NewLesion.UNEQUIVOCAL
    return Visit(
        on=day.on,
        measurements={
            ids[uid]: _measurement(lesion, roles[ids[uid]]) for uid, lesion in day.lesions.items() if uid in ids
        },
        new_lesion=new,
    )


def _unknown(day: _Day, ids: Mapping[str, str]) -> Iterable[LesionMeasurement]:
    return (lesion for uid, lesion in day.lesions.items() if uid not in ids)


def _diameter_mm(lesion: LesionMeasurement) -> Decimal | None:
    """Return the diameter that response is judged by, in millimetres: a node's short axis, else the long axis."""
    return lesion.short_axis_mm if lesion.lymph_node else lesion.long_axis_mm


def _measurement(lesion: LesionMeasurement, role: LesionRole | None) -> Measurement:
    """Read what was found; a target that is said to progress is judged by its diameter, when it has one."""
    diameter = _diameter_mm(lesion)
    said_to_progress = lesion.state is LesionState.UNEQUIVOCAL_PROGRESSION and role is LesionRole.TARGET
    if diameter is not None and (lesion.state is LesionState.MEASURED or said_to_progress):
        return Measurement(LesionState.MEASURED, (diameter,)) if diameter else ABSENT
    return Measurement(LesionState.PRESENT if lesion.state is LesionState.MEASURED else lesion.state)


def _is_new(lesion: LesionMeasurement) -> bool:
    """Tell whether a lesion that the baseline does not know is disease; a node below 10 mm is not."""
    found = _measurement(lesion, None)
    if found.total_mm is None:
        return found.state in {LesionState.PRESENT, LesionState.UNEQUIVOCAL_PROGRESSION}
    return is_disease(Lesion(lesion.tracking_uid, LesionRole.NON_TARGET, lesion.site, lesion.lymph_node), found)
