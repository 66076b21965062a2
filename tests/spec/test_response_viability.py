"""Viability of treated lesions: judged at once after ablation and embolisation, by change after radiation."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from connector.core.case import Enhancement
from connector.core.errors import BadCase
from connector.core.response.viability import Scan, easl_response, judge_treated_lesion

TREATED = date(2025, 1, 10)


def scans(*found):
    """One scan every six weeks: the enhancement, or the diameter of a mass-like one."""
    return [
        Scan(TREATED + timedelta(42 * number), Enhancement.MASSLIKE, Decimal(one))
        if isinstance(one, int)
        else Scan(TREATED + timedelta(42 * number), Enhancement(one))
        for number, one in enumerate(found, 1)
    ]


@pytest.mark.parametrize(
    ("modality", "before_mm", "found", "expected", "residual", "progression", "why"),
    [
        ("RFA", None, ["none"], "non_viable", None, None, "ablated"),
        ("MWA", None, ["expected"], "non_viable", None, None, "a thin smooth rim is expected"),
        ("cryoablation", None, ["atypical"], "equivocal", None, None, "neither expected nor tumour"),
        ("TACE", None, ["masslike"], "viable", 1, None, "judged at once: residual tumour"),
        ("RFA", None, ["none", "masslike"], "non_viable viable", None, 2, "back after a clear scan: local progression"),
        ("RFA", None, ["masslike", "none", "masslike"], "viable non_viable viable", 1, None, "residual comes first"),
        ("RFA", None, ["not_evaluable", "masslike"], "not_evaluable viable", 2, None, "no scan had shown it gone"),
        ("TARE", 30, [30], "non_progressing", None, None, "stable after radiation, also at the same size"),
        ("TARE", 30, [24, 20], "non_progressing non_progressing", None, None, "shrinking"),
        ("TARE", 30, [31], "equivocal", None, None, "one scan with growth waits for the next"),
        ("TARE", 30, [31, 32], "equivocal viable", None, 1, "confirmed: dated from the first scan"),
        ("TARE", 30, [31, 30], "equivocal non_progressing", None, None, "the growth was not confirmed"),
        ("TARE", 30, [20, 21, 21], "non_progressing equivocal viable", None, 2, "against the smallest, not the first"),
        ("TARE", 30, [31, 32, 33], "equivocal viable viable", None, 1, "the date stays"),
        ("TARE", 30, ["none", 8, 9], "non_viable equivocal viable", None, 2, "new after none"),
        ("TARE", None, [20, 19], "equivocal non_progressing", None, None, "the first size is what is compared with"),
        ("TARE", 30, ["masslike", 31], "equivocal equivocal", None, None, "a size is missing"),
        ("TARE", 30, ["atypical"], "equivocal", None, None, "not mass-like"),
        ("EBRT", 30, ["not_evaluable"], "not_evaluable", None, None, "not seen"),
    ],
)
def test_treated_lesion(modality, before_mm, found, expected, residual, progression, why):
    before = None if before_mm is None else Decimal(before_mm)
    answer = judge_treated_lesion(modality, TREATED, scans(*found), enhancing_before_mm=before)
    assert " ".join(one.viability for one in answer.scans) == expected, why
    assert (answer.residual_on, answer.local_progression_on) == (on(residual), on(progression)), why


def on(number):
    return None if number is None else TREATED + timedelta(42 * number)


@pytest.mark.parametrize(
    ("modality", "given", "field", "why"),
    [
        ("surgery", scans("none"), "modality", "what was cut out has no viability"),
        ("RFA", [Scan(TREATED, Enhancement.NONE)], "scans.0.on", "a scan of the day of treatment is not a follow-up"),
        ("RFA", scans("none", "none")[::-1], "scans.1.on", "out of order"),
        ("TARE", [Scan(date(2025, 3, 1), Enhancement.MASSLIKE, Decimal(-1))], "scans.0.enhancing_mm", "negative"),
    ],
)
def test_refused(modality, given, field, why):
    with pytest.raises(BadCase) as refused:
        judge_treated_lesion(modality, TREATED, given)
    assert refused.value.field == field, why


@pytest.mark.parametrize(
    ("baseline", "smallest", "current", "new", "expected", "why"),
    [
        ("600", "600", "0", False, "CR", "nothing enhances"),
        ("600", "600", "300", False, "PR", "exactly 50 % less"),
        ("600", "600", "300.1", False, "SD", "not quite 50 %"),
        ("600", "600", "750", False, "SD", "exactly 25 % more is not PD"),
        ("600", "600", "750.1", False, "PD", "just past 25 %"),
        ("600", "200", "251", False, "PD", "25 % above the best response wins over PR from the baseline"),
        ("600", "0", "0.1", False, "PD", "back from nothing"),
        ("600", "300", "300", True, "PD", "new enhancement in a treated lesion"),
    ],
)
def test_easl(baseline, smallest, current, new, expected, why):
    answer = easl_response(
        baseline_mm2=Decimal(baseline),
        smallest_mm2=Decimal(smallest),
        current_mm2=Decimal(current),
        new_enhancement_in_treated_lesion=new,
    )
    assert answer == expected, why
