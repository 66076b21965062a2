"""The single-compartment (MIRD) activity: one mean dose to all that is perfused."""

from decimal import Decimal

from connector.core.evidence import Citation

SOURCE = Citation("Current status of yttrium-90 microspheres radioembolization", "Table 2, MIRD")
FORMULA = "A = D m_perfused / (k (1 - F) (1 - R)); m_perfused includes tumour"
# "Upper limit of lung shunt activity", of what is infused: 30.3 Gy in 1.0 kg of lung.
LUNG_ACTIVITY_LIMIT_GBQ = Decimal("0.61")
# "Can be considered for glass microspheres".
USUAL_GLASS_DOSE_GY = (Decimal(80), Decimal(150))
ONE = Decimal(1)


def activity_gbq(
    *,
    prescribed_dose_gy: Decimal,
    perfused_mass_kg: Decimal,
    energy_per_activity_j_gbq: Decimal,
    lung_shunt_fraction: Decimal,
    residual_fraction: Decimal,
) -> Decimal:
    """Activity in GBq to have in the vial at injection, residue included."""
    reaching = energy_per_activity_j_gbq * (ONE - lung_shunt_fraction) * (ONE - residual_fraction)
    return prescribed_dose_gy * perfused_mass_kg / reaching
