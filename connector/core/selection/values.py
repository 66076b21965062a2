"""Numbers that a case asks for besides an answer: activities, doses and response, by the rooms that compute them."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import cast

from connector.core.dosimetry import bsa, empiric, mird, partition
from connector.core.dosimetry.constants import constants_for
from connector.core.errors import BadCase
from connector.core.response.recist_1_1 import RECIST_1_1, Sums, progressed, target_response
from connector.core.rules import Values

CONSTANTS = constants_for()
PLACES = Decimal("0.000001")
NOT_ASSESSABLE_YET = "not_assessable_yet"
EARLY_AFTER_TARE_DAYS = 90
WHOLE_LIVER_PERCENT = Decimal(100)


def numbers(values: Values) -> Mapping[str, str]:
    """Every number the facts allow, as decimal strings in the unit of its name; `response` is a RECIST word."""
    found: dict[str, str] = {}
    for name, number in (
        ("bsa_m2", _body_surface_m2(values)),
        ("prescribed_activity_gbq", _prescribed_activity_gbq(values)),
        ("lung_activity_gbq", _number(values, "lung_activity_gbq")),
        ("predicted_lung_dose_gy", _number(values, "predicted_lung_dose_gy")),
        ("egfr_ml_min_1_73m2", _number(values, "egfr_ml_min_1_73m2")),
    ):
        if number is not None:
            found[name] = _text(number)
    for name in ("child_pugh_score", "child_pugh_class", "albi_grade"):
        if name in values:
            found[name] = str(values[name])
    response = response_word(values)
    if response is not None:
        found["response"] = response
    return found


def response_word(values: Values) -> str | None:
    """
    CR, PR, SD or PD from the sums, `not_assessable_yet` in the first three months after TARE, None when not known.

    A rim that enhances early after TARE is no progression (Anbari 2023, Tumor response); a new lesion is one.
    """
    days = values.get("days_since_lrt", EARLY_AFTER_TARE_DAYS)
    early = values.get("last_lrt_modality") == "TARE" and cast("int", days) < EARLY_AFTER_TARE_DAYS
    new_lesions = values.get("new_lesions")
    if new_lesions is True:
        return "PD"
    baseline, nadir, current = (_number(values, f"recist_sum_{name}_mm") for name in ("baseline", "nadir", "current"))
    if current == 0:  # nothing is left to have grown, whatever the smallest sum was
        nadir = current
    if current is None or nadir is None:
        return NOT_ASSESSABLE_YET if early else None
    if progressed(current_mm=current, nadir_mm=nadir, criteria=RECIST_1_1):
        return NOT_ASSESSABLE_YET if early else "PD"
    if new_lesions is None or baseline is None:
        return NOT_ASSESSABLE_YET if early else None
    sums = Sums(
        baseline_mm=baseline,
        nadir_mm=nadir,
        current_mm=current,
        all_targets_measured=True,
        all_targets_gone=current == 0,
        reappeared_after_complete_response=False,
    )
    return str(target_response(sums, RECIST_1_1).response)


def _prescribed_activity_gbq(values: Values) -> Decimal | None:
    """What the chosen method prescribes, before any limit; what a physician prescribed stands as given."""
    given = _number(values, "prescribed_activity_gbq")
    if given is not None:
        return given
    method = values.get("activity_method")
    return _METHODS[cast("str", method)](values) if method is not None else None


def _empiric(values: Values) -> Decimal | None:
    burden = _number(values, "liver_tumour_burden_percent")
    if burden is None:
        return None
    return empiric.activity_gbq(tumour_volume_ml=burden, liver_volume_ml=WHOLE_LIVER_PERCENT)


def _body_surface_m2(values: Values) -> Decimal | None:
    height, weight = _number(values, "height_m"), _number(values, "weight_kg")
    if height is None or weight is None:
        return None
    return bsa.body_surface_m2(height_m=height, weight_kg=weight)


def _bsa(values: Values) -> Decimal | None:
    surface = _body_surface_m2(values)
    tumour, liver = _number(values, "tumour_volume_ml"), _number(values, "liver_volume_total_ml")
    if surface is None or tumour is None or liver is None or values.get("microsphere_type") != "resin":
        return None
    try:
        return bsa.activity_gbq(
            surface_m2=surface, liver_volume_ml=liver, treated_volume_ml=liver, treated_tumour_volume_ml=tumour
        )
    except BadCase:  # too small a body for the method: no number is the answer here, `dose plan` says why
        return None


def _mird(values: Values) -> Decimal | None:
    dose, mass = _number(values, "target_mean_dose_gy"), _number(values, "target_liver_mass_kg")
    shunt = _shunt(values)
    if dose is None or mass is None or shunt is None:
        return None
    return mird.activity_gbq(
        prescribed_dose_gy=dose,
        perfused_mass_kg=mass,
        energy_per_activity_j_gbq=CONSTANTS.prescription_energy_per_activity_j_gbq,
        lung_shunt_fraction=shunt,
        residual_fraction=Decimal(0),
    )


def _partition(values: Values) -> Decimal | None:
    """The mean dose asked for is the normal liver's (conflict CON-PARTITION-D)."""
    dose, ratio = _number(values, "target_mean_dose_gy"), _number(values, "tn_ratio")
    tumour, normal = _number(values, "tumour_mass_kg"), _number(values, "normal_liver_mass_kg")
    shunt = _shunt(values)
    if dose is None or ratio is None or tumour is None or normal is None or shunt is None:
        return None
    return partition.activity_gbq(
        normal_liver_dose_gy=dose,
        tumour_to_normal_ratio=ratio,
        tumour_mass_kg=tumour,
        normal_liver_mass_kg=normal,
        energy_per_activity_j_gbq=CONSTANTS.energy_per_activity_j_gbq,
        lung_shunt_fraction=shunt,
        residual_fraction=Decimal(0),
    )


_METHODS = {"empiric": _empiric, "bsa": _bsa, "mird_single": _mird, "partition": _partition}


def _shunt(values: Values) -> Decimal | None:
    """The lung shunt, if anything is left for the liver."""
    shunt = _number(values, "lung_shunt_fraction")
    return shunt if shunt is not None and shunt < 1 else None


def _number(values: Values, name: str) -> Decimal | None:
    value = values.get(name)
    return Decimal(value) if isinstance(value, (int, Decimal)) else None


def _text(number: Decimal) -> str:
    """Written to a millionth without trailing zeros; thresholds were decided on the exact number."""
    return format(number.quantize(PLACES, ROUND_HALF_UP).normalize(), "f")
