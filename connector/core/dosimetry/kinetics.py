"""Fits retention over time and integrates it, because a dose is energy times all decays, not those of one image."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from connector.core.errors import BadCase

Vector = NDArray[np.float64]

# Points a model needs: two for each exponential.
POINTS_NEEDED = {"mono": 2, "bi": 4, "uptake_clearance": 4, "single_point": 1}
# Beyond this a phase is over before the first measurement can show it.
FASTEST_PER_H = 50.0
# How much slower than the nuclide decays a fit may fall by noise; more means decay-corrected values.
SLOWNESS_TOLERANCE = 0.05
# Two phases closer than this are one.
PHASES_APART = 1.02
# First guesses of two phases: the slow constant times the last hour, and the fast one over the slow.
SLOW_STARTS = (0.5, 1.5, 4.0)
APART_STARTS = (2.0, 6.0, 30.0)
# Least change of the sum of squares that is followed: near the precision of a double.
CONVERGED = 1e-15
# A phase is over when e to the minus this is left of it.
OVER = 7.0
# Decay at a bound is within this of it, relative.
AT_BOUND = 1e-6
WELL_COVERED_HALF_LIVES = 2
# How the free amplitudes make up the phases (slowest first): each its own, or one shared with opposite signs.
_MIXING: dict[str, Vector] = {
    "mono": np.array([[1.0]]),
    "bi": np.eye(2),
    "uptake_clearance": np.array([[1.0], [-1.0]]),
}


@dataclass(frozen=True, slots=True)
class Phase:
    """One exponential, amplitude e^(-decay_constant t); the amplitude has the samples' unit, negative for an uptake."""

    amplitude: float
    decay_constant_per_h: float

    @property
    def half_life_h(self) -> float:
        """Effective half-life in hours."""
        return float(np.log(2) / self.decay_constant_per_h)

    def integral_from(self, hours: float) -> float:
        """Area from `hours` to infinity, in the samples' unit times h."""
        return float(self.amplitude * np.exp(-self.decay_constant_per_h * hours) / self.decay_constant_per_h)


@dataclass(frozen=True, slots=True)
class Fit:
    """
    A fitted time course; areas are in the samples' unit times h.

    `phases` are ordered slowest first. `effective_half_life_h` is that of the slowest and None for a single point.
    `extrapolated_fraction` is the part of the area after the last sample. `standard_uncertainty` of the area comes from
    the covariance of the fit, None without a spare point.
    """

    model: str
    phases: tuple[Phase, ...]
    time_integrated: float
    effective_half_life_h: float | None
    extrapolated_fraction: float | None
    standard_uncertainty: float | None
    residuals: tuple[float, ...]
    warnings: tuple[str, ...]

    def at(self, hours: float) -> float:
        """The fitted value at a time."""
        return float(sum(phase.amplitude * np.exp(-phase.decay_constant_per_h * hours) for phase in self.phases))


def fit(
    hours: Sequence[float],
    values: Sequence[float],
    *,
    model: str,
    physical_half_life_h: float,
    weights: Sequence[float] | None = None,
) -> Fit:
    """
    Fit samples that were not corrected for decay, by least squares in the values.

    `model` is `mono`, `bi` (sum of two exponentials), `uptake_clearance` (A(e^-l1 t - e^-l2 t)) or `single_point`
    (2 t A / ln 2). No phase is slower than the nuclide decays. Raises BadCase for too few points, values out of order
    or below 0, and a course slower than physical decay.
    """
    times, measured = _checked(hours, values, model)
    if model == "single_point":
        return _single_point(times, measured)
    course = _Course(times, measured, np.sqrt(_weights(weights, len(times))), _MIXING[model])
    slowest = float(np.log(2) / physical_half_life_h)
    rates = _mono_rates(course, slowest) if model == "mono" else _two_rates(course, slowest)
    return _finished(model, course, rates, slowest)


