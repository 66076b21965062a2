"""What a person should look at before believing a visit; a flag never changes a response."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal

from connector.core.response.case import Lesion, Measurement, NewLesion, ResponseCase, Visit

OLDEST_BASELINE_DAYS = 28  # RECIST_1_1, section 3.2: not more than four weeks before treatment
_EQUIVOCAL, _UNEQUIVOCAL = NewLesion.EQUIVOCAL, NewLesion.UNEQUIVOCAL
_EQUIVOCAL_FLAG = (
    "equivocal_new_lesion: an equivocal new lesion does not count; if it is confirmed later, progression dates from"
    " this visit"
)
UNIT_STEP = 10  # centimetres read as millimetres, or the other way


def baseline_date_flags(case: ResponseCase) -> Iterator[str]:
    """Say when the baseline is too old, too late, or the start of treatment is not known."""
    if case.treatment_start is None:
        yield "treatment_start_unknown: the start of treatment is not known, so durations are counted from the baseline"
        return
    age_days = (case.treatment_start - case.visits[0].on).days
    if age_days > OLDEST_BASELINE_DAYS:
        yield (
            f"baseline_too_old: the baseline is {age_days} days before the start of treatment, and at most"
            f" {OLDEST_BASELINE_DAYS} are allowed"
        )
    if age_days < 0:
        yield f"baseline_after_treatment_start: the baseline is {-age_days} days after the start of treatment"


def follow_up_flags(
    visit: Visit,
    *,
    baseline_reader: str | None,
    equivocal_on: date | None,
    nadir_mm: Decimal | None,
    confirmed_on: date | None,
) -> list[str]:
    """Say what is odd about a later visit; `equivocal_on`: an equivocal new lesion, not confirmed yet."""
    flags = []
    if confirmed_on is not None:
        flags.append(
            f"progression_dated_back: progression dates from this visit: its equivocal new lesion was confirmed on"
            f" {confirmed_on}"
        )
    elif visit.new_lesion is _EQUIVOCAL:
        flags.append(_EQUIVOCAL_FLAG)
    if equivocal_on is not None and visit.new_lesion is _UNEQUIVOCAL:
        flags.append(
            f"progression_may_date_back: if the new lesion is the equivocal one of {equivocal_on}, progression dates"
            f" from then"
        )
    if baseline_reader is not None and visit.reader not in {None, baseline_reader}:
        flags.append("other_reader: another reader than at the baseline, so the sums may not compare")
    if nadir_mm is not None and not nadir_mm:
        flags.append("zero_nadir: any growth from zero is more than 20 %; look at what came back")
    return flags


def size_flags(
    targets: Iterable[Lesion], *, found: Sequence[Measurement], found_before: Sequence[Measurement]
) -> Sequence[str]:
    """Name the targets whose size at two visits in turn is hardly that of one lesion in one unit."""
    # Two numbers of one order of magnitude are never ten-fold apart; most visits end here.
    if [now.decade for now in found] == [then.decade for then in found_before]:
        return ()
    return [
        f"unlikely_change: {lesion.id} changed {UNIT_STEP}-fold or more; check the unit and the lesion"
        for lesion, now, then in zip(targets, found, found_before, strict=True)
        if now.total_mm
        and then.total_mm
        and (now.total_mm >= UNIT_STEP * then.total_mm or then.total_mm >= UNIT_STEP * now.total_mm)
    ]
