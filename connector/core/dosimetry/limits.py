"""Every limit on an activity as one object, so that the smallest wins and is named."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from connector.core.evidence import Citation

LIMITS_SOURCE = Citation(
    "Current status of yttrium-90 microspheres radioembolization",
    "Patient selection",
    "lung shunting that leads to a lung dose >30 Gy or 50 Gy cumulatively after repeated treatment",
)
SHUNT_REDUCTION_SOURCE = Citation(
    "van Roekel, thesis on radioembolisation, p. 41",
    "resin: 20 %, 40 %, 100 % less if the shunt exceeds 10 %, 15 %, 20 %; a shunt at a step is taken as above",
)
# (shunt from, share of the activity that stays), highest first; a tie goes to the stricter step.
SHUNT_STEPS = (
    (Decimal("0.20"), Decimal(0)),
    (Decimal("0.15"), Decimal("0.6")),
    (Decimal("0.10"), Decimal("0.8")),
)
PRESCRIPTION = "prescription"
ONE = Decimal(1)
LAST_DIGITS = Decimal("1E-24")


@dataclass(frozen=True, slots=True)
class Constraint:
    """One limit and the activity in GBq, at injection and with residue, that just keeps it."""

    name: str
    limit: Decimal
    unit: str
    activity_gbq: Decimal
    source: Citation = LIMITS_SOURCE


@dataclass(frozen=True, slots=True)
class Reaching:
    """What decides how an injected activity splits: constants, shunt and residue."""

    energy_per_activity_j_gbq: Decimal
    lung_shunt_fraction: Decimal
    residual_fraction: Decimal

    @property
    def lung_share(self) -> Decimal:
        """GBq in the lungs per GBq injected."""
        return self.lung_shunt_fraction * (ONE - self.residual_fraction)

    @property
    def liver_share(self) -> Decimal:
        """GBq in the liver per GBq injected."""
        return (ONE - self.lung_shunt_fraction) * (ONE - self.residual_fraction)


def lung_dose(reaching: Reaching, *, limit_gy: Decimal, lung_mass_kg: Decimal) -> Constraint:
    """Dose to the lungs by this treatment; the shunt must be above 0."""
    activity = limit_gy * lung_mass_kg / (reaching.energy_per_activity_j_gbq * reaching.lung_share)
    return Constraint("lung_dose", limit_gy, "Gy", activity)


def cumulative_lung_dose(
    reaching: Reaching, *, limit_gy: Decimal, previous_gy: Decimal, lung_mass_kg: Decimal
) -> Constraint:
    """Dose to the lungs by all treatments, all reckoned with one lung mass; the shunt must be above 0."""
    left = max(limit_gy - previous_gy, Decimal(0))
    activity = left * lung_mass_kg / (reaching.energy_per_activity_j_gbq * reaching.lung_share)
    return Constraint("cumulative_lung_dose", limit_gy, "Gy", activity)


def lung_activity(reaching: Reaching, *, limit_gbq: Decimal, source: Citation) -> Constraint:
    """Activity that lodges in the lungs; the shunt must be above 0."""
    return Constraint("lung_activity", limit_gbq, "GBq", limit_gbq / reaching.lung_share, source)


def normal_liver_dose(
    reaching: Reaching,
    *,
    limit_gy: Decimal,
    tumour_to_normal_ratio: Decimal,
    tumour_mass_kg: Decimal,
    normal_liver_mass_kg: Decimal,
) -> Constraint:
    """Dose to the normal perfused liver."""
    weighted = tumour_to_normal_ratio * tumour_mass_kg + normal_liver_mass_kg
    activity = limit_gy * weighted / (reaching.energy_per_activity_j_gbq * reaching.liver_share)
    return Constraint("normal_liver_dose", limit_gy, "Gy", activity, Citation("case", "normal_liver_dose_limit_gy"))


def resin_shunt_reduction(*, lung_shunt_fraction: Decimal, prescription_gbq: Decimal) -> Constraint | None:
    """The lower activity for resin with a shunt of 10 % and more, 0 from 20 % on; None below 10 %."""
    for shunt, share in SHUNT_STEPS:
        if lung_shunt_fraction >= shunt:
            return Constraint(
                "resin_shunt_reduction", shunt, "lung shunt fraction", prescription_gbq * share, SHUNT_REDUCTION_SOURCE
            )
    return None


def smallest(prescription_gbq: Decimal, constraints: Iterable[Constraint]) -> tuple[str, Decimal]:
    """Name and activity of what controls; `prescription` when no limit bites."""
    name, activity = PRESCRIPTION, prescription_gbq
    for constraint in constraints:
        # Equal activities by two formulas may differ in the 28th digit: that is a tie, and the first named stands.
        if constraint.activity_gbq < activity * (ONE - LAST_DIGITS):
            name, activity = constraint.name, constraint.activity_gbq
    return name, activity
