"""The empiric activity for resin microspheres: three steps by how much of the liver is tumour."""

from decimal import Decimal

from connector.core.evidence import Citation

SOURCE = Citation("Current status of yttrium-90 microspheres radioembolization", "Table 2, Empiric")
FORMULA = "A = 2.0 GBq to 25 % involvement, 2.5 to 50 %, 3.0 above; times treated over whole liver volume"
# (highest involvement, activity): a value on a boundary belongs to two printed rows and takes the lower activity.
STEPS = ((Decimal("0.25"), Decimal("2.0")), (Decimal("0.50"), Decimal("2.5")))
HIGHEST_ACTIVITY_GBQ = Decimal("3.0")


def activity_gbq(
    *, tumour_volume_ml: Decimal, liver_volume_ml: Decimal, treated_volume_ml: Decimal | None = None
) -> Decimal:
    """
    Activity in GBq before shunt reduction and residue.

    Involvement is tumour over whole liver volume; a part of the liver takes its share by volume.
    """
    # Compared as a product: a quotient would be rounded before it meets the step.
    steps = (activity for highest, activity in STEPS if tumour_volume_ml <= highest * liver_volume_ml)
    activity = next(steps, HIGHEST_ACTIVITY_GBQ)
    return activity if treated_volume_ml is None else activity * treated_volume_ml / liver_volume_ml
