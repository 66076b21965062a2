"""What a physicist would ask back about a plan that is possible but unusual."""

from collections.abc import Iterator
from decimal import Decimal

from connector.core.dosimetry import bsa, mird
from connector.core.dosimetry.constants import LIVER_DENSITY_KG_L
from connector.core.dosimetry.request import PlanRequest

LIVER_ML = (Decimal(500), Decimal(4500))
LARGEST_LIVER_KG = LIVER_ML[1] / 1000 * LIVER_DENSITY_KG_L
SMALL_PERFUSED_ML = Decimal(100)
SMALL_PERFUSED_KG = Decimal("0.1")
LUNG_KG = (Decimal("0.3"), Decimal(2))
HIGH_SHUNT = Decimal("0.20")
HIGH_BURDEN = Decimal("0.50")
LOW_RATIO = Decimal("1.5")
ONE = Decimal(1)


def cautions(request: PlanRequest, perfused_mass_kg: Decimal | None) -> Iterator[str]:
    """Warnings that change no number of the plan."""
    yield from _of_method(request)
    yield from _of_lungs(request)
    yield from _of_liver(request, perfused_mass_kg)
    ratio = request.tumour_to_normal_ratio
    if ratio is not None and ratio < LOW_RATIO:
        meaning = "takes up less than" if ratio < ONE else "takes up hardly more than"
        yield f"tumour_to_normal_ratio {ratio}: the tumour {meaning} the normal liver; reconsider this treatment"


def conflicts(request: PlanRequest) -> Iterator[str]:
    """Ids of the places where the sources disagree and this plan had to choose (`connector rules` prints them)."""
    yield from _CONFLICTS_OF_METHOD[request.method]
    if request.method == "mird" and request.device == "glass":
        yield "CON-DOSE80"
    if request.lung_shunt_fraction:
        yield "CON-LUNGOVER"
    yield from ("CON-SPECACT", "CON-SPHERES")


_CONFLICTS_OF_METHOD = {
    "empiric": ("CON-EMPIRIC", "CON-EMPIRIC-BURDEN"),
    "bsa": ("CON-BSA",),
    "mird": ("CON-MIRD50", "CON-LUNG061"),
    "partition": ("CON-PARTITION-D",),
}


def _of_method(request: PlanRequest) -> Iterator[str]:
    if request.method in {"empiric", "bsa"}:
        yield f"{request.method} plans no dose: a dose-based method is preferred (EANM 2022); a board confirms"
        if request.device == "glass":
            yield f"{request.method} is published for resin microspheres only: no shunt reduction was made for glass"
    if request.method == "empiric" and _is_high_burden(request):
        yield "half of the liver or more is tumour: outside the range of a prescription, for the board alone to decide"
    if request.method == "mird" and request.device == "glass" and request.prescribed_dose_gy is not None:
        low, high = mird.USUAL_GLASS_DOSE_GY
        if not low <= request.prescribed_dose_gy <= high:
            yield f"prescribed_dose_gy {request.prescribed_dose_gy} is not {low}..{high} Gy: a physician signs it off"
    if request.method == "bsa" and request.height_m is not None and request.weight_kg is not None:
        surface = bsa.body_surface_m2(height_m=request.height_m, weight_kg=request.weight_kg)
        if not bsa.ADULT_M2[0] <= surface <= bsa.ADULT_M2[1]:
            yield f"body surface {surface:.2f} m2 is unusual for an adult: check height_m and weight_kg"


def _is_high_burden(request: PlanRequest) -> bool:
    """Whether tumour takes half of the liver or more, as far as both volumes are known."""
    tumour, liver = request.tumour_volume_ml, request.liver_volume_ml
    return tumour is not None and liver is not None and tumour >= HIGH_BURDEN * liver


def _of_lungs(request: PlanRequest) -> Iterator[str]:
    if request.lung_mass_convention is not None:
        yield "lung mass 1 kg is a convention and not this patient's: weigh the lungs on CT"
    if request.lung_mass_kg is not None and not LUNG_KG[0] <= request.lung_mass_kg <= LUNG_KG[1]:
        yield f"lung_mass_kg {request.lung_mass_kg} is unusual: check that it is in kilograms"
    shunt = request.lung_shunt_fraction
    if shunt is None or shunt == 0:
        return
    if request.previous_lung_dose_gy is None:
        yield "previous_lung_dose_gy was not given: the cumulative limit was judged for this treatment alone"
    if shunt > HIGH_SHUNT:
        yield f"lung_shunt_fraction {shunt} is above 0.20: a contraindication to resin microspheres, a caution to glass"


def _of_liver(request: PlanRequest, perfused_mass_kg: Decimal | None) -> Iterator[str]:
    volume = request.liver_volume_ml
    if volume is not None and not LIVER_ML[0] <= volume <= LIVER_ML[1]:
        yield f"liver_volume_ml {volume} is unusual: check that it is the whole liver in millilitres"
    treated = request.treated_volume_ml
    if treated is not None and treated < SMALL_PERFUSED_ML:
        yield f"treated_volume_ml {treated} is below 100 mL: a small error of the contour is a large error of the dose"
    if perfused_mass_kg is not None and perfused_mass_kg > LARGEST_LIVER_KG:
        yield f"perfused mass {perfused_mass_kg} kg is more than that of a large liver: check that it is in kilograms"
    if perfused_mass_kg is not None and perfused_mass_kg < SMALL_PERFUSED_KG:
        yield f"perfused mass {perfused_mass_kg} kg is below 0.1 kg: a contour's small error is a large error of dose"
