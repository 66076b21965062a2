"""Facts that follow from other facts, computed in plain Python and compared with what was given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connector.core.case import FactValue
from connector.core.dosimetry.compartments import mean_dose_gy
from connector.core.dosimetry.constants import constants_for
from connector.core.response.recist_1_1 import RECIST_1_1, progressed
from connector.core.rules import Condition, Values
from connector.core.selection import liver_function
from connector.core.selection.freshness import SCORE_STALE, STALE
from connector.core.vocabulary import DIFFERENTIATED

ANTI_VEGF = {"vandetanib": True, "cabozantinib": True, "lenvatinib": True, "sorafenib": True, "none": False}
LEFT_SEGMENTS = frozenset({"II", "III", "IVa", "IVb"})
RIGHT_SEGMENTS = frozenset({"V", "VI", "VII", "VIII"})  # segment I drains by itself and belongs to neither side
SEVERE_CHILD_PUGH = 10
BURDEN_TOLERANCE_POINTS = Decimal(2)
LUNG_DOSE_TOLERANCE = Decimal("0.01")
ENERGY = constants_for().energy_per_activity_j_gbq


@dataclass(frozen=True, slots=True)
class Derivation:
    """
    One computed fact.

    `compute` takes the inputs by position and gives None when they do not decide. `agrees` compares (given, computed);
    None keeps a given value without comparing, because it may rest on more than the inputs. While `unless` holds, the
    inputs are no longer good enough to compute anything from.
    """

    name: str
    inputs: tuple[str, ...]
    compute: Callable[..., Any]
    agrees: Callable[[Any, Any], bool] | None
    unless: Condition | None = None


@dataclass(frozen=True, slots=True)
class Completed:
    """Values with everything that follows from them, and the facts of every given value that does not follow."""

    values: Mapping[str, FactValue]
    mismatches: tuple[tuple[str, ...], ...]


def complete(given: Values) -> Completed:
    """
    Compute what the given facts decide; a given value stays, and a mismatch is reported.

    A stated Child-Pugh score that is too old is not used. What it or the old parts came to stays known, so that they
    do not open what they closed.
    """
    values = dict(given)
    if SCORE_STALE.truth(values):
        values.pop("child_pugh_score", None)
    mismatches: list[tuple[str, ...]] = []
    for row in DERIVATIONS:
        inputs = [values.get(name) for name in row.inputs]
        if None in inputs or (row.unless is not None and row.unless.truth(values)):
            continue
        computed = row.compute(*inputs)
        if computed is None:
            continue
        if row.name not in values:
            values[row.name] = computed
        elif row.agrees is not None and not row.agrees(values[row.name], computed):
            mismatches.append((row.name, *row.inputs))
    values["child_pugh_known"] = "child_pugh_score" in values
    outdated = outdated_child_pugh_score(given)
    if outdated is not None:
        values["outdated_child_pugh_score"] = outdated
    return Completed(values, tuple(mismatches))


def add_sums(values: dict[str, FactValue]) -> None:
    """Add the arithmetic that conditions compare (`catalogue.Sums`), as far as its inputs are there."""
    for name, inputs, compute in SUMS:
        numbers = [values.get(item) for item in inputs]
        if None not in numbers:
            values[name] = compute(*numbers)


def outdated_child_pugh_score(given: Values) -> int | None:
    """The higher of a stated score that is too old and of what parts that are too old come to, None without either."""
    stated, parts = given.get("child_pugh_score"), [given.get(name) for name in liver_function.CHILD_PUGH_PARTS]
    found = [stated] if isinstance(stated, int) and SCORE_STALE.truth(given) else []
    if STALE.truth(given) and None not in parts:
        found.append(liver_function.child_pugh_score(*parts))
    return max(found, default=None)


def lobes(segments: frozenset[str]) -> str | None:
    """Unilobar or bilobar from Couinaud segments; None when the caudate lobe alone is involved."""
    left, right = bool(segments & LEFT_SEGMENTS), bool(segments & RIGHT_SEGMENTS)
    if left and right:
        return "bilobar"
    return "unilobar" if left or right else None


def burden_percent(tumour_volume_ml: Decimal, liver_volume_ml: Decimal) -> Decimal | None:
    """Tumour over whole-liver volume (tumour included) in percent; None when the tumour would not fit."""
    burden = 100 * Decimal(tumour_volume_ml) / Decimal(liver_volume_ml)
    return burden if burden <= 100 else None


def progression_pattern(lesion_count: int, sites: frozenset[str]) -> str | None:
    """The pattern of progression from how many lesions grow and where; None when the two do not fit."""
    if bool(lesion_count) != bool(sites) or lesion_count < len(sites):
        return None
    if not lesion_count:
        return "none"
    if len(sites) > 1:
        return "multi_organ"
    return "single_lesion" if lesion_count == 1 else "oligo_single_organ"


def predicted_lung_dose_gy(activity_gbq: Decimal, shunt_fraction: Decimal, lung_mass_kg: Decimal) -> Decimal | None:
    """Mean lung dose of a prescribed activity, with the same constants as `dose plan`."""
    return mean_dose_gy(
        Decimal(activity_gbq) * shunt_fraction, energy_per_activity_j_gbq=ENERGY, mass_kg=Decimal(lung_mass_kg)
    )


def marker_trend(histology: str, doubling_time_months: Decimal) -> str | None:
    """Calcitonin that doubles at all is rising; one that does not may be stable or falling."""
    return "rising" if histology == "MTC" and doubling_time_months.is_finite() else None


def _tg_trend(histology: str, trend: str) -> str | None:
    return trend if histology in DIFFERENTIATED else None


def _severe_from_child_pugh(score: int) -> bool | None:
    """Class C is severe; a lower class does not say that liver function is sufficient."""
    return True if score >= SEVERE_CHILD_PUGH else None


def _severe_from_class(child_pugh_class: str) -> bool | None:
    return True if child_pugh_class == "C" else None


def _progressed(current_mm: Decimal, nadir_mm: Decimal) -> bool:
    return progressed(current_mm=current_mm, nadir_mm=nadir_mm, criteria=RECIST_1_1)


def _same(given: object, computed: object) -> bool:
    return given == computed


def _close_burden(given: Decimal, computed: Decimal) -> bool:
    return abs(given - computed) <= BURDEN_TOLERANCE_POINTS


def _close_lung_dose(given: Decimal, computed: Decimal) -> bool:
    return abs(given - computed) <= LUNG_DOSE_TOLERANCE * computed


DERIVATIONS = (
    Derivation("liver_lobes_involved", ("liver_segments_involved",), lobes, _same),
    Derivation("liver_lesion_count", ("liver_lesion_diameters_mm",), len, _same),
    Derivation(
        "liver_lesion_largest_diameter_mm",
        ("liver_lesion_diameters_mm",),
        lambda all_mm: max(all_mm, default=None),
        _same,
    ),
    Derivation(
        "liver_tumour_burden_percent", ("tumour_volume_ml", "liver_volume_total_ml"), burden_percent, _close_burden
    ),
    Derivation("extrahepatic_site_count", ("extrahepatic_sites",), len, _same),
    Derivation(
        "child_pugh_score",
        tuple(liver_function.CHILD_PUGH_PARTS),
        liver_function.child_pugh_score,
        _same,
        unless=STALE,
    ),
    Derivation("liver_insufficiency_severe", ("child_pugh_class",), _severe_from_class, _same),
    Derivation("child_pugh_class", ("child_pugh_score",), liver_function.child_pugh_class, _same),
    Derivation("liver_insufficiency_severe", ("child_pugh_score",), _severe_from_child_pugh, _same),
    Derivation(
        "albi_grade",
        ("bilirubin_total_umol_l", "albumin_g_l"),
        lambda bilirubin, albumin: liver_function.albi_grade(bilirubin_umol_l=bilirubin, albumin_g_l=albumin),
        _same,
        unless=STALE,
    ),
    Derivation(
        "egfr_ml_min_1_73m2",
        ("creatinine_umol_l", "age_years", "sex"),
        lambda creatinine, age, sex: liver_function.egfr_ml_min_1_73m2(
            creatinine_umol_l=creatinine, age_years=Decimal(age), sex=sex
        ),
        None,
    ),
    Derivation("progression_pattern", ("progressing_lesion_count", "progressing_sites"), progression_pattern, _same),
    Derivation("systemic_therapy_anti_vegf", ("systemic_therapy_current",), ANTI_VEGF.get, _same),
    Derivation("rai_refractory", ("rai_refractory_criteria",), bool, _same),
    Derivation("rai_cumulative_activity_mci", ("rai_administrations_mci",), sum, _same),
    Derivation(
        "predicted_lung_dose_gy",
        ("prescribed_activity_gbq", "lung_shunt_fraction", "lung_mass_kg"),
        predicted_lung_dose_gy,
        _close_lung_dose,
    ),
    Derivation("marker_trend", ("histology", "tg_trend"), _tg_trend, None),
    Derivation("marker_trend", ("histology", "calcitonin_doubling_time_months"), marker_trend, None),
)

SUMS: tuple[tuple[str, tuple[str, ...], Callable[..., Any]], ...] = (
    (
        "cumulative_lung_dose_gy",
        ("predicted_lung_dose_gy", "prior_lung_dose_gy"),
        lambda predicted, prior: predicted + prior,
    ),
    (
        "lung_activity_gbq",
        ("lung_shunt_fraction", "prescribed_activity_gbq"),
        lambda shunt, activity: shunt * activity,
    ),
    (
        "rai_total_activity_mci",
        ("rai_cumulative_activity_mci", "rai_planned_activity_mci"),
        lambda before, planned: before + planned,
    ),
    (
        "recist_shrunk_by_30_percent",
        ("recist_sum_current_mm", "recist_sum_baseline_mm"),
        lambda current, baseline: 10 * current <= 7 * baseline,
    ),
    ("recist_grown_by_20_percent_and_5_mm", ("recist_sum_current_mm", "recist_sum_nadir_mm"), _progressed),
)
