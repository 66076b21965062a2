"""One plan: the method's activity, every limit on it, the one that controls, and the doses that follow."""

from dataclasses import dataclass
from decimal import Decimal

from connector.core.dosimetry import compartments, limits, mird
from connector.core.dosimetry.cautions import cautions, conflicts
from connector.core.dosimetry.constants import CONVENTIONAL_LUNG_MASS_KG, Constants
from connector.core.dosimetry.limits import Constraint, Reaching
from connector.core.dosimetry.prescriptions import prescribe
from connector.core.dosimetry.ranges import needed
from connector.core.dosimetry.request import PlanRequest
from connector.core.evidence import Citation


@dataclass(frozen=True, slots=True)
class AbsorbedDose:
    """Mean doses in Gy; None where the compartment is not in the plan."""

    tumour: Decimal | None = None
    normal_liver: Decimal | None = None
    perfused: Decimal | None = None
    lung: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Forward:
    """What a given activity does: doses in full, limits or not, and the names of the limits that it breaks."""

    activity_gbq: Decimal
    lung_activity_gbq: Decimal | None
    absorbed_dose_gy: AbsorbedDose
    exceeds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """
    The answer to a `PlanRequest`.

    `activity_gbq` is None when `allowed` is False. `allowed` is None when a limit could not be checked; the warnings
    name what is missing. `given` answers for the request's given activity. `conflicts` are the ids of the places where
    the sources disagree that this plan had to decide.
    """

    activity_gbq: Decimal | None
    prescription_gbq: Decimal
    lung_activity_gbq: Decimal | None
    absorbed_dose_gy: AbsorbedDose
    constraints: tuple[Constraint, ...]
    controlling_constraint: str
    allowed: bool | None
    formula: str
    constants: Constants
    warnings: tuple[str, ...]
    sources: tuple[Citation, ...]
    tumour_mass_kg: Decimal | None
    normal_liver_mass_kg: Decimal | None
    given: Forward | None = None
    conflicts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Masses:
    """Masses in kg as far as they follow from what was given."""

    perfused: Decimal | None
    tumour: Decimal | None
    normal_liver: Decimal | None
    lung: Decimal | None


def plan(request: PlanRequest, constants: Constants) -> Plan:
    """
    Plan the activity of microspheres. Raises BadCase for what is missing or cannot be.

    The draft of a plan for a physician: it prescribes nothing.
    """
    if request.method != "empiric":
        needed("lung_shunt_fraction", request.lung_shunt_fraction, by=request.method)
    prescription = prescribe(request, constants)
    masses = _masses(request)
    constraints, unchecked = _constraints(request, constants, masses, prescription.activity_gbq)
    controlling, smallest = limits.smallest(prescription.activity_gbq, constraints)
    forbidden = smallest <= 0
    activity = None if forbidden else smallest
    lung_activity, doses = doses_of(activity, request, constants)
    warnings = list(unchecked)
    if forbidden:
        warnings.insert(0, _forbidding(controlling, request))
    warnings.extend(cautions(request, masses.perfused))
    return Plan(
        activity_gbq=activity,
        prescription_gbq=prescription.activity_gbq,
        lung_activity_gbq=lung_activity,
        absorbed_dose_gy=doses,
        constraints=tuple(constraints),
        controlling_constraint=controlling,
        allowed=False if forbidden else (None if unchecked else True),
        formula=prescription.formula,
        constants=constants,
        warnings=tuple(warnings),
        sources=_unique([*prescription.sources, *(constraint.source for constraint in constraints), constants.source]),
        tumour_mass_kg=masses.tumour,
        normal_liver_mass_kg=masses.normal_liver,
        given=_forward(request, constants, constraints),
        conflicts=tuple(conflicts(request)),
    )


def _forward(request: PlanRequest, constants: Constants, constraints: list[Constraint]) -> Forward | None:
    activity = request.given_activity_gbq
    if activity is None:
        return None
    lung_activity, doses = doses_of(activity, request, constants)
    broken = tuple(limit.name for limit in constraints if limits.smallest(activity, [limit])[0] == limit.name)
    return Forward(activity, lung_activity, doses, broken)


def _masses(request: PlanRequest) -> _Masses:
    perfused, tumour, normal = request.perfused_mass_kg, request.tumour_mass_kg, request.normal_liver_mass_kg
    if perfused is None and tumour is not None and normal is not None:
        perfused = tumour + normal
    if normal is None and perfused is not None and tumour is not None:
        normal = perfused - tumour
    if tumour is None and perfused is not None and normal is not None:
        tumour = perfused - normal
    lung = CONVENTIONAL_LUNG_MASS_KG if request.lung_mass_convention else request.lung_mass_kg
    return _Masses(perfused, tumour, normal, lung)


def _reaching(request: PlanRequest, constants: Constants) -> Reaching | None:
    if request.lung_shunt_fraction is None:
        return None
    return Reaching(constants.energy_per_activity_j_gbq, request.lung_shunt_fraction, request.residual_fraction)


