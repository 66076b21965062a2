"""The body surface area activity for resin microspheres."""

from decimal import Decimal

from connector.core.errors import BadCase
from connector.core.evidence import Citation

SOURCE = Citation("Current status of yttrium-90 microspheres radioembolization", "Table 2, BSA (fraction as CON-BSA)")
SURFACE_SOURCE = Citation("Du Bois and Du Bois, Arch Intern Med 1916;17:863", "formula, height in metres")
FORMULA = "A = ((BSA - 0.2) V_treated + V_tumour,treated) / V_liver; BSA = 0.20247 h^0.725 w^0.425"
COEFFICIENT = Decimal("0.20247")
HEIGHT_EXPONENT = Decimal("0.725")
WEIGHT_EXPONENT = Decimal("0.425")
OFFSET_M2 = Decimal("0.2")
ADULT_M2 = (Decimal("1.2"), Decimal("2.8"))


def body_surface_m2(*, height_m: Decimal, weight_kg: Decimal) -> Decimal:
    """Body surface area in square metres (Du Bois)."""
    return COEFFICIENT * height_m**HEIGHT_EXPONENT * weight_kg**WEIGHT_EXPONENT


def activity_gbq(
    *,
    surface_m2: Decimal,
    liver_volume_ml: Decimal,
    treated_volume_ml: Decimal,
    treated_tumour_volume_ml: Decimal,
) -> Decimal:
    """
    Activity in GBq before shunt reduction and residue.

    The liver volume is whole and includes tumour. For the whole liver this is (BSA - 0.2) + tumour over liver; the
    fraction as one review prints it, tumour/(tumour/liver), is a misprint of hundreds of GBq. Raises BadCase for a body
    surface of 0.2 m2 or less.
    """
    if surface_m2 <= OFFSET_M2:
        raise BadCase(
            "weight_kg", None, f"body surface {surface_m2:.3f} m2 is too small for this method: use partition"
        )
    return ((surface_m2 - OFFSET_M2) * treated_volume_ml + treated_tumour_volume_ml) / liver_volume_ml