def _checked(hours: Sequence[float], values: Sequence[float], model: str) -> tuple[Vector, Vector]:
    if len(values) < POINTS_NEEDED[model]:
        raise BadCase("samples", len(values), f"{model} needs {POINTS_NEEDED[model]} points or more: add later ones")
    if model == "single_point" and len(values) > 1:
        raise BadCase("samples", len(values), "single_point takes one sample: leave one, or fit mono")
    times, measured = np.array(hours, dtype=np.float64), np.array(values, dtype=np.float64)
    if (np.diff(times) <= 0).any() or times[0] < 0:
        raise BadCase("samples", list(hours), "hours must be 0 or more and rise from sample to sample: sort them")
    if (measured < 0).any():
        raise BadCase("samples", list(values), "a value below 0 cannot be: correct the background")
    if not measured.any():
        raise BadCase("samples", list(values), "all values are 0: there is nothing to fit")
    return times, measured


def _weights(weights: Sequence[float] | None, count: int) -> Vector:
    if weights is None:
        return np.ones(count)
    given = np.array(weights, dtype=np.float64)
    if len(given) != count or (given < 0).any() or np.count_nonzero(given) < POINTS_NEEDED["mono"]:
        raise BadCase("weights", list(weights), "give one weight of 0 or more for each sample, two of them above 0")
    return given


def _single_point(times: Vector, measured: Vector) -> Fit:
    """Hänscheid et al., J Nucl Med 2018;59:75: within 10 % when the sample lies at 0.75 to 2.5 effective half-lives."""
    if times[0] == 0:
        raise BadCase("samples", 0, "a single point at 0 h tells nothing: sample near one to two effective half-lives")
    area = float(2 * times[0] * measured[0] / np.log(2))
    warning = "one point: right within 10 % only if it was taken at 0.75 to 2.5 effective half-lives"
    return Fit("single_point", (), area, None, None, None, (0.0,), (warning,))


def _decays(times: Vector, rates: Vector) -> Vector:
    return np.asarray(np.exp(-np.outer(times, rates)))


def _amplitudes(basis: Vector, measured: Vector, root_weights: Vector) -> Vector:
    """Best amplitudes for given decay constants: the linear half of the problem (variable projection)."""
    return np.asarray(np.linalg.lstsq(basis * root_weights[:, None], measured * root_weights, rcond=None)[0])


@dataclass(frozen=True, slots=True, eq=False)
class _Course:
    """The samples and the way the free amplitudes make up the phases."""

    times: Vector
    measured: Vector
    root_weights: Vector
    mixing: Vector

    def residuals(self, rates: Vector) -> Vector:
        """Weighted misfit at these decay constants with the best amplitudes for them."""
        basis = _decays(self.times, rates) @ self.mixing
        found = basis @ _amplitudes(basis, self.measured, self.root_weights)
        return np.asarray((found - self.measured) * self.root_weights)

    def phase_amplitudes(self, rates: Vector) -> Vector:
        """Amplitude of every phase at these decay constants."""
        free = _amplitudes(_decays(self.times, rates) @ self.mixing, self.measured, self.root_weights)
        return np.asarray(self.mixing @ free)


def _mono_rates(course: _Course, slowest: float) -> Vector:
    """
    Decay constant of one exponential.

    It is left free to rise, so that a rising or decay-corrected course is seen instead of bent; what lies below the
    nuclide's constant is refused, or held at it when noise explains it.
    """
    start = np.array([1 / course.times[-1]])
    solved = scipy.optimize.least_squares(
        course.residuals,
        start,
        bounds=(-1.0, FASTEST_PER_H),
        x_scale=start,
        ftol=CONVERGED,
        xtol=CONVERGED,
        gtol=CONVERGED,
    )
    if solved.x[0] < slowest * (1 - SLOWNESS_TOLERANCE):
        raise BadCase(
            "samples",
            course.measured.tolist(),
            "the values fall more slowly than the nuclide decays: give them without decay correction",
        )
    return np.maximum(solved.x, slowest)