def _constraints(
    request: PlanRequest, constants: Constants, masses: _Masses, prescription_gbq: Decimal
) -> tuple[list[Constraint], list[str]]:
    """The limits that could be checked, and a warning for each that could not."""
    reaching = _reaching(request, constants)
    if reaching is None:
        return [], ["the lung limits and the shunt reduction could not be checked: lung_shunt_fraction is missing"]
    found: list[Constraint] = []
    unchecked: list[str] = []
    if request.device == "resin" and request.method in {"empiric", "bsa"}:
        reduction = limits.resin_shunt_reduction(
            lung_shunt_fraction=reaching.lung_shunt_fraction, prescription_gbq=prescription_gbq
        )
        found += [reduction] if reduction else []
    if reaching.lung_shunt_fraction > 0:
        found += _lung_constraints(request, reaching, masses.lung)
        if masses.lung is None:
            unchecked.append(
                "the lung dose limits could not be checked: lung_mass_kg is missing (weigh the lungs on CT)"
            )
    if request.normal_liver_dose_limit_gy is not None:
        constraint = _normal_liver_constraint(request, reaching, masses)
        found += [constraint] if constraint else []
        if constraint is None:
            missing = "tumour_to_normal_ratio, tumour_mass_kg and normal_liver_mass_kg are needed"
            unchecked.append(f"the normal liver limit could not be checked: {missing}")
    return found, unchecked


def _lung_constraints(request: PlanRequest, reaching: Reaching, lung_mass_kg: Decimal | None) -> list[Constraint]:
    found = []
    previous = request.previous_lung_dose_gy or Decimal(0)
    if request.method == "mird":
        found.append(limits.lung_activity(reaching, limit_gbq=mird.LUNG_ACTIVITY_LIMIT_GBQ, source=mird.SOURCE))
    if lung_mass_kg is not None:
        found.append(limits.lung_dose(reaching, limit_gy=request.lung_dose_limit_gy, lung_mass_kg=lung_mass_kg))
    # Lungs that have had all they may get none, whatever they weigh.
    if lung_mass_kg is not None or previous >= request.cumulative_lung_dose_limit_gy:
        cumulative = limits.cumulative_lung_dose(
            reaching,
            limit_gy=request.cumulative_lung_dose_limit_gy,
            previous_gy=previous,
            lung_mass_kg=lung_mass_kg or CONVENTIONAL_LUNG_MASS_KG,
        )
        found.append(cumulative)
    return found


def _normal_liver_constraint(request: PlanRequest, reaching: Reaching, masses: _Masses) -> Constraint | None:
    limit, ratio = request.normal_liver_dose_limit_gy, request.tumour_to_normal_ratio
    if limit is None or ratio is None or masses.tumour is None or masses.normal_liver is None:
        return None
    return limits.normal_liver_dose(
        reaching,
        limit_gy=limit,
        tumour_to_normal_ratio=ratio,
        tumour_mass_kg=masses.tumour,
        normal_liver_mass_kg=masses.normal_liver,
    )


def doses_of(
    activity: Decimal | None, request: PlanRequest, constants: Constants
) -> tuple[Decimal | None, AbsorbedDose]:
    """Activity in the lungs in GBq, and the dose of every compartment that is known, by an activity at injection."""
    reaching = _reaching(request, constants)
    if activity is None or reaching is None:
        return None, AbsorbedDose()
    masses, energy = _masses(request), constants.energy_per_activity_j_gbq
    in_lung, in_liver = activity * reaching.lung_share, activity * reaching.liver_share
    tumour, normal = _two_doses(request, energy, masses, in_liver)
    return in_lung, AbsorbedDose(
        tumour=tumour,
        normal_liver=normal,
        perfused=compartments.mean_dose_gy(in_liver, energy_per_activity_j_gbq=energy, mass_kg=masses.perfused),
        lung=compartments.mean_dose_gy(in_lung, energy_per_activity_j_gbq=energy, mass_kg=masses.lung),
    )


def _two_doses(
    request: PlanRequest, energy: Decimal, masses: _Masses, in_liver_gbq: Decimal
) -> tuple[Decimal | None, Decimal | None]:
    ratio = request.tumour_to_normal_ratio
    if ratio is None or masses.tumour is None or masses.normal_liver is None:
        return None, None
    normal = compartments.normal_liver_dose_gy(
        in_liver_gbq,
        energy_per_activity_j_gbq=energy,
        tumour_mass_kg=masses.tumour,
        normal_liver_mass_kg=masses.normal_liver,
        tumour_to_normal_ratio=ratio,
    )
    return (normal * ratio if masses.tumour > 0 else None), (normal if masses.normal_liver > 0 else None)


def _forbidding(controlling: str, request: PlanRequest) -> str:
    if controlling == "resin_shunt_reduction":
        return (
            f"not allowed: a lung shunt of {request.lung_shunt_fraction} is 0.20 or more, "
            "which resin microspheres must not be given with"
        )
    return (
        f"not allowed: the lungs have had {request.previous_lung_dose_gy} Gy "
        f"of {request.cumulative_lung_dose_limit_gy} Gy, and part of any activity would reach them"
    )


def _unique(sources: list[Citation]) -> tuple[Citation, ...]:
    return tuple(dict.fromkeys(sources))
