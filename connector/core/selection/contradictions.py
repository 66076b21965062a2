"""Facts that cannot be true together; with one of these, nothing is preferred and people look again."""

from dataclasses import dataclass
from decimal import Decimal

from connector.core.catalogue import Facts
from connector.core.rules import Condition, Values

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
    Contradiction(("histology", "rai_avid"), Facts.histology.among("MTC", "ATC") & Facts.rai_avid),
    # Refractory by progression despite avidity is possible: a board that reviewed the case has noted it.
    Contradiction(("rai_avid", "rai_refractory"), Facts.rai_avid & Facts.rai_refractory & ~Facts.mdt_review_done),
    Contradiction(("bone_lesion_count", "bone_only_disease"), Facts.bone_lesion_count.is_(0) & Facts.bone_only_disease),
    Contradiction(("new_lesions", "radiological_progression"), Facts.new_lesions & ~Facts.radiological_progression),
)


def contradicting(values: Values, mismatches: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """Names of all facts that contradict each other or what was computed from them, each once."""
    names = [name for facts in mismatches for name in facts]
    names += [name for row in CONTRADICTIONS if row.when.truth(values) is True for name in row.facts]
    if _tumour_is_smaller_than_its_largest_lesion(values):
        names += ["tumour_volume_ml", "liver_lesion_largest_diameter_mm"]
    if _tumour_is_larger_than_the_liver(values):
        names += ["tumour_volume_ml", "liver_volume_total_ml"]
    return tuple(dict.fromkeys(names))


def _tumour_is_smaller_than_its_largest_lesion(values: Values) -> bool:
    """Less than half of the sphere over the largest diameter: an elongated lesion has at least that."""
    volume_ml, diameter_mm = values.get("tumour_volume_ml"), values.get("liver_lesion_largest_diameter_mm")
    if not isinstance(volume_ml, (int, Decimal)) or not isinstance(diameter_mm, (int, Decimal)):
        return False
    sphere_ml = PI / 6 * Decimal(diameter_mm) ** 3 / 1000
    return 2 * volume_ml < sphere_ml


def _tumour_is_larger_than_the_liver(values: Values) -> bool:
    tumour_ml, liver_ml = values.get("tumour_volume_ml"), values.get("liver_volume_total_ml")
    return isinstance(tumour_ml, (int, Decimal)) and isinstance(liver_ml, (int, Decimal)) and tumour_ml > liver_ml
