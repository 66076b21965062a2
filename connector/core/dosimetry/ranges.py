"""What a number of a plan may be, in one table, so that the door, the printed schema and the core refuse the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from connector.core.errors import BadCase

PERCENT = "did you mean percent? a fraction is 0..1"


@dataclass(frozen=True, slots=True)
class Range:
    """Lowest and highest value; `above` and `below` exclude the end itself. `advice` says what to do."""

    advice: str
    low: Decimal = Decimal(0)
    high: Decimal | None = None
    above: bool = False
    below: bool = False

    def holds(self, value: Decimal) -> bool:
        """Tell whether the value may stand."""
        if value < self.low or (self.above and value == self.low):
            return False
        return self.high is None or value < self.high or (value == self.high and not self.below)

    def as_schema(self) -> dict[str, float]:
        """The same limits as keywords of JSON Schema."""
        limits = {"exclusiveMinimum" if self.above else "minimum": float(self.low)}
        if self.high is not None:
            limits["exclusiveMaximum" if self.below else "maximum"] = float(self.high)
        return limits


def _positive(unit: str) -> Range:
    return Range(f"out of range: give {unit} above 0", above=True)


def _not_negative(unit: str) -> Range:
    return Range(f"out of range: give {unit}, 0 or more")


ONE = Decimal(1)
RANGES: Mapping[str, Range] = {
    "tumour_volume_ml": _not_negative("millilitres"),
    "liver_volume_ml": _positive("millilitres"),
    "treated_volume_ml": _positive("millilitres"),
    "treated_tumour_volume_ml": _not_negative("millilitres"),
    "height_m": Range("height out of 0.5..2.5 m: give metres, not centimetres", Decimal("0.5"), Decimal("2.5")),
    "weight_kg": Range("weight out of 2..300 kg: give kilograms", Decimal(2), Decimal(300)),
    "perfused_mass_kg": _positive("kilograms"),
    "tumour_mass_kg": _not_negative("kilograms"),
    "normal_liver_mass_kg": _positive("kilograms"),
    "tumour_to_normal_ratio": _positive("a ratio of concentrations"),
    "lung_shunt_fraction": Range("no activity reaches the liver: give a fraction below 1", high=ONE, below=True),
    # More than a fifth left behind is a failed infusion or a mistyped percentage, not a residue to plan with.
    "residual_fraction": Range("a residue above 0.2 is not planned with: give a fraction 0..0.2", high=Decimal("0.2")),
    "lung_mass_kg": _positive("kilograms"),
    "previous_lung_dose_gy": _not_negative("Gy"),
    "prescribed_dose_gy": _positive("Gy"),
    "lung_dose_limit_gy": _positive("Gy"),
    "cumulative_lung_dose_limit_gy": _positive("Gy"),
    "normal_liver_dose_limit_gy": _positive("Gy"),
    "energy_per_activity_j_gbq": _positive("J/GBq"),
    "given_activity_gbq": _positive("GBq"),
    "tumour_to_normal_activity_ratio": _positive("a ratio of activities"),
    "tumour_lung_shunt_fraction": Range("no activity reaches the liver: give a fraction below 1", high=ONE, below=True),
    "whole_normal_liver_mass_kg": _positive("kilograms"),
    "bilirubin_mg_dl": _not_negative("mg/dL"),
}


def check(field: str, value: Decimal | None) -> None:
    """Refuse a value out of its field's range. Raises BadCase; None (not known) passes."""
    if value is None:
        return
    limits = RANGES[field]
    if not value.is_finite():
        raise BadCase(field, str(value), "a finite number is needed")
    if limits.holds(value):
        return
    if field.endswith("_fraction") and value > 1:
        raise BadCase(field, str(value), PERCENT)
    if field.endswith("_fraction") and value < 0:
        raise BadCase(field, str(value), "out of range: a fraction is 0..1")
    raise BadCase(field, str(value), limits.advice)


def check_uncertainty(field: str, value: Decimal | float) -> None:
    """Refuse a relative uncertainty that is not from 0 to below 1. Raises BadCase."""
    if not 0 <= value < 1:
        raise BadCase(field, str(value), PERCENT if value > 1 else "a fraction from 0 to below 1 is needed")


def needed(field: str, value: Decimal | None, *, by: str) -> Decimal:
    """Give the value, or say that the method needs it. Raises BadCase."""
    if value is None:
        raise BadCase(field, None, f"is needed by {by} and missing: add it")
    return value
