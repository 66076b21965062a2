"""What the lesions of one visit add up to: a sum of diameters for the targets, a finding for each non-target."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from connector.core.case import LesionState
from connector.core.response.case import NOT_EVALUABLE, Lesion, Measurement, ResponseCase, Visit
from connector.core.response.recist_1_1 import Found

ZERO_MM = Decimal(0)
# Members by name, once: looking one up in its class costs more than the comparison.
_PRESENT, _PROGRESSION, _TREATED = (
    LesionState.PRESENT,
    LesionState.UNEQUIVOCAL_PROGRESSION,
    LesionState.TREATED_LOCALLY,
)
_GONE, _PERSISTS, _PROGRESSED, _NOT_EVALUABLE = (
    Found.GONE,
    Found.PERSISTS,
    Found.PROGRESSED,
    Found.NOT_EVALUABLE,
)


class TargetSum(NamedTuple):
    """
    The targets of one visit: the sum over those that were measured, in millimetres, and whether that is all of them.

    `found` is what was found of each, in order. `disease` tells whether one is seen or, for nodes, enlarged.
    """

    found: tuple[Measurement, ...]
    measured_mm: Decimal
    complete: bool
    disease: bool
    flags: Sequence[str]


def is_disease(lesion: Lesion, measurement: Measurement) -> bool:
    """Tell whether what was measured is disease: anything at all, or a node with a short axis of 10 mm and more."""
    return measurement.disease_in_node if lesion.lymph_node else measurement.disease


def target_sum(targets: tuple[Lesion, ...], visit: Visit, treated_on: Mapping[str, date]) -> TargetSum:
    """
    Add up the targets of one visit.

    A target that has grown into another adds nothing and is as complete, and as gone, as the one it grew into. One that
    was treated locally, now or before (`treated_on`), has left the assessment, whatever was measured afterwards.
    """
    measured_of = visit.measurements.get
    found = tuple([measured_of(lesion.id, NOT_EVALUABLE) for lesion in targets])
    sizes_mm = [measurement.total_mm for measurement in found if measurement.total_mm is not None]
    if treated_on or len(sizes_mm) < len(found):
        return _sum_of_a_part(targets, found, visit, treated_on)
    return TargetSum(found, sum(sizes_mm, ZERO_MM), True, any(map(is_disease, targets, found)), ())


def _sum_of_a_part(
    targets: tuple[Lesion, ...], found: tuple[Measurement, ...], visit: Visit, treated_on: Mapping[str, date]
) -> TargetSum:
    measured_mm, complete, disease = ZERO_MM, True, False
    flags: list[str] = []
    for lesion, measurement in zip(targets, found, strict=True):
        left = has_left(lesion, visit, treated_on)
        if left or measurement.total_mm is None:
            complete = complete and measurement.merged_into is not None and not left
            flags.append(_why_not_measured(lesion, measurement, left=left))
        else:
            measured_mm += measurement.total_mm
            disease = disease or is_disease(lesion, measurement)
    return TargetSum(found, measured_mm, complete, disease, flags)


def first_treated_on(case: ResponseCase) -> dict[str, date]:
    """Return the first day on which each lesion was found treated locally, by lesion id."""
    return {
        lesion_id: case.visits[number].on
        for number, lesion_id, measurement in reversed(case.special)
        if measurement.state is _TREATED
    }


def has_left(lesion: Lesion, visit: Visit, treated_on: Mapping[str, date]) -> bool:
    """Tell whether a lesion was treated locally at this visit or before: what is left of it is not response."""
    return lesion.id in treated_on and treated_on[lesion.id] <= visit.on


def _why_not_measured(lesion: Lesion, measurement: Measurement, *, left: bool) -> str:
    if left:
        return f"treated_locally: {lesion.id} left the assessment and is not evaluable since then"
    if measurement.merged_into is not None:
        return f"merged: {lesion.id} has grown into {measurement.merged_into} and is measured with it"
    if measurement.state is _PRESENT:
        return f"target_not_measured: {lesion.id} is present without a diameter, so it is not evaluable"
    return f"target_not_evaluable: {lesion.id} was not evaluable"


def non_targets_found(lesions: tuple[Lesion, ...], visit: Visit, treated_on: Mapping[str, date]) -> list[Found]:
    """Tell what became of each non-target lesion; one that has grown into another shares what is found of that one."""
    return [_found(lesion, visit, treated_on) for lesion in lesions]


def _found(lesion: Lesion, visit: Visit, treated_on: Mapping[str, date]) -> Found:
    measurement = visit.measurements.get(lesion.id, NOT_EVALUABLE)
    if measurement.merged_into is not None:
        measurement = visit.measurements.get(measurement.merged_into, NOT_EVALUABLE)
    state = measurement.state
    if state is _PROGRESSION:
        return _PROGRESSED
    if treated_on and has_left(lesion, visit, treated_on):
        return _NOT_EVALUABLE
    if state is _PRESENT:
        return _PERSISTS
    if measurement.total_mm is None:
        return _NOT_EVALUABLE
    return _PERSISTS if is_disease(lesion, measurement) else _GONE