def _two_rates(course: _Course, slowest: float) -> Vector:
    """Decay constants of two exponentials, slower first; several starts, for the misfit has more than one valley."""

    def residuals(logarithms: Vector) -> Vector:
        return course.residuals(np.exp(logarithms))

    bounds = (np.log(slowest), np.log(FASTEST_PER_H))
    best: Vector = np.empty(0)
    least = np.inf
    for start in _starts(slowest, course.times[-1]):
        solved = scipy.optimize.least_squares(
            residuals,
            np.log(start),
            bounds=bounds,
            ftol=CONVERGED,
            xtol=CONVERGED,
            gtol=CONVERGED,
        )
        if solved.cost < least:
            best, least = solved.x, solved.cost
    return np.sort(np.exp(best))


def _starts(slowest: float, last_hours: float) -> list[Vector]:
    low, high = slowest * PHASES_APART, FASTEST_PER_H / PHASES_APART
    slow = [np.clip(factor / last_hours, low, high) for factor in SLOW_STARTS]
    return [np.array([rate, np.clip(rate * apart, low, high)]) for rate in slow for apart in APART_STARTS]


def _finished(model: str, course: _Course, rates: Vector, slowest: float) -> Fit:
    amplitudes = course.phase_amplitudes(rates)
    phases = tuple(Phase(float(height), float(rate)) for height, rate in zip(amplitudes, rates, strict=True))
    area = sum(phase.integral_from(0) for phase in phases)
    after = sum(phase.integral_from(float(course.times[-1])) for phase in phases)
    if not area > 0:
        raise BadCase("samples", course.measured.tolist(), f"{model} does not describe these values: try another model")
    modelled = _decays(course.times, rates) @ amplitudes
    return Fit(
        model=model,
        phases=phases,
        time_integrated=area,
        effective_half_life_h=phases[0].half_life_h,
        extrapolated_fraction=after / area,
        standard_uncertainty=_uncertainty(course, rates, amplitudes),
        residuals=tuple(float(value) for value in course.measured - modelled),
        warnings=tuple(_warnings(model, course, phases, slowest)),
    )


def _uncertainty(course: _Course, rates: Vector, amplitudes: Vector) -> float | None:
    """Standard uncertainty of the area: covariance of all parameters, carried through sum of amplitude over rate."""
    decays = _decays(course.times, rates)
    by_amplitude = decays @ course.mixing
    by_rate = -course.times[:, None] * decays * amplitudes
    jacobian = np.hstack([by_amplitude, by_rate]) * course.root_weights[:, None]
    spare = np.count_nonzero(course.root_weights) - jacobian.shape[1]
    if spare <= 0:
        return None
    misfit = (course.measured - decays @ amplitudes) * course.root_weights
    gradient = np.concatenate([course.mixing.T @ (1 / rates), -amplitudes / rates**2])
    covariance = np.linalg.pinv(jacobian.T @ jacobian) * float(misfit @ misfit) / spare
    return float(np.sqrt(max(gradient @ covariance @ gradient, 0.0)))


def _first_hours(course: _Course) -> float:
    """First sample after the administration itself."""
    return float(course.times[course.times > 0][0])


def _warnings(model: str, course: _Course, phases: tuple[Phase, ...], slowest: float) -> Iterator[str]:
    slow = phases[0]
    if slow.decay_constant_per_h <= slowest * (1 + AT_BOUND):
        yield "the slowest phase falls no faster than the nuclide decays: check that values are not decay-corrected"
    if model == "bi" and min(phase.amplitude for phase in phases) < 0:
        yield "one phase of the sum is below 0, so the course rises first: fit uptake_clearance instead"
    if len(phases) > 1 and phases[-1].decay_constant_per_h * _first_hours(course) > OVER:
        yield "the fast phase is over before the first sample: its half-life cannot be told, the area can"
    if course.times[-1] < WELL_COVERED_HALF_LIVES * slow.half_life_h:
        yield (
            f"the last sample at {course.times[-1]:g} h lies within two effective half-lives "
            f"({slow.half_life_h:.3g} h): much of the area is extrapolated"
        )
