"""From the activity a patient should get to the vial that holds it, and from what was assayed to what was given."""

from dataclasses import dataclass
from decimal import Decimal

from connector.core.errors import BadCase
from connector.core.evidence import Citation
from connector.core.nuclides import remaining_fraction

GLASS_VIALS_GBQ = tuple(Decimal(size) for size in (3, 5, 7, 10, 15, 20))
GLASS_VIALS_SOURCE = Citation("TheraSphere package insert (USA, v12)", "Description: six dose sizes")
REVIEW_TABLE_1 = Citation("Current status of yttrium-90 microspheres radioembolization", "Table 1, specific activity")
# Lowest and highest activity of one microsphere in Bq. The papers disagree with each other, so a number of microspheres
# informs and decides nothing: the certificate of the vial holds.
SPHERE_BQ = {"resin": (Decimal(50), Decimal(200)), "glass": (Decimal(250), Decimal(2500))}
# What is infused in one treatment by the same review (Treatment), in millions.
USUAL_MILLION = {"resin": (Decimal(20), Decimal(40)), "glass": (Decimal("1.2"), Decimal(8))}
BQ_PER_GBQ = Decimal(10**9)


@dataclass(frozen=True, slots=True)
class Vial:
    """A vial of glass microspheres: its activity at calibration, and what is left of it at injection, in GBq."""

    calibrated_gbq: Decimal
    at_injection_gbq: Decimal


def activity_at(activity_gbq: Decimal, *, hours: Decimal, half_life_h: Decimal) -> Decimal:
    """Activity in GBq after `hours`; before, when they are negative."""
    return activity_gbq * remaining_fraction(hours=hours, half_life_h=half_life_h)


def calibrated_activity_gbq(
    injected_gbq: Decimal, *, hours_after_calibration: Decimal, half_life_h: Decimal
) -> Decimal:
    """Activity at calibration in GBq that leaves `injected_gbq` at the injection."""
    return activity_at(injected_gbq, hours=-hours_after_calibration, half_life_h=half_life_h)


def net_activity_gbq(
    *,
    before_gbq: Decimal,
    hours_from_before_to_injection: Decimal,
    residue_gbq: Decimal,
    hours_from_injection_to_residue: Decimal,
    half_life_h: Decimal,
) -> Decimal:
    """
    Activity given, in GBq at the injection, from the assays of the vial before and of what was left after.

    Raises BadCase when more was left than there was.
    """
    filled = activity_at(before_gbq, hours=hours_from_before_to_injection, half_life_h=half_life_h)
    left = activity_at(residue_gbq, hours=-hours_from_injection_to_residue, half_life_h=half_life_h)
    if left > filled:
        raise BadCase("residue_gbq", str(residue_gbq), "more activity was left than there was: check times and units")
    return filled - left


def smallest_glass_vial(needed_gbq: Decimal, *, hours_after_calibration: Decimal, half_life_h: Decimal) -> Vial | None:
    """Smallest vial that still holds the activity at the injection; None when no single vial does."""
    for size in GLASS_VIALS_GBQ:
        left = activity_at(size, hours=hours_after_calibration, half_life_h=half_life_h)
        if left >= needed_gbq:
            return Vial(size, left)
    return None


def microsphere_count(activity_gbq: Decimal, *, device: str) -> tuple[Decimal, Decimal]:
    """Fewest and most microspheres that carry an activity, by the range of activity per sphere in print."""
    low, high = SPHERE_BQ[device]
    return activity_gbq * BQ_PER_GBQ / high, activity_gbq * BQ_PER_GBQ / low
