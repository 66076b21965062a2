"""Units of the record: a quantity is converted exactly to the unit a fact is held in, or refused with a reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from typing import Any

SYSTEM = "http://unitsofmeasure.org"
_SIGNIFICANT_DIGITS = 15  # far finer than any laboratory, and ends the recurring decimals of a division


class UnknownUnit(ValueError):
    """The quantity cannot be used; the text says why and what to do, and holds no patient data."""


@dataclass(frozen=True, slots=True)
class _Unit:
    dimension: str
    factor: Fraction  # to the first unit of the dimension
    zero: Fraction = Fraction(0)  # where this scale begins, in the first unit


def _units(dimension: str, **factors: str) -> dict[str, _Unit]:
    return {code: _Unit(dimension, Fraction(factor)) for code, factor in factors.items()}


# The codes are UCUM, case sensitive (The Unified Code for Units of Measure, version 2.1). Mass and molar concentrations
# are two dimensions; they meet only where the analyte's molar mass is given.
_UNITS: Mapping[str, _Unit] = {
    **_units("length", m="1", cm="1/100", mm="1/1000"),
    **_units("mass", kg="1", g="1/1000", mg="1/1000000"),
    **_units("volume", mL="1", cm3="1", L="1000", dL="100"),
    **_units("time", d="1", wk="7", h="1/24"),
    # A month and a year of UCUM are the Julian ones: 30.4375 and 365.25 days (section 4.5, table 5).
    **_units("time", mo="487/16", a="1461/4"),
    **_units("activity", MBq="1", GBq="1000", kBq="1/1000", Bq="1/1000000", mCi="37", Ci="37000", uCi="37/1000"),
    **_units("absorbed dose", Gy="1", cGy="1/100", mGy="1/1000"),
    "1": _Unit("ratio", Fraction(1)),
    "%": _Unit("ratio", Fraction(1, 100)),
    "{INR}": _Unit("ratio", Fraction(1)),
    "{ratio}": _Unit("ratio", Fraction(1)),
    "{score}": _Unit("ratio", Fraction(1)),
    "{#}": _Unit("ratio", Fraction(1)),
    "g/L": _Unit("mass concentration", Fraction(1)),
    "g/dL": _Unit("mass concentration", Fraction(10)),
    "mg/L": _Unit("mass concentration", Fraction(1, 10**3)),
    "mg/dL": _Unit("mass concentration", Fraction(1, 10**2)),
    "ug/L": _Unit("mass concentration", Fraction(1, 10**6)),
    "ug/mL": _Unit("mass concentration", Fraction(1, 10**3)),
    "ug/dL": _Unit("mass concentration", Fraction(1, 10**5)),
    "ng/mL": _Unit("mass concentration", Fraction(1, 10**6)),
    "ng/dL": _Unit("mass concentration", Fraction(1, 10**8)),
    "ng/L": _Unit("mass concentration", Fraction(1, 10**9)),
    "pg/mL": _Unit("mass concentration", Fraction(1, 10**9)),
    "mmol/L": _Unit("molar concentration", Fraction(1, 10**3)),
    "umol/L": _Unit("molar concentration", Fraction(1, 10**6)),
    "nmol/L": _Unit("molar concentration", Fraction(1, 10**9)),
    "pmol/L": _Unit("molar concentration", Fraction(1, 10**12)),
    "10*9/L": _Unit("number concentration", Fraction(1)),
    "10*3/uL": _Unit("number concentration", Fraction(1)),
    "10*6/mL": _Unit("number concentration", Fraction(1)),
    "/uL": _Unit("number concentration", Fraction(1, 1000)),
    "U/L": _Unit("enzyme activity", Fraction(1)),
    "[IU]/L": _Unit("enzyme activity", Fraction(1)),
    "m[IU]/L": _Unit("arbitrary units per volume", Fraction(1)),
    "u[IU]/mL": _Unit("arbitrary units per volume", Fraction(1)),
    "mL/min/{1.73_m2}": _Unit("filtration rate", Fraction(1)),
    "Cel": _Unit("temperature", Fraction(1)),
    "[degF]": _Unit("temperature", Fraction(5, 9), Fraction(-160, 9)),
    "K": _Unit("temperature", Fraction(1), Fraction("-273.15")),
}
# Spellings that laboratories print in `unit` when they send no code. Only those with one possible meaning.
_PRINTED: Mapping[str, str] = {
    "µmol/L": "umol/L", "μmol/L": "umol/L", "umol/l": "umol/L", "µmol/l": "umol/L", "μmol/l": "umol/L",
    "mg/dl": "mg/dL", "g/dl": "g/dL", "g/l": "g/L", "mg/l": "mg/L", "ng/ml": "ng/mL", "pg/ml": "pg/mL",
    "ng/l": "ng/L", "µg/L": "ug/L", "μg/L": "ug/L", "µg/l": "ug/L", "μg/l": "ug/L", "ug/l": "ug/L",
    "pmol/l": "pmol/L", "10^9/L": "10*9/L", "10^9/l": "10*9/L", "10^3/uL": "10*3/uL", "10^3/µL": "10*3/uL",
    "INR": "{INR}", "ratio": "{ratio}", "score": "{score}", "mIU/L": "m[IU]/L", "mU/L": "m[IU]/L",
    "uIU/mL": "u[IU]/mL", "µIU/mL": "u[IU]/mL", "IU/L": "[IU]/L", "U/l": "U/L", "ml": "mL",
    "°C": "Cel", "degC": "Cel", "℃": "Cel", "°F": "[degF]", "degF": "[degF]", "℉": "[degF]",
    "weeks": "wk", "months": "mo", "days": "d", "years": "a", "percent": "%",
    "mL/min/1.73m2": "mL/min/{1.73_m2}", "mL/min/1.73 m2": "mL/min/{1.73_m2}",
}  # fmt: skip


def number(value: Any) -> Decimal:
    """A decimal of FHIR JSON as written; a binary float is taken by its shortest spelling. Raises UnknownUnit."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise UnknownUnit("the value is not a number: correct it in the record")
    exact = value if isinstance(value, Decimal) else Decimal(str(value))
    if not exact.is_finite():
        raise UnknownUnit("the value is not a finite number: correct it in the record")
    return exact


