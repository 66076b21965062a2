"""How far a planned activity and its doses may be from the true ones, from what is known of everything they rest on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal

from connector.core.dosimetry.constants import Constants
from connector.core.dosimetry.limits import SHUNT_STEPS
from connector.core.dosimetry.plan import AbsorbedDose, Plan, doses_of, plan
from connector.core.dosimetry.ranges import check_uncertainty
from connector.core.dosimetry.request import PlanRequest
from connector.core.dosimetry.territories import Treatment, doses_of_all, plan_territories
from connector.core.errors import BadCase
from connector.core.evidence import Citation

SOURCE = Citation("JCGM 100:2008 (GUM)", "5.1.2, uncorrelated inputs; first order")
# Two standard uncertainties each way hold about 95 % when no single input rules.
COVERAGE = Decimal(2)
# Half-lives and mean energies in print give 49.384 to 49.970 J/GBq for Y-90: an even chance over that range.
PRINTED_J_GBQ = (Decimal("49.384"), Decimal("49.970"))
CONSTANTS_FRACTION = round((PRINTED_J_GBQ[1] - PRINTED_J_GBQ[0]) / 2 / Decimal(3).sqrt() / PRINTED_J_GBQ[0], 4)
# Relative step of the derivatives: far below every digit that is shown, far above the last of 28.
STEP = Decimal("1E-9")
# No slope of a method reaches this change by so small a step: where it is more, the method itself has a step.
SMOOTH = Decimal("1E-4")
MOST_SHUNT = Decimal("0.999")

_VOLUMES = ("tumour_mass_kg", "normal_liver_mass_kg", "perfused_mass_kg", "tumour_volume_ml", "liver_volume_ml",
            "treated_volume_ml", "treated_tumour_volume_ml")  # fmt: skip
Outputs = Mapping[str, Decimal | None]
Requests = Sequence[PlanRequest]
Side = tuple[tuple[Requests, Constants], Decimal]  # moved, and by which part


@dataclass(frozen=True, slots=True)
class RelativeUncertainty:
    """Relative standard uncertainties (0.1 is 10 %) of what a dose is made of; 0 where nothing is known."""

    volume: Decimal = Decimal(0)
    ratio: Decimal = Decimal(0)
    shunt: Decimal = Decimal(0)
    lung_mass: Decimal = Decimal(0)
    calibration: Decimal = Decimal(0)
    constants: Decimal = CONSTANTS_FRACTION

    def __post_init__(self) -> None:
        """Raise BadCase for one that is no fraction."""
        for field in self.__slots__:
            check_uncertainty(f"{field}_uncertainty_fraction", getattr(self, field))


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with the interval of two standard uncertainties each way, not below 0."""

    value: Decimal
    low: Decimal
    high: Decimal


def interval(value: Decimal, variance: Decimal) -> Interval:
    """The value with `COVERAGE` standard uncertainties each way; the variance has the value's unit squared."""
    spread = COVERAGE * variance.sqrt()
    return Interval(value, max(value - spread, Decimal(0)), value + spread)


def activity_interval(
    request: PlanRequest, constants: Constants, known: RelativeUncertainty, made: Plan
) -> Interval | None:
    """
    The planned activity in GBq, as far as volumes, ratio, shunt, lung mass and constants leave it open.

    The calibration is not in it: it is of what is drawn up, and enters the doses. None when nothing may be given.
    """
    if made.activity_gbq is None:
        return None

    def activity(asked: Requests, by: Constants) -> Decimal | None:
        return plan(asked[0], by).activity_gbq

    return _with_steps(activity, [request], constants, known)


def _with_steps(
    activity: Callable[[Requests, Constants], Decimal | None],
    requests: Requests,
    constants: Constants,
    known: RelativeUncertainty,
) -> Interval:
    """
    An activity by its slopes, and on the far side of every step of the method that the inputs may have passed.

    Steps have no slope to propagate: an involvement or a shunt near one of them may belong to either side.
    """
    smooth = _intervals(lambda asked, by: {"activity": activity(asked, by)}, requests, constants, known)["activity"]
    beyond = [activity(asked, constants) or Decimal(0) for asked in _beyond_steps(requests, known)]
    relative = (smooth.high - smooth.value) / smooth.value
    low, high = min([smooth.value, *beyond]), max([smooth.value, *beyond])
    return Interval(smooth.value, max(low * (1 - relative), Decimal(0)), high * (1 + relative))


def _beyond_steps(requests: Requests, known: RelativeUncertainty) -> Iterator[Requests]:
    """The requests with involvement, or shunt, at either end of what is known of it."""
    for sign in (-1, 1):
        if requests[0].method == "empiric":
            involved = 1 + sign * COVERAGE * Decimal(2).sqrt() * known.volume
            yield [
                replace(
                    request,
                    tumour_volume_ml=min(max(involved, Decimal(0)) * (request.tumour_volume_ml or 0), _liver(request)),
                    treated_tumour_volume_ml=None,
                )
                for request in requests
            ]
        shunt = requests[0].lung_shunt_fraction
        if shunt is not None and requests[0].device == "resin" and requests[0].method in {"empiric", "bsa"}:
            end = min(max(shunt * (1 + sign * COVERAGE * known.shunt), Decimal(0)), MOST_SHUNT)
            if _steps_passed(end) != _steps_passed(shunt):
                yield [replace(request, lung_shunt_fraction=end) for request in requests]


