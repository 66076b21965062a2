"""Which facts an option must have before it may be offered; without one, the answer is "cannot decide: needs it"."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from connector.core.catalogue import Facts, Sums
from connector.core.fact_types import Fact
from connector.core.rules import ALWAYS, AnyOf, Condition, Rule, Values
from connector.core.selection.freshness import SCORE_STALE, STALE
from connector.core.selection.liver_function import CLASS_B_MOST
from connector.core.vocabulary import (
    ABLATION,
    BONE_LOCOREGIONAL,
    INVASIVE,
    LIVER_LOCOREGIONAL,
    LOCOREGIONAL,
    MODALITIES,
    Modality,
)


@dataclass(frozen=True, slots=True)
class Need:
    """`options` need `fact` wherever `when` holds, unless the fact `instead` was given."""

    fact: str
    options: tuple[Modality, ...]
    when: Condition = ALWAYS
    instead: str | None = None


def _need(fact: Fact, options: tuple[Modality, ...], when: Condition = ALWAYS, *, instead: Fact | None = None) -> Need:
    return Need(fact.name, options, when, instead.name if instead else None)


EVERY_TREATMENT = tuple(modality for modality in MODALITIES if modality != "board_only")
ARTERIAL: tuple[Modality, ...] = ("TACE", "TAE", "TARE", "ablation_plus_TACE")
ABLATION_ALONE_OR_COMBINED: tuple[Modality, ...] = (*ABLATION, "ablation_plus_TACE")
MAY_HIDE_PHEOCHROMOCYTOMA = Facts.histology.is_("MTC") | Facts.men2_status.among("men2a", "men2b")

ELIGIBILITY: tuple[Need, ...] = (
    _need(Facts.histology, EVERY_TREATMENT),
    _need(Facts.coagulopathy_status, INVASIVE),
    _need(Facts.pheochromocytoma_status, LOCOREGIONAL, MAY_HIDE_PHEOCHROMOCYTOMA),
    _need(Facts.pregnancy_status, ("TARE", "RAI")),
    # Liver
    _need(Facts.liver_lesion_count, (*LIVER_LOCOREGIONAL, "surgery")),
    _need(Facts.extrahepatic_disease_status, LIVER_LOCOREGIONAL),
    _need(Facts.liver_insufficiency_severe, LIVER_LOCOREGIONAL),
    _need(Facts.performance_status_class, (*ABLATION_ALONE_OR_COMBINED, "TACE", "TARE")),
    _need(Facts.surgical_candidate, ("surgery",), Facts.resection_feasible),
    _need(Facts.resection_feasible, ("surgery",)),
    _need(Facts.liver_lobes_involved, ("surgery",), ~Facts.resection_feasible),
    _need(Facts.liver_lesion_largest_diameter_mm, ABLATION_ALONE_OR_COMBINED),
    _need(Facts.liver_lesion_at_hilum, ABLATION_ALONE_OR_COMBINED),
    _need(Facts.liver_lesion_near_bile_duct, ABLATION_ALONE_OR_COMBINED),
    _need(Facts.liver_lesion_near_critical_structure, ABLATION_ALONE_OR_COMBINED),
    _need(Facts.liver_lesion_hypervascular, ("TACE", "TAE", "ablation_plus_TACE")),
    _need(Facts.renal_failure, ARTERIAL),
    _need(Facts.contrast_media_allergy, ARTERIAL),
    _need(Facts.life_expectancy_months, ("TARE",)),
    _need(Facts.clinical_liver_failure, ("TARE",)),
    _need(Facts.child_pugh_score, ("TARE",)),
    # Parts that are too old may have spoken against it: to refuse them must not open what they closed.
    _need(Facts.child_pugh_score, ("TACE", "TAE", "ablation_plus_TACE"), STALE | SCORE_STALE),
    _need(Facts.child_pugh_score, (*ABLATION, "surgery"), Sums.outdated_child_pugh_score > CLASS_B_MOST),
    _need(Facts.portal_vein_thrombosis, ("TARE",)),
    _need(Facts.liver_tumour_burden_percent, ("TARE",)),
    _need(Facts.liver_imaging_age_days, ("TARE",)),
    _need(Facts.prior_lung_dose_gy, ("TARE",), Facts.prior_lrt_modalities.has("TARE")),
    # Radioiodine
    _need(Facts.rai_refractory, ("RAI",)),
    _need(Facts.rai_avid, ("RAI",)),
    _need(Facts.rai_cumulative_activity_mci, ("RAI",)),
    _need(Facts.rai_planned_activity_mci, ("RAI",)),
    # Lung
    _need(Facts.lung_lesion_count, ("lung_RFA",)),
    _need(Facts.lung_lesion_largest_diameter_mm, ("lung_RFA",)),
    _need(Facts.lung_pattern, ("lung_RFA",)),
    _need(Facts.disease_tempo, ("lung_RFA",)),
    # Bone
    _need(Facts.bone_lesion_count, BONE_LOCOREGIONAL),
    _need(Facts.bone_lesion_lytic, ("cementoplasty",)),
    _need(Facts.bone_lesion_mechanical_stress, ("bone_ablation",)),
    _need(Facts.bone_lesion_mechanical_stress, ("cementoplasty",), Facts.bone_fracture_status.is_("none")),
    _need(Facts.bone_fracture_status, ("cementoplasty", "osteosynthesis")),
)

PRESCRIBED = Facts.prescribed_activity_gbq > 0
# A prescription lacks these; a contraindication that is already known is still said first.
PRESCRIPTION: tuple[Need, ...] = (
    _need(Facts.lung_shunt_fraction, ("TARE",), PRESCRIBED),
    _need(Facts.lung_mass_kg, ("TARE",), PRESCRIBED, instead=Facts.predicted_lung_dose_gy),
    _need(Facts.extrahepatic_deposition_on_maa, ("TARE",), PRESCRIBED),
)

BY_BODY_SURFACE = Facts.activity_method.is_("bsa")
BY_PARTITION = Facts.activity_method.is_("partition")
BY_PERFUSED_MASS = Facts.activity_method.is_("mird_single")
# What the chosen method computes an activity from. It is asked for, and does not stop the option: the method is a plan.
CALCULATION: tuple[Need, ...] = (
    _need(Facts.microsphere_type, ("TARE",), Facts.activity_method.among("empiric", "bsa", "mird_single", "partition")),
    _need(Facts.liver_tumour_burden_percent, ("TARE",), Facts.activity_method.is_("empiric")),
    _need(Facts.height_m, ("TARE",), BY_BODY_SURFACE),
    _need(Facts.weight_kg, ("TARE",), BY_BODY_SURFACE),
    _need(Facts.tumour_volume_ml, ("TARE",), BY_BODY_SURFACE),
    _need(Facts.liver_volume_total_ml, ("TARE",), BY_BODY_SURFACE),
    _need(Facts.target_mean_dose_gy, ("TARE",), BY_PERFUSED_MASS | BY_PARTITION),
    _need(Facts.target_liver_mass_kg, ("TARE",), BY_PERFUSED_MASS),
    _need(Facts.tn_ratio, ("TARE",), BY_PARTITION),
    _need(Facts.tumour_mass_kg, ("TARE",), BY_PARTITION),
    _need(Facts.normal_liver_mass_kg, ("TARE",), BY_PARTITION),
    _need(Facts.lung_shunt_fraction, ("TARE",), BY_PERFUSED_MASS | BY_PARTITION),
)

ABLATED = AnyOf(
    (
        Facts.last_lrt_modality.among("RFA", "MWA", "cryoablation"),
        *(Facts.prior_lrt_modalities.has(modality) for modality in ABLATION_ALONE_OR_COMBINED),
    )
)
TREATED_BEFORE = (Facts.prior_lrt_count >= 1) | (Facts.days_since_lrt >= 0)
NOT_FOLLICULAR = Facts.histology.among("MTC", "ATC")
# What a reader is asked for only once this is known to hold: before an ablation there is no margin to know.
ASKED_ONCE: Mapping[str, Condition] = {
    Facts.main_pvt_targeting_poor.name: Facts.portal_vein_thrombosis.is_("main"),
    Facts.achieved_ablation_margin_mm.name: ABLATED,
    Facts.residual_viable_tumour.name: ABLATED | TREATED_BEFORE,
    Facts.men2_status.name: Facts.histology.is_("MTC") | Facts.pheochromocytoma_status.among("present", "suspected"),
}
LIVER_INVOLVED = Facts.liver_lesion_count >= 1
RADIOEMBOLISED = Facts.last_lrt_modality.is_("TARE") | Facts.prior_lrt_modalities.has("TARE")
RESPONSE = (Facts.recist_sum_baseline_mm, Facts.recist_sum_current_mm, Facts.recist_sum_nadir_mm)
VIABLE = (Facts.viable_sum_baseline_mm, Facts.viable_sum_current_mm)
# What a reader is asked for while this holds, even where no rule hangs on it: Figure 2 asks whether the patient is a
# candidate and whether the disease can be resected, and wants both on record. The rest is what the fact catalogue marks
# to be asked for such a patient.
ASKED_WHILE: tuple[tuple[Condition, frozenset[str]], ...] = tuple(
 (when, frozenset(fact.name for fact in facts)) for when, facts in (
    (LIVER_INVOLVED & (Facts.liver_lesion_count <= 3) & Facts.liver_lobes_involved.is_("unilobar"),
     (Facts.surgical_candidate, Facts.resection_feasible)),
    (Facts.histology.is_("MTC"),
     (Facts.men2_status, Facts.calcitonin_pg_ml, Facts.calcitonin_doubling_time_months, Facts.cea_ng_ml,
      Facts.cea_trend)),
    (Facts.histology.among("PTC", "FTC", "HTC", "DTC_NOS"),
     (Facts.tg_unstimulated_ng_ml, Facts.tg_trend, Facts.tg_antibodies_positive)),
    (LIVER_INVOLVED,
     (Facts.bilirubin_total_umol_l, Facts.albumin_g_l, Facts.cirrhosis, Facts.bilioenteric_anastomosis,
      Facts.prior_chemotherapy, Facts.prior_ebrt_target)),
    # Half of a comparison decides nothing: the other half is asked for.
    (AnyOf(tuple(one >= 0 for one in RESPONSE)), (*RESPONSE, Facts.new_lesions)),
    (AnyOf(tuple(one >= 0 for one in VIABLE)), VIABLE),
    (Facts.radiological_progression | ~Facts.radiological_progression, (Facts.marker_trend,)),
    (Facts.marker_trend.among("rising", "stable", "falling"), (Facts.radiological_progression,)),
    # Liver disease after TARE is suspected only once these are known (CON-REILD-DEF).
    (Facts.jaundice & Facts.ascites_grade.is_("massive"),
     (Facts.tare_ae_weeks, Facts.biliary_obstruction, Facts.radiological_progression)),
    (RADIOEMBOLISED, (Facts.ascites_grade, Facts.jaundice, Facts.biliary_obstruction)),
    (Facts.extrahepatic_disease_status.among("stable", "progressive"), (Facts.extrahepatic_sites,)),
    (Facts.lung_lesion_count >= 1,
     (Facts.lung_lesion_near_phrenic_or_mediastinum, Facts.lung_prior_ablation_count)),
    (Facts.bone_lesion_count >= 1,
     (Facts.bone_lesion_painful, Facts.bone_lesion_near_nerve, Facts.bone_lesion_hypervascular)),
))  # fmt: skip
# What nobody is asked for once this holds: radioiodine is for what comes from follicular cells.
NOT_ASKED_ONCE: Mapping[str, Condition] = {
    Facts.breastfeeding.name: Facts.pregnancy_status.is_("not_applicable") | Facts.sex.is_("male"),
    Facts.rai_refractory.name: NOT_FOLLICULAR,
    Facts.rai_avid.name: NOT_FOLLICULAR,
    Facts.rai_cumulative_activity_mci.name: NOT_FOLLICULAR,
    Facts.rai_planned_activity_mci.name: NOT_FOLLICULAR,
}


def pointless(asked: Collection[str], values: Values) -> Iterator[str]:
    """Those of the facts that the case gives no reason to ask for yet, or one against it."""
    for name, once in ASKED_ONCE.items():
        if name in asked and once.truth(values) is not True:
            yield name
    for name, unless in NOT_ASKED_ONCE.items():
        if name in asked and unless.truth(values) is True:
            yield name


def asked_anyway(values: Values) -> frozenset[str]:
    """Absent facts that the case gives a reason to ask for, whatever the rules hang on."""
    return frozenset().union(
        *(
            facts.difference(values)
            for when, facts in ASKED_WHILE
            if not values.keys() >= facts and when.truth(values) is True
        )
    )


def lacking(needs: tuple[Need, ...], values: Values) -> dict[str, list[str]]:
    """The absent facts of every option that needs them, in the order of the table."""
    found: dict[str, list[str]] = {}
    for need in needs:
        if need.fact in values or (need.instead is not None and need.instead in values):
            continue
        if need.when.truth(values) is True:
            for option in need.options:
                found.setdefault(option, []).append(need.fact)
    return found


def concerns(rule: Rule, offered: frozenset[str]) -> bool:
    """Whether a rule speaks of the case, or of an offered option."""
    return not rule.options or not offered.isdisjoint(rule.options)
