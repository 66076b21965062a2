"""Facts that cannot be true together; with one of these, nothing is preferred and people look again."""

from dataclasses import dataclass
from decimal import Decimal

from connector.core.catalogue import Facts
from connector.core.rules import Condition, Values
from connector.core.selection.freshness import STALE
from connector.core.selection.liver_function import CHILD_PUGH_PARTS

PI = Decimal("3.14159265358979")


@dataclass(frozen=True, slots=True)
class Contradiction:
    """`facts` contradict each other when `when` holds."""

    facts: tuple[str, ...]
    when: Condition


CONTRADICTIONS: tuple[Contradiction, ...] = (
    Contradiction(
        ("ecog_ps", "performance_status_class"),
        ((Facts.ecog_ps >= 3) & Facts.performance_status_class.is_("good"))
        | (Facts.ecog_ps.is_(0) & Facts.performance_status_class.is_("poor")),
    ),
    # One lesion across the midline is possible, and then somebody says so by correcting the count or the lobes.
    Contradiction(
        ("liver_lesion_count", "liver_lobes_involved"),
        Facts.liver_lesion_count.is_(1) & Facts.liver_lobes_involved.is_("bilobar"),
    ),
    Contradiction(
        ("child_pugh_score", "clinical_liver_failure"),
        (Facts.child_pugh_score <= 6) & Facts.clinical_liver_failure,
    ),
    Contradiction(
        ("child_pugh_score", "liver_insufficiency_severe"),
        (Facts.child_pugh_score <= 6) & Facts.liver_insufficiency_severe,
    ),
    Contradiction(
        ("extrahepatic_disease_status", "extrahepatic_sites"),
        Facts.extrahepatic_disease_status.is_("none") & (Facts.extrahepatic_site_count >= 1),
    ),
    Contradiction(
        ("extrahepatic_disease_status", "bone_lesion_count"),
        Facts.extrahepatic_disease_status.is_("none") & (Facts.bone_lesion_count >= 1),
    ),
    Contradiction(
        ("extrahepatic_disease_status", "lung_lesion_count"),
        Facts.extrahepatic_disease_status.is_("none") & (Facts.lung_lesion_count >= 1),
    ),
    Contradiction(
        ("liver_lesion_count", "bone_only_disease"), (Facts.liver_lesion_count >= 1) & Facts.bone_only_disease
    ),
    Contradiction(("lung_lesion_count", "bone_only_disease"), (Facts.lung_lesion_count >= 1) & Facts.bone_only_disease),
    Contradiction(
        ("liver_lesion_count", "liver_lesion_largest_diameter_mm"),
        Facts.liver_lesion_count.is_(0) & (Facts.liver_lesion_largest_diameter_mm > 0),
    ),
    Contradiction(("histology", "rai_avid"), Facts.histology.among("MTC", "ATC") & Facts.rai_avid),
    # Refractory by progression despite avidity is possible: a board that reviewed the case has noted it.
    Contradiction(("rai_avid", "rai_refractory"), Facts.rai_avid & Facts.rai_refractory & ~Facts.mdt_review_done),
    Contradiction(("bone_lesion_count", "bone_only_disease"), Facts.bone_lesion_count.is_(0) & Facts.bone_only_disease),
    Contradiction(("liver_imaging_after_today",), Facts.liver_imaging_after_today),
    Contradiction(("new_lesions", "radiological_progression"), Facts.new_lesions & ~Facts.radiological_progression),
)

# The first is a part of the second; the smallest sum of diameters may be that of the baseline.
NO_LARGER = (
    ("tumour_volume_ml", "liver_volume_total_ml"),
    ("recist_sum_nadir_mm", "recist_sum_baseline_mm"),
    ("liver_lesions_planned_count", "liver_lesion_count"),
)


def contradicting(values: Values, mismatches: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """Names of all facts that contradict each other or what was computed from them, each once."""
    names = [name for facts in mismatches for name in facts]
    names += [name for row in CONTRADICTIONS if row.when.truth(values) is True for name in row.facts]
    names += _score_that_its_parts_cannot_make(values)
    if _tumour_is_smaller_than_its_largest_lesion(values):
        names += ["tumour_volume_ml", "liver_lesion_largest_diameter_mm"]
    for smaller, larger in NO_LARGER:
        if _exceeds(values, smaller, larger):
            names += [smaller, larger]
    return tuple(dict.fromkeys(names))


def _tumour_is_smaller_than_its_largest_lesion(values: Values) -> bool:
    """Less than half of the sphere over the largest diameter: an elongated lesion has at least that."""
    volume_ml, diameter_mm = values.get("tumour_volume_ml"), values.get("liver_lesion_largest_diameter_mm")
    if not isinstance(volume_ml, (int, Decimal)) or not isinstance(diameter_mm, (int, Decimal)):
        return False
    sphere_ml = PI / 6 * Decimal(diameter_mm) ** 3 / 1000
    return 2 * volume_ml < sphere_ml


def _score_that_its_parts_cannot_make(values: Values) -> list[str]:
    """A stated Child-Pugh score outside what its known parts allow, while the others may count 1 to 3 points each."""
    score = values.get("child_pugh_score")
    known = {name: points(values[name]) for name, points in CHILD_PUGH_PARTS.items() if name in values}
    if not isinstance(score, int) or not known or STALE.truth(values):
        return []
    points, unknown = sum(known.values()), len(CHILD_PUGH_PARTS) - len(known)
    return [] if points + unknown <= score <= points + 3 * unknown else ["child_pugh_score", *known]


def _exceeds(values: Values, smaller: str, larger: str) -> bool:
    part, whole = values.get(smaller), values.get(larger)
    return isinstance(part, (int, Decimal)) and isinstance(whole, (int, Decimal)) and part > whole