def _liver(request: PlanRequest) -> Decimal:
    return request.liver_volume_ml or Decimal(0)


def _steps_passed(shunt: Decimal) -> int:
    return sum(shunt >= step for step, _ in SHUNT_STEPS)


def dose_intervals(
    activity_gbq: Decimal | None, request: PlanRequest, constants: Constants, known: RelativeUncertainty
) -> Mapping[str, Interval]:
    """The doses in Gy of one activity at injection, by compartment; those that are not known are left out."""

    def doses(asked: Requests, by: Constants) -> Outputs:
        return _by_compartment(doses_of(activity_gbq, asked[0], by)[1])

    return _intervals(doses, [request], constants, known, proportional=known.calibration)


def treatment_intervals(
    treatment: Treatment, constants: Constants, known: RelativeUncertainty
) -> tuple[Interval | None, Mapping[str, Interval]]:
    """
    The activity of all territories together, and the doses of what each gets, as `activity_interval` and its like.

    One scan, one reader and one method measured all territories: an input is taken to be off in all of them alike,
    which is the widest. None and nothing when nothing may be given.
    """
    if treatment.activity_gbq is None:
        return None, {}
    names = [each.name for each in treatment.territories]
    activities = [each.activity_gbq for each in treatment.territories]

    def activity(asked: Requests, by: Constants) -> Decimal | None:
        return plan_territories(dict(zip(names, asked, strict=True)), by).activity_gbq

    def doses(asked: Requests, by: Constants) -> Outputs:
        given = {name: (one, gbq) for name, one, gbq in zip(names, asked, activities, strict=True)}
        return _by_compartment(doses_of_all(given, by))

    requests = [each.request for each in treatment.territories]
    return _with_steps(activity, requests, constants, known), _intervals(
        doses, requests, constants, known, proportional=known.calibration
    )


def _by_compartment(dose: AbsorbedDose) -> Outputs:
    return {"tumour": dose.tumour, "normal_liver": dose.normal_liver, "perfused": dose.perfused, "lung": dose.lung}


def _intervals(
    outputs: Callable[[Requests, Constants], Outputs],
    requests: Requests,
    constants: Constants,
    known: RelativeUncertainty,
    proportional: Decimal = Decimal(0),
) -> Mapping[str, Interval]:
    """Propagate to first order, one input at a time; `proportional` enters every output once."""
    values = {name: value for name, value in outputs(requests, constants).items() if value is not None}
    variances = {name: (proportional * value) ** 2 for name, value in values.items()}
    for sides, relative in _moves(requests, constants, known):
        after, step = _after(outputs, values, sides)
        for name, value in values.items():
            slope = ((after[name] or Decimal(0)) - value) / step
            variances[name] += (slope * relative) ** 2
    return {name: interval(value, variances[name]) for name, value in values.items()}


def _after(
    outputs: Callable[[Requests, Constants], Outputs], values: Mapping[str, Decimal], sides: Iterator[Side]
) -> tuple[Outputs, Decimal]:
    """The outputs after a move to the first side on which no step of the method lies; unmoved when there is none."""
    for moved, step in sides:
        after = outputs(*moved)
        if all(
            not value or abs((after[name] or Decimal(0)) - value) <= SMOOTH * value for name, value in values.items()
        ):
            return after, step
    return values, STEP


def _moves(
    requests: Requests, constants: Constants, known: RelativeUncertainty
) -> Iterator[tuple[Iterator[Side], Decimal]]:
    """Each uncertain input: how it is moved by a small part of itself to either side, and its uncertainty."""
    inputs = [
        *((field, known.volume) for field in _VOLUMES),
        ("tumour_to_normal_ratio", known.ratio),
        ("lung_shunt_fraction", known.shunt),
        ("lung_mass_kg", known.lung_mass),
    ]
    for field, relative in inputs:
        if relative and any(getattr(request, field) for request in requests):
            yield _moved(requests, field, constants), relative
    more = replace(
        constants,
        energy_per_activity_j_gbq=constants.energy_per_activity_j_gbq * (1 + STEP),
        prescription_energy_per_activity_j_gbq=constants.prescription_energy_per_activity_j_gbq * (1 + STEP),
    )
    yield iter([((requests, more), STEP)]), known.constants


def _moved(requests: Requests, field: str, constants: Constants) -> Iterator[Side]:
    """A part is made smaller first; a whole that its parts fill already can only be made larger."""
    for step in (-STEP, STEP):
        with suppress(BadCase):
            yield (
                (
                    [
                        request
                        if (value := getattr(request, field)) is None
                        else replace(request, **{field: value * (1 + step)})
                        for request in requests
                    ],
                    constants,
                ),
                step,
            )
