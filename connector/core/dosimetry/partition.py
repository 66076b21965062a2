"""The partition activity: tumour and normal liver take up by their ratio, so each has its own dose."""

from decimal import Decimal

from connector.core.errors import BadCase
from connector.core.evidence import Citation

SOURCE = Citation("Current status of yttrium-90 microspheres radioembolization", "Table 2, Partition (CON-PARTITION-D)")
FORMULA = "A = D_normal (TN m_tumour + m_normal) / (k (1 - F) (1 - R)); D_tumour = TN D_normal"
ONE = Decimal(1)


def normal_liver_prescription_gy(
    *,
    prescribed_dose_gy: Decimal,
    prescribed_to: str,
    tumour_to_normal_ratio: Decimal,
    tumour_mass_kg: Decimal,
    normal_liver_mass_kg: Decimal,
) -> Decimal:
    """Dose to the normal perfused liver in Gy that a prescription to any compartment means."""
    if prescribed_to == "normal_liver":
        return prescribed_dose_gy
    if prescribed_to == "tumour":
        if tumour_mass_kg == 0:
            raise BadCase("prescribed_to", prescribed_to, "there is no tumour mass to prescribe to: use normal_liver")
        return prescribed_dose_gy / tumour_to_normal_ratio
    weighted = tumour_to_normal_ratio * tumour_mass_kg + normal_liver_mass_kg
    return prescribed_dose_gy * (tumour_mass_kg + normal_liver_mass_kg) / weighted


def activity_gbq(
    *,
    normal_liver_dose_gy: Decimal,
    tumour_to_normal_ratio: Decimal,
    tumour_mass_kg: Decimal,
    normal_liver_mass_kg: Decimal,
    energy_per_activity_j_gbq: Decimal,
    lung_shunt_fraction: Decimal,
    residual_fraction: Decimal,
) -> Decimal:
    """
    Activity in GBq to have in the vial at injection, residue included.

    The mass is the normal perfused liver: the whole liver in its place would prescribe up to 29 % too much.
    """
    weighted = tumour_to_normal_ratio * tumour_mass_kg + normal_liver_mass_kg
    reaching = energy_per_activity_j_gbq * (ONE - lung_shunt_fraction) * (ONE - residual_fraction)
    return normal_liver_dose_gy * weighted / reaching
