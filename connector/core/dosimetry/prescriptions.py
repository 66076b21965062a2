"""What each method prescribes before any limit is looked at, with its formula and where it stands."""

from dataclasses import dataclass
from decimal import Decimal

from connector.core.dosimetry import bsa, empiric, mird, partition
from connector.core.dosimetry.constants import Constants
from connector.core.dosimetry.ranges import needed
from connector.core.dosimetry.request import PlanRequest
from connector.core.errors import BadCase
from connector.core.evidence import Citation

GIVEN_SOURCE = Citation("case", "given_activity_gbq")
GIVEN_FORMULA = "A as given; doses by conservation of energy, k A (1 - F) (1 - R) = sum of D m"


@dataclass(frozen=True, slots=True)
class Prescription:
    """Activity in GBq to have in the vial at injection, residue included."""

    activity_gbq: Decimal
    formula: str
    sources: tuple[Citation, ...]


def prescribe(request: PlanRequest, constants: Constants) -> Prescription:
    """
    Prescribe by the request's method; an activity that is given without a dose is taken as it is.

    Raises BadCase for what the method needs and the request lacks.
    """
    if request.given_activity_gbq is not None and request.prescribed_dose_gy is None and request.method in _BY_DOSE:
        return Prescription(request.given_activity_gbq, GIVEN_FORMULA, (GIVEN_SOURCE,))
    return _PRESCRIBE[request.method](request, constants)


def _empiric(request: PlanRequest, _constants: Constants) -> Prescription:
    activity = empiric.activity_gbq(
        tumour_volume_ml=needed("tumour_volume_ml", request.tumour_volume_ml, by="empiric"),
        liver_volume_ml=needed("liver_volume_ml", request.liver_volume_ml, by="empiric"),
        treated_volume_ml=request.treated_volume_ml,
    )
    return Prescription(activity / (1 - request.residual_fraction), empiric.FORMULA, (empiric.SOURCE,))


def _bsa(request: PlanRequest, _constants: Constants) -> Prescription:
    liver = needed("liver_volume_ml", request.liver_volume_ml, by="bsa")
    tumour = request.treated_tumour_volume_ml
    if request.treated_volume_ml is None:
        tumour = needed("tumour_volume_ml", request.tumour_volume_ml, by="bsa")
    elif tumour is None:
        raise BadCase("treated_tumour_volume_ml", None, "is needed by bsa with treated_volume_ml: add it")
    activity = bsa.activity_gbq(
        surface_m2=bsa.body_surface_m2(
            height_m=needed("height_m", request.height_m, by="bsa"),
            weight_kg=needed("weight_kg", request.weight_kg, by="bsa"),
        ),
        liver_volume_ml=liver,
        treated_volume_ml=liver if request.treated_volume_ml is None else request.treated_volume_ml,
        treated_tumour_volume_ml=tumour,
    )
    sources = (bsa.SOURCE, bsa.SURFACE_SOURCE)
    return Prescription(activity / (1 - request.residual_fraction), bsa.FORMULA, sources)


def _mird(request: PlanRequest, constants: Constants) -> Prescription:
    if request.prescribed_to not in {None, "perfused"}:
        raise BadCase("prescribed_to", request.prescribed_to, "mird prescribes to the perfused mass: use partition")
    activity = mird.activity_gbq(
        prescribed_dose_gy=needed("prescribed_dose_gy", request.prescribed_dose_gy, by="mird"),
        perfused_mass_kg=needed("perfused_mass_kg", request.perfused_mass_kg, by="mird"),
        energy_per_activity_j_gbq=constants.prescription_energy_per_activity_j_gbq,
        lung_shunt_fraction=needed("lung_shunt_fraction", request.lung_shunt_fraction, by="mird"),
        residual_fraction=request.residual_fraction,
    )
    return Prescription(activity, mird.FORMULA, (mird.SOURCE,))


def _partition(request: PlanRequest, constants: Constants) -> Prescription:
    if request.prescribed_to is None:
        raise BadCase("prescribed_to", None, "is needed by partition and missing: perfused, normal_liver or tumour")
    tumour = needed("tumour_mass_kg", request.tumour_mass_kg, by="partition")
    normal = needed("normal_liver_mass_kg", request.normal_liver_mass_kg, by="partition")
    ratio = needed("tumour_to_normal_ratio", request.tumour_to_normal_ratio, by="partition")
    activity = partition.activity_gbq(
        normal_liver_dose_gy=partition.normal_liver_prescription_gy(
            prescribed_dose_gy=needed("prescribed_dose_gy", request.prescribed_dose_gy, by="partition"),
            prescribed_to=request.prescribed_to,
            tumour_to_normal_ratio=ratio,
            tumour_mass_kg=tumour,
            normal_liver_mass_kg=normal,
        ),
        tumour_to_normal_ratio=ratio,
        tumour_mass_kg=tumour,
        normal_liver_mass_kg=normal,
        energy_per_activity_j_gbq=constants.energy_per_activity_j_gbq,
        lung_shunt_fraction=needed("lung_shunt_fraction", request.lung_shunt_fraction, by="partition"),
        residual_fraction=request.residual_fraction,
    )
    return Prescription(activity, partition.FORMULA, (partition.SOURCE,))


_PRESCRIBE = {"empiric": _empiric, "bsa": _bsa, "mird": _mird, "partition": _partition}
_BY_DOSE = frozenset({"mird", "partition"})
