"""What a person should look at before believing a visit; a flag never changes a response."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from connector.core.response.case import NOT_EVALUABLE, Lesion, NewLesion, ResponseCase, Visit

OLDEST_BASELINE_DAYS = 28  # RECIST_1_1, section 3.2: not more than four weeks before treatment
_EQUIVOCAL = NewLesion.EQUIVOCAL
UNIT_STEP = 10  # centimetres read as millimetres, or the other way


def baseline_date_flags(case: ResponseCase) -> Iterator[str]:
    """Say when the baseline is too old, too late, or the start of treatment is not known."""
    if case.treatment_start is None:
        yield "treatment_start_unknown: durations are counted from the baseline"
        return
    age_days = (case.treatment_start - case.visits[0].on).days
    if age_days > OLDEST_BASELINE_DAYS:
        yield f"baseline_too_old: {age_days} days before treatment, at most {OLDEST_BASELINE_DAYS}"
    if age_days < 0:
        yield f"baseline_after_treatment_start: by {-age_days} days"


def follow_up_flags(
    targets: tuple[Lesion, ...],
    visit: Visit,
    *,
    before: Visit,
    baseline: Visit,
    equivocal_on: date | None,
    nadir_mm: Decimal | None,
) -> Iterator[str]:
    """Say what is odd about a later visit; `equivocal_on` is when an equivocal new lesion was first seen."""
    if visit.new_lesion is _EQUIVOCAL:
        yield "equivocal_new_lesion: does not count; if it is confirmed later, progression dates from this visit"
    if equivocal_on is not None and visit.new_lesion is NewLesion.UNEQUIVOCAL:
        yield f"progression_may_date_back: if it is the equivocal lesion of {equivocal_on}, progression dates from then"
    if visit.reader is not None and baseline.reader not in {None, visit.reader}:
        yield "other_reader: not the reader of the baseline, so the sums may not compare"
    if nadir_mm == 0:
        yield "zero_nadir: any growth from zero is more than 20 %; look at what came back"
    found_now, found_then = visit.measurements.get, before.measurements.get
    for lesion in targets:
        now = found_now(lesion.id, NOT_EVALUABLE).total_mm
        then = found_then(lesion.id, NOT_EVALUABLE).total_mm
        # Two numbers of one order of magnitude are never ten-fold apart; most end here.
        if not now or not then or now.adjusted() == then.adjusted():
            continue
        if now >= UNIT_STEP * then or then >= UNIT_STEP * now:
            yield f"unlikely_change: {lesion.id} changed {UNIT_STEP}-fold or more; check the unit and the lesion"
