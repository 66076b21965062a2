"""What is asked of a plan, checked field against field before any formula sees it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, get_args

from connector.core.dosimetry.ranges import RANGES, check
from connector.core.errors import BadCase

Method = Literal["empiric", "bsa", "mird", "partition"]
Device = Literal["resin", "glass"]
METHODS, DEVICES = get_args(Method), get_args(Device)
COMPARTMENTS = ("perfused", "normal_liver", "tumour")
# A perfused mass and its two parts are measured on one image: they may differ by rounding only.
MASS_TOLERANCE = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """
    A plan for microspheres; the fields are those of `connector dose plan`, None where not given.

    `liver_volume_ml` is the whole liver including tumour, `perfused_mass_kg` includes tumour, `normal_liver_mass_kg` is
    the normal perfused liver without tumour. `tumour_to_normal_ratio` is a ratio of concentrations (activity per mass).
    `given_activity_gbq` is an activity at injection whose doses are asked for, beside or instead of a prescription.
    """

    method: str
    device: str
    tumour_volume_ml: Decimal | None = None
    liver_volume_ml: Decimal | None = None
    treated_volume_ml: Decimal | None = None
    treated_tumour_volume_ml: Decimal | None = None
    height_m: Decimal | None = None
    weight_kg: Decimal | None = None
    perfused_mass_kg: Decimal | None = None
    tumour_mass_kg: Decimal | None = None
    normal_liver_mass_kg: Decimal | None = None
    tumour_to_normal_ratio: Decimal | None = None
    lung_shunt_fraction: Decimal | None = None
    residual_fraction: Decimal = Decimal(0)
    lung_mass_kg: Decimal | None = None
    lung_mass_convention: str | None = None
    previous_lung_dose_gy: Decimal | None = None
    prescribed_dose_gy: Decimal | None = None
    prescribed_to: str | None = None
    lung_dose_limit_gy: Decimal = Decimal(30)
    cumulative_lung_dose_limit_gy: Decimal = Decimal(50)
    normal_liver_dose_limit_gy: Decimal | None = None
    given_activity_gbq: Decimal | None = None

    def __post_init__(self) -> None:
        """Raise BadCase for the first field that cannot stand."""
        _one_of("method", self.method, METHODS)
        _one_of("device", self.device, DEVICES)
        if self.prescribed_to is not None:
            _one_of("prescribed_to", self.prescribed_to, COMPARTMENTS)
        for field in RANGES:
            if hasattr(self, field):
                check(field, getattr(self, field))
        _no_larger("tumour_volume_ml", self.tumour_volume_ml, "liver_volume_ml", self.liver_volume_ml)
        _no_larger("treated_volume_ml", self.treated_volume_ml, "liver_volume_ml", self.liver_volume_ml)
        _no_larger(
            "treated_tumour_volume_ml", self.treated_tumour_volume_ml, "treated_volume_ml", self.treated_volume_ml
        )
        _no_larger("treated_tumour_volume_ml", self.treated_tumour_volume_ml, "tumour_volume_ml", self.tumour_volume_ml)
        for part in ("tumour_mass_kg", "normal_liver_mass_kg"):
            _no_larger(part, getattr(self, part), "perfused_mass_kg", self.perfused_mass_kg)
        self._check_masses()
        self._check_lung_mass()

    def _check_masses(self) -> None:
        perfused, tumour, normal = self.perfused_mass_kg, self.tumour_mass_kg, self.normal_liver_mass_kg
        if perfused is None or tumour is None or normal is None:
            return
        if abs(perfused - tumour - normal) > MASS_TOLERANCE * perfused:
            raise BadCase(
                "perfused_mass_kg",
                str(perfused),
                f"is not tumour_mass_kg {tumour} plus normal_liver_mass_kg {normal}: "
                "normal_liver_mass_kg is the normal part of the perfused volume; correct one, or leave one out",
            )

    def _check_lung_mass(self) -> None:
        if self.lung_mass_convention is None:
            return
        _one_of("lung_mass_convention", self.lung_mass_convention, ("1kg",))
        if self.lung_mass_kg is not None:
            raise BadCase(
                "lung_mass_convention", self.lung_mass_convention, "lung_mass_kg is given too: leave out one of the two"
            )


def _one_of(field: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise BadCase(field, value, f"unknown: use one of {', '.join(allowed)}")


def _no_larger(part: str, part_value: Decimal | None, whole: str, whole_value: Decimal | None) -> None:
    if part_value is not None and whole_value is not None and part_value > whole_value:
        raise BadCase(part, str(part_value), f"is larger than {whole} {whole_value}: correct one of the two")
