"""Limits on radioiodine for the patient's marrow and lungs, and the dose that a time-integrated activity brings."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from connector.core.dosimetry.constants import constants_for
from connector.core.dosimetry.photons import absorbed_photon_mev
from connector.core.errors import BadCase
from connector.core.evidence import Citation
from connector.core.units import JOULE_PER_MEV, LN2, SECONDS_PER_HOUR, gbq_from_mci

BLOOD_DOSE_LIMIT_GY = Decimal(2)
# D_blood per A = 108 tau_blood-mL + 0.0188 w^(-2/3) tau_total-body, in Gy/GBq with hours, mL and kg. The two figures
# were taken from secondary texts and need confirmation against the paper; ICRP 107 electrons alone give 110.6 / mL.
BLOOD_SELF_DOSE_GY_ML_GBQ_H = Decimal(108)
BODY_TO_BLOOD_GY_KG23_GBQ_H = Decimal("0.0188")
BLOOD_SOURCE = Citation(
    "EANM Dosimetry Committee SOP, blood dosimetry in differentiated thyroid cancer (Lassmann 2008)",
    "Eur J Nucl Med Mol Imaging 2008;35:1405: 2 Gy to the blood; coefficients 108 and 0.0188 need confirmation",
)
# Without blood samples 14 % of the residence time of the whole body is taken to pass in the blood.
BLOOD_SHARE_OF_BODY = Decimal("0.14")
SHARE_SOURCE = Citation("Hänscheid et al., Endocr Relat Cancer 2009;16:1283", "abstract")
RETENTION_LIMIT_MCI = {False: Decimal(120), True: Decimal(80)}
RETENTION_SOURCE = Citation(
    "Benua and Leeper; EANM SOP (Lassmann 2008)", "120 mCi retained at 48 h, 80 mCi with diffuse lung metastases"
)
CUMULATIVE_LIMIT_GBQ = gbq_from_mci(Decimal(600))
CUMULATIVE_SOURCE = Citation("Minimally invasive treatment of thyroid cancer metastases (2018)", "Rationale: 600 mCi")
ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class ActivityLimit:
    """One limit on the activity of radioiodine in GBq; `warning` names what a person must confirm."""

    name: str
    limit: Decimal
    unit: str
    activity_gbq: Decimal
    source: Citation
    warning: str | None = None
    dose_per_activity_gy_gbq: Decimal | None = None


def blood_dose_per_activity_gy_gbq(
    *, residence_time_per_ml_h: Decimal, residence_time_total_body_h: Decimal, weight_kg: Decimal
) -> Decimal:
    """Dose to the blood in Gy per GBq given; residence times in hours per mL of blood and in hours."""
    from_body = BODY_TO_BLOOD_GY_KG23_GBQ_H * weight_kg ** (Decimal(-2) / 3) * residence_time_total_body_h
    return BLOOD_SELF_DOSE_GY_ML_GBQ_H * residence_time_per_ml_h + from_body


def blood_volume_ml(*, sex: str, height_m: Decimal, weight_kg: Decimal) -> Decimal:
    """
    Blood volume in mL, 31.9 h + 26.3 w - 2402 for men and 56.9 h + 14.1 w - 6460 for women (h in cm, w in kg).

    As used with the 14 % rule; the regression needs confirmation against Retzlaff, Blood 1969;33:649.
    """
    height_cm = height_m * 100
    if sex == "male":
        volume = Decimal("31.9") * height_cm + Decimal("26.3") * weight_kg - 2402
    else:
        volume = Decimal("56.9") * height_cm + Decimal("14.1") * weight_kg - 6460
    if volume <= 0:
        raise BadCase("height_m", str(height_m), "the blood volume of this height and weight is below 0: check both")
    return volume


def residence_time_per_ml_from_body_h(*, residence_time_total_body_h: Decimal, blood_volume: Decimal) -> Decimal:
    """Residence time in 1 mL of blood when no blood was drawn: 14 % of the body's, spread over the blood."""
    return BLOOD_SHARE_OF_BODY * residence_time_total_body_h / blood_volume


def blood_limit(*, dose_per_activity_gy_gbq: Decimal, from_body_alone: bool = False) -> ActivityLimit:
    """Activity that brings 2 Gy to the blood; `from_body_alone` when no blood was drawn."""
    share = f"; the blood was taken as {BLOOD_SHARE_OF_BODY} of the body ({SHARE_SOURCE})" if from_body_alone else ""
    return ActivityLimit(
        "blood",
        BLOOD_DOSE_LIMIT_GY,
        "Gy",
        BLOOD_DOSE_LIMIT_GY / dose_per_activity_gy_gbq,
        BLOOD_SOURCE,
        "the coefficients 108 and 0.0188 of the blood dose need a physicist's confirmation against the published text"
        + share,
        dose_per_activity_gy_gbq,
    )


def retention_limit(*, retained_fraction_48h: Decimal, diffuse_lung_metastases: bool | None) -> ActivityLimit:
    """Activity of which 120 mCi are left after 48 h, decay included; 80 mCi with diffuse (or unknown) lung disease."""
    limit = gbq_from_mci(RETENTION_LIMIT_MCI[diffuse_lung_metastases is not False])
    warning = "diffuse_lung_metastases was not given: the stricter 80 mCi was taken"
    return ActivityLimit(
        "retention_48h",
        limit,
        "GBq",
        limit / retained_fraction_48h,
        RETENTION_SOURCE,
        warning if diffuse_lung_metastases is None else None,
    )


def cumulative_limit(*, previous_activity_gbq: Decimal) -> ActivityLimit:
    """What is left of 600 mCi (22.2 GBq) over a lifetime; never below 0."""
    left = max(CUMULATIVE_LIMIT_GBQ - previous_activity_gbq, Decimal(0))
    return ActivityLimit("cumulative", CUMULATIVE_LIMIT_GBQ, "GBq", left, CUMULATIVE_SOURCE)


def controlling(limits: Iterable[ActivityLimit]) -> ActivityLimit:
    """The limit with the smallest activity; the first of equals."""
    return min(limits, key=lambda limit: limit.activity_gbq)


def electron_dose_gy(*, nuclide_name: str, time_integrated_mbq_h: float, mass_g: Decimal) -> float:
    """
    Mean dose in Gy to a mass in which the electrons of every decay stay.

    Photons are not in it, see `photon_self_dose_gy`. The energy is the default profile's.
    """
    constants = constants_for(nuclide_name=nuclide_name)
    joule_per_gbq_h = constants.energy_per_activity_j_gbq * LN2 / constants.half_life_h
    return float(joule_per_gbq_h / mass_g) * time_integrated_mbq_h


def photon_self_dose_gy(*, nuclide_name: str, time_integrated_mbq_h: float, mass_g: Decimal) -> float | None:
    """Mean dose in Gy that a mass gives itself by photons, were it a sphere; None for a mass that is in no table."""
    absorbed = absorbed_photon_mev(nuclide_name, mass_g=mass_g)
    if absorbed is None:
        return None
    decays = time_integrated_mbq_h * 1e6 * SECONDS_PER_HOUR
    return decays * absorbed * float(JOULE_PER_MEV) / float(mass_g / 1000)
