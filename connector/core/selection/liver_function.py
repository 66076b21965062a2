"""Liver and kidney function scores from their parts, as they were published."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

# Pugh 1973, table: 1 point below the first bound, 2 up to and including the second, 3 beyond (2 and 3 mg/dL). In
# umol/L, and with the INR in place of seconds of prothrombin time, as the MSD Manual prints it ("Child-Turcotte-Pugh
# Scoring System"); Harrison's table counts albumin from 30 g/L, which is not Pugh's.
BILIRUBIN_UMOL_L = (Decimal(34), Decimal(51))
ALBUMIN_G_L = (Decimal(28), Decimal(35))
INR = (Decimal("1.7"), Decimal("2.3"))
ASCITES_POINTS = {"none": 1, "mild": 2, "moderate": 3, "massive": 3}
ENCEPHALOPATHY_POINTS = (1, 2, 2, 3, 3)
CLASS_A_MOST, CLASS_B_MOST = 6, 9
# Johnson 2015: ALBI = 0.66 log10(bilirubin) - 0.085 albumin; grade 1 up to -2.60, grade 2 up to -1.39.
ALBI_BILIRUBIN, ALBI_ALBUMIN = Decimal("0.66"), Decimal("0.085")
ALBI_GRADE_1_MOST, ALBI_GRADE_2_MOST = Decimal("-2.60"), Decimal("-1.39")
ADULT_YEARS = 18
UMOL_PER_MG_CREATININE = Decimal("88.4")


def _rising(value: Decimal, bounds: tuple[Decimal, Decimal]) -> int:
    low, high = bounds
    return 1 if value < low else 2 if value <= high else 3


def _falling(value: Decimal, bounds: tuple[Decimal, Decimal]) -> int:
    low, high = bounds
    return 3 if value < low else 2 if value <= high else 1


# The points of each part by the name of its fact; the Child-Pugh score, 5 to 15, is their sum. Source: PUGH_1973.
CHILD_PUGH_PARTS: Mapping[str, Callable[[Any], int]] = {
    "bilirubin_total_umol_l": lambda value: _rising(value, BILIRUBIN_UMOL_L),
    "albumin_g_l": lambda value: _falling(value, ALBUMIN_G_L),
    "inr": lambda value: _rising(value, INR),
    "ascites_grade": ASCITES_POINTS.__getitem__,
    "encephalopathy_grade": ENCEPHALOPATHY_POINTS.__getitem__,
}


def child_pugh_score(*parts: Any) -> int:
    """Add the points of the five parts, given in the order of `CHILD_PUGH_PARTS`."""
    return sum(points(part) for points, part in zip(CHILD_PUGH_PARTS.values(), parts, strict=True))


def child_pugh_class(points: int) -> str:
    """A (5-6), B (7-9) or C (10-15). Source: PUGH_1973."""
    if points <= CLASS_A_MOST:
        return "A"
    return "B" if points <= CLASS_B_MOST else "C"


def albi_grade(*, bilirubin_umol_l: Decimal, albumin_g_l: Decimal) -> int | None:
    """ALBI grade 1 to 3, None for a bilirubin of zero, which has no logarithm. Source: JOHNSON_2015."""
    if bilirubin_umol_l <= 0:
        return None
    score = ALBI_BILIRUBIN * Decimal(bilirubin_umol_l).log10() - ALBI_ALBUMIN * albumin_g_l
    if score <= ALBI_GRADE_1_MOST:
        return 1
    return 2 if score <= ALBI_GRADE_2_MOST else 3


def egfr_ml_min_1_73m2(*, creatinine_umol_l: Decimal, age_years: Decimal, sex: str) -> Decimal | None:
    """
    Estimate the glomerular filtration rate per 1.73 m2; the equation is for adults, so below 18 years it is None.

    Source: CKD_EPI_2021, the creatinine equation, as the National Kidney Foundation prints it.
    """
    if age_years < ADULT_YEARS:
        return None
    female = sex == "female"
    reference, exponent = (Decimal("0.7"), Decimal("-0.241")) if female else (Decimal("0.9"), Decimal("-0.302"))
    ratio = creatinine_umol_l / UMOL_PER_MG_CREATININE / reference
    below, above = min(ratio, Decimal(1)) ** exponent, max(ratio, Decimal(1)) ** Decimal("-1.200")
    rate = 142 * below * above * Decimal("0.9938") ** age_years * (Decimal("1.012") if female else 1)
    return rate.quantize(Decimal(1))
