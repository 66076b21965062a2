"""What a case must be before anything is judged: every impossible input is named, with its field and what to do."""

from collections.abc import Iterable
from typing import NoReturn

from connector.core.case import LesionRole, LesionState
from connector.core.errors import BadCase
from connector.core.response.case import Lesion, Measurement, NewLesion, ResponseCase, Visit

_PROGRESSION = LesionState.UNEQUIVOCAL_PROGRESSION


def check_case(case: ResponseCase) -> None:
    """Refuse a case that cannot be judged. Raises BadCase."""
    lesions = _lesions_by_id(case)
    _check_dates(case)
    if case.visits[0].new_lesion is not NewLesion.NONE:
        _refuse(
            "visits.0.new_lesion", case.visits[0].new_lesion, "the baseline has no new lesions: list it as a lesion"
        )
    for number, visit in enumerate(case.visits):
        if visit.confirms_equivocal_of is not None:
            _check_confirmation(number, visit, case.visits[:number])
        if not visit.measurements.keys() <= lesions.keys():
            lesion_id = next(lesion_id for lesion_id in visit.measurements if lesion_id not in lesions)
            _refuse(_at(number, lesion_id), lesion_id, "no such lesion: add it to lesions, or correct its id")
    for number, lesion_id, _ in case.special:
        _check_special(_at(number, lesion_id), lesions[lesion_id], case.visits[number], lesions)
    for lesion in case.targets:
        _check_target_at_baseline(_at(0, lesion.id), case.visits[0].of(lesion))


def _at(visit_number: int, lesion_id: str) -> str:
    return f"visits.{visit_number}.measurements.{lesion_id}"


def _refuse(field: str, value: object, message: str) -> NoReturn:
    raise BadCase(field, value, message)


def _lesions_by_id(case: ResponseCase) -> dict[str, Lesion]:
    lesions: dict[str, Lesion] = {}
    for number, lesion in enumerate(case.lesions):
        if not lesion.id:
            _refuse(f"lesions.{number}.id", lesion.id, "a lesion needs an id")
        if lesion.id in lesions:
            _refuse(f"lesions.{number}.id", lesion.id, "two lesions have this id: give each its own")
        wrong_axis = "long" if lesion.lymph_node else "short"
        if lesion.axis == wrong_axis and lesion.role is LesionRole.TARGET:
            what = "a node is measured on its short axis" if lesion.lymph_node else "measure the longest diameter"
            _refuse(f"lesions.{number}.axis", lesion.axis, f"{what}: measure it again, or make the lesion non-target")
        if lesion.slice_thickness_mm is not None and lesion.slice_thickness_mm <= 0:
            _refuse(f"lesions.{number}.slice_thickness_mm", lesion.slice_thickness_mm, "a thickness is above 0 mm")
        lesions[lesion.id] = lesion
    return lesions


def _check_dates(case: ResponseCase) -> None:
    if not case.visits:
        _refuse("visits", [], "is empty: give at least the baseline")
    before = None
    for number, visit in enumerate(case.visits):
        if before is not None and visit.on <= before:
            _refuse(
                f"visits.{number}.date",
                visit.on,
                "is not after the visit before it: put visits in order, one visit a date",
            )
        if number > 0 and case.treatment_start is not None and visit.on < case.treatment_start:
            _refuse(
                f"visits.{number}.date",
                visit.on,
                "is a second visit before treatment: keep the one that is the baseline",
            )
        before = visit.on
    last = case.visits[-1].on
    start = case.treatment_start or case.visits[0].on
    if case.new_therapy_date is not None and case.new_therapy_date < start:
        _refuse("new_therapy_date", case.new_therapy_date, "is before the treatment that is judged: correct it")
    if case.death_date is not None and case.death_date < last:
        _refuse("death_date", case.death_date, "is before the last visit: correct one of them")
    if case.last_contact_date is not None and case.last_contact_date < last:
        _refuse("last_contact_date", case.last_contact_date, "is before the last visit: correct one of them")


def _check_confirmation(number: int, visit: Visit, earlier: Iterable[Visit]) -> None:
    field, since = f"visits.{number}.confirms_equivocal_of", visit.confirms_equivocal_of
    if visit.new_lesion is not NewLesion.UNEQUIVOCAL:
        _refuse(field, since, "confirms a new lesion, which this visit does not call unequivocal: correct one of them")
    if not any(before.on == since and before.new_lesion is NewLesion.EQUIVOCAL for before in earlier):
        _refuse(field, since, "is not the date of an earlier visit with an equivocal new lesion: give that date")


def _check_special(field: str, lesion: Lesion, visit: Visit, lesions: dict[str, Lesion]) -> None:
    measurement = visit.of(lesion)
    if measurement.merged_into is not None:
        _check_merge(field, lesion, measurement.merged_into, lesions, visit)
    if measurement.state is _PROGRESSION and lesion.role is LesionRole.TARGET:
        _refuse(field, measurement.state.value, "is said of non-target lesions: give this target's diameter")


def _check_merge(field: str, lesion: Lesion, host_id: str, lesions: dict[str, Lesion], visit: Visit) -> None:
    value = f"merged:{host_id}"
    host = lesions.get(host_id)
    if host is None or host is lesion:
        _refuse(field, value, "names no other lesion: name the one that it is measured with")
    if visit.of(host).merged_into is not None:
        _refuse(field, value, "names a lesion that is itself merged: name the one that carries the diameter")
    if lesion.role is LesionRole.TARGET and host.role is not LesionRole.TARGET:
        _refuse(field, value, "a target can only grow into a target: put the common diameter on the target")


def _check_target_at_baseline(field: str, measurement: Measurement) -> None:
    if measurement.total_mm == 0:
        _refuse(field, "0", "a target has a diameter at baseline: measure it, or leave it out of the targets")
    if measurement.merged_into is not None:
        message = "lesions that are one at baseline are one lesion: list it once"
        _refuse(field, f"merged:{measurement.merged_into}", message)
    if measurement.state is LesionState.TREATED_LOCALLY:
        _refuse(field, measurement.state.value, "a lesion treated before baseline is no target: make it non-target")
