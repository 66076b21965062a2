"""A quantity is converted exactly, or refused with a reason; never guessed."""

from decimal import Decimal

import pytest

from connector.fhir import ucum


def quantity(value, code=None, unit=None, system=ucum.SYSTEM, **more):
    return {"value": value, "code": code, "unit": unit, "system": system, **more}


@pytest.mark.parametrize(
    ("value", "code", "target", "molar_mass", "expected", "why"),
    [
        ("1", "mg/dL", "umol/L", "584.66", "17.1039578558478", "bilirubin: 10 mg/L over 584.66 g/mol"),
        ("17.1", "umol/L", "umol/L", None, "17.1", "the same unit keeps the digits"),
        ("1.50", "umol/L", "umol/L", None, "1.50", "also trailing zeros"),
        ("4.1", "g/dL", "g/L", None, "41", "albumin"),
        ("100", "ng/L", "pg/mL", None, "100", "1 ng/L is 1 pg/mL"),
        ("1", "pmol/L", "pg/mL", "3417.9", "3.4179", "calcitonin"),
        ("2.5", "ug/L", "ng/mL", None, "2.5", "CEA"),
        ("172", "cm", "m", None, "1.72", "height"),
        ("68500", "g", "kg", None, "68.5", "weight"),
        ("1.1", "{INR}", "1", None, "1.1", "a ratio has no unit"),
        ("30", "mCi", "MBq", None, "1110", "1 mCi is 37 MBq"),
        ("3.7", "GBq", "MBq", None, "3700", "radioiodine"),
        ("8.2", "%", "1", None, "0.082", "a percentage is a fraction of one"),
        ("1", "a", "mo", None, "12", "a year is twelve Julian months"),
        ("0", "mg/dL", "umol/L", "584.66", "0", "zero stays zero"),
    ],
)
def test_converts(value, code, target, molar_mass, expected, why):
    molar = Decimal(molar_mass) if molar_mass else None
    found = ucum.convert(quantity(Decimal(value), code), target, molar_mass_g_per_mol=molar)
    assert str(found) == expected, why


@pytest.mark.parametrize(
    ("given", "target", "reason", "why"),
    [
        (quantity(1, "mg/dl{bili}"), "umol/L", "not known", "a unit that is not in the table"),
        (quantity(1, None, "beats"), "1", "not known", "a printed unit that is not in the table"),
        (quantity(1), "umol/L", "no unit", "no unit at all"),
        (quantity(1, "mg/dL", "umol/L"), "umol/L", "contradict", "the code says one unit, the text another"),
        (quantity(1, "mg/dL", system="http://hospital.test/units"), "umol/L", "not UCUM", "a code of another system"),
        (quantity(1, "umol/L"), "g/L", "cannot become", "a molar value without a molar mass"),
        (quantity(1, "kg"), "m", "cannot become", "another dimension"),
        (quantity(1, "mm"), "kg", "cannot become", "another dimension, with the molar mass of an analyte"),
        (quantity("1", "kg"), "kg", "not a number", "a number in quotes is not R4"),
        (quantity(True, "kg"), "kg", "not a number", "true is no number"),
        (quantity(None, "kg"), "kg", "not a number", "no value"),
        (quantity(Decimal("NaN"), "kg"), "kg", "finite", "NaN"),
        (quantity(5, "ng/mL", comparator="<"), "ng/mL", "only a bound", "below the limit of the assay"),
    ],
)
def test_refuses(given, target, reason, why):
    with pytest.raises(ucum.UnknownUnit, match=reason):
        ucum.convert(given, target, molar_mass_g_per_mol=Decimal(100) if "molar mass of" in why else None)


@pytest.mark.parametrize("printed", ["µmol/L", "μmol/L", "umol/l"])
def test_printed_units_with_one_meaning_are_taken(printed):
    assert ucum.convert(quantity(20, None, printed), "umol/L") == 20


def test_mass_to_moles_and_back_is_the_same_bridge():
    molar = Decimal("113.12")
    there = ucum.convert(quantity(1, "mg/dL"), "umol/L", molar_mass_g_per_mol=molar)
    assert ucum.convert(quantity(there, "umol/L"), "mg/dL", molar_mass_g_per_mol=molar) == pytest.approx(Decimal(1))