def unit_of(quantity: Mapping[str, Any]) -> str:
    """
    The UCUM code of a quantity, from its code, or from the printed unit when there is no code.

    Raises UnknownUnit when there is none, when it is not in the table, or when code and printed unit contradict.
    """
    code, printed = quantity.get("code"), quantity.get("unit")
    if code is not None and quantity.get("system") not in (SYSTEM, None):
        raise UnknownUnit(f"the unit code {code!r} is not UCUM: send system {SYSTEM}")
    spelled = _known(printed)
    if code is None:
        if printed is None:
            raise UnknownUnit("there is no unit: ask the EHR to send the UCUM code")
        if spelled is None:
            raise UnknownUnit(f"unit {printed!r} is not known: send a UCUM code, or add it to fhir/ucum.py")
        return spelled
    coded = _known(code)
    if coded is None:
        raise UnknownUnit(f"unit {code!r} is not known: send a UCUM code, or add it to fhir/ucum.py")
    if spelled is not None and _UNITS[spelled] != _UNITS[coded]:
        raise UnknownUnit(f"unit code {code!r} and printed unit {printed!r} contradict each other: correct the record")
    return coded


def convert(quantity: Mapping[str, Any], target: str, *, molar_mass_g_per_mol: Decimal | None = None) -> Decimal:
    """
    The value of a FHIR Quantity in the target unit, exact to 15 significant digits.

    Without a molar mass a molar concentration is never turned into a mass concentration. A comparator is refused: the
    value is then a bound and not a measurement. Raises UnknownUnit.
    """
    if quantity.get("comparator"):
        raise UnknownUnit(f"the value is only a bound ({quantity['comparator']}): a measured value is needed")
    value = number(quantity.get("value"))
    source = unit_of(quantity)
    if source == target:
        return value
    have, want = _UNITS[source], _UNITS[target]
    exact = (Fraction(value) * have.factor + have.zero - want.zero) / want.factor
    if have.dimension != want.dimension:
        exact *= _mole_bridge(have.dimension, want.dimension, molar_mass_g_per_mol, source, target)
    return _decimal(exact)


def _known(spelling: Any) -> str | None:
    if not isinstance(spelling, str):
        return None
    code = _PRINTED.get(spelling, spelling)
    return code if code in _UNITS else None


def _mole_bridge(have: str, want: str, molar_mass: Decimal | None, source: str, target: str) -> Fraction:
    if molar_mass is not None and (have, want) == ("mass concentration", "molar concentration"):
        return 1 / Fraction(molar_mass)
    if molar_mass is not None and (have, want) == ("molar concentration", "mass concentration"):
        return Fraction(molar_mass)
    raise UnknownUnit(f"{source!r} ({have}) cannot become {target!r} ({want}): ask the EHR for {target}")


def _decimal(exact: Fraction) -> Decimal:
    with localcontext() as context:
        context.prec, context.rounding = _SIGNIFICANT_DIGITS, ROUND_HALF_EVEN
        quotient = Decimal(exact.numerator) / Decimal(exact.denominator)
    return quotient if quotient == 0 else Decimal(format(quotient.normalize(), "f"))
