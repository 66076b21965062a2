"""RECIST 1.1 for one visit: the sum rule, the non-target rule, and the published tables as tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from enum import Enum, auto
from typing import NamedTuple

from connector.core.evidence import Citation
from connector.core.response.case import NewLesion, Response

EISENHAUER_2009 = "Eisenhauer 2009, RECIST 1.1"
LEAST_GROWTH_MM = Decimal(5)  # section 4.3.1: the sum must also have grown by this much
_TENTH = Decimal("0.1")
_FIVE, _SEVEN, _TEN, _HUNDRED = Decimal(5), Decimal(7), Decimal(10), Decimal(100)
_in_tenths = Context(rounding=ROUND_HALF_UP).quantize

# Members by name, once: looking one up in its class costs more than what is then done with it.
_CR, _PR, _SD, _PD, _NE, _NA = Response.CR, Response.PR, Response.SD, Response.PD, Response.NE, Response.NA
_NON = Response.NON_CR_NON_PD
_UNEQUIVOCAL = NewLesion.UNEQUIVOCAL


@dataclass(frozen=True, slots=True)
class Criteria:
    """What differs between the criteria that share this sum rule; zero growth means that any growth is enough."""

    name: str
    least_growth_mm: Decimal
    source: Citation


RECIST_1_1 = Criteria("recist-1.1", LEAST_GROWTH_MM, Citation(EISENHAUER_2009, "section 4.3.1"))


class Sums(NamedTuple):
    """
    The sums of the targets at one visit, in millimetres.

    `current_mm` adds what was measured, all of it or a subset. `baseline_mm` and `nadir_mm` (the smallest complete sum
    so far, baseline included) are None when the baseline was never complete.
    """

    baseline_mm: Decimal | None
    nadir_mm: Decimal | None
    current_mm: Decimal
    all_targets_measured: bool
    all_targets_gone: bool
    reappeared_after_complete_response: bool


class Call(NamedTuple):
    """A response with the reasons for it."""

    response: Response
    reasons: tuple[str, ...]


def change_percent(*, now: Decimal | None, before: Decimal | None) -> str | None:
    """
    Write the change from one value to another in percent with one decimal, for reading only.

    None when one of them is not known, and when the earlier one was zero.
    """
    if now is None or not before:
        return None
    percent = _in_tenths((now - before) * _HUNDRED / before, _TENTH)
    return str(percent) if percent else "0.0"  # never "-0.0"


def progressed(*, current_mm: Decimal, nadir_mm: Decimal, criteria: Criteria) -> bool:
    """
    Tell whether a sum has grown by 20 % from the nadir, and by the least growth of the criteria.

    Both limits count as reached. From a nadir of zero any growth is more than 20 %. Source: RECIST_1_1, section 4.3.1.
    """
    growth_mm = current_mm - nadir_mm
    # Whole multiples keep a change of exactly 20 % exact.
    return growth_mm > 0 and _FIVE * growth_mm >= nadir_mm and growth_mm >= criteria.least_growth_mm


def responded(current_mm: Decimal, *, baseline_mm: Decimal) -> bool:
    """Tell whether a sum is at least 30 % below the baseline, exactly. Source: RECIST_1_1, section 4.3.1."""
    return _TEN * current_mm <= _SEVEN * baseline_mm


def target_response(sums: Sums, criteria: Criteria) -> Call:  # noqa: PLR0911 - one return a response, in order
    """
    Compare the targets with the baseline and with the smallest sum so far.

    In this order: CR (before the sum rule, because normal nodes keep a diameter), a lesion that is back after a
    complete response, PD against the nadir also on a subset of the targets, NE when a target is missing, PR against the
    baseline, SD. New lesions are judged elsewhere. Source: RECIST_1_1, sections 4.3.1, 4.4.2 and Table 3 note a.
    """
    if sums.all_targets_measured and sums.all_targets_gone:
        return Call(_CR, ("every target is gone, and nodes are below 10 mm",))
    if sums.reappeared_after_complete_response:
        return Call(_PD, ("a lesion is back after a complete response",))
    current, nadir, baseline = sums.current_mm, sums.nadir_mm, sums.baseline_mm
    if nadir is None or baseline is None:
        return Call(_NE, ("the baseline sum is not complete: there is nothing to compare with",))
    if progressed(current_mm=current, nadir_mm=nadir, criteria=criteria):
        grown = "the sum" if sums.all_targets_measured else "the sum of the measured targets alone"
        return Call(_PD, (f"{grown} grew from the smallest one of {nadir!s} mm to {current!s} mm",))
    if not sums.all_targets_measured:
        return Call(_NE, ("a target was not evaluable, and the others alone are not progression",))
    if responded(current, baseline_mm=baseline):
        return Call(_PR, (f"the sum shrank from the baseline of {baseline!s} mm to {current!s} mm",))
    neither = (
        f"the sum of {current!s} mm is neither PR from the baseline of {baseline!s} mm nor PD from the smallest sum of"
        f" {nadir!s} mm"
    )
    return Call(_SD, (neither,))


class Found(Enum):
    """What became of one non-target lesion."""

    GONE = auto()
    PERSISTS = auto()
    PROGRESSED = auto()
    NOT_EVALUABLE = auto()


MARKER_RAISED = "a tumour marker is above normal"
MARKER_NOT_KNOWN = "a tumour marker was raised before, and is not known now"
# Answers whose words never change, made once.
_NO_NON_TARGETS = Call(_NA, ())
_A_NON_TARGET_PERSISTS = Call(_NON, ("a non-target lesion persists",))
_EVERY_NON_TARGET_GONE = Call(_CR, ("every non-target lesion is gone",))
_PERSISTS, _PROGRESSED, _NOT_EVALUABLE = Found.PERSISTS, Found.PROGRESSED, Found.NOT_EVALUABLE


def non_target_response(  # noqa: PLR0911 - one return a finding, in order
    found: Sequence[Found], *, markers_normal: bool | None, markers_were_raised: bool, reappeared: bool = False
) -> Call:
    """
    Judge the lesions that are followed without measuring, with the tumour markers.

    A marker that was raised must be normal for CR; it never makes a progression. One lesion that persists is enough for
    NON-CR/NON-PD, whatever was not evaluated. Source: RECIST_1_1, sections 4.3.3 and 4.3.4.
    """
    if _PROGRESSED in found:
        return Call(_PD, ("a non-target lesion has unequivocally progressed",))
    if reappeared:
        return Call(_PD, ("a non-target lesion is back after a complete response",))
    if not found:
        return _NO_NON_TARGETS
    if _PERSISTS in found:
        return _A_NON_TARGET_PERSISTS
    if markers_normal is False:
        return Call(_NON, (MARKER_RAISED,))
    if _NOT_EVALUABLE in found:
        return Call(_NE, ("a non-target lesion was not evaluable",))
    if markers_were_raised and markers_normal is None:
        return Call(_NE, (MARKER_NOT_KNOWN,))
    return _EVERY_NON_TARGET_GONE


def short_of_complete(*, markers_normal: bool | None, markers_were_raised: bool) -> str | None:
    """
    Say why a complete response of the targets alone is not one of the patient; None when it is.

    "To be considered in complete clinical response" a marker that was raised must be normal, whether or not there were
    non-target lesions. Source: RECIST_1_1, section 4.3.3.
    """
    if markers_normal is False:
        return MARKER_RAISED
    return MARKER_NOT_KNOWN if markers_were_raised and markers_normal is None else None


# Rows: target response. Columns: non-target response, in the order of _COLUMNS. NA as a column: no non-target disease
# at baseline, which reads as CR.
_COLUMNS = (_CR, _NON, _PD, _NE, _NA)
TABLE_1 = {
    _CR: (_CR, _PR, _PD, _PR, _CR),
    _PR: (_PR, _PR, _PD, _PR, _PR),
    _SD: (_SD, _SD, _PD, _SD, _SD),
    _PD: (_PD, _PD, _PD, _PD, _PD),
    _NE: (_NE, _NE, _PD, _NE, _NE),
}
TABLE_2 = (_CR, _NON, _PD, _NE, _NA)  # no target disease at baseline
_TABLES = {
    target: dict(zip(_COLUMNS, responses, strict=True)) for target, responses in (TABLE_1 | {_NA: TABLE_2}).items()
}


def overall_response(*, target: Response, non_target: Response, new_lesion: NewLesion) -> Response:
    """
    Look the overall response up in Table 1, or in Table 2 when there is no target disease (`target` NA).

    An equivocal new lesion does not count until it is confirmed. Source: RECIST_1_1, Tables 1 and 2.
    """
    return _PD if new_lesion is _UNEQUIVOCAL else _TABLES[target][non_target]
