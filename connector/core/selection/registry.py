"""Every rule in one place: by id, in the order of the sources, house rules last."""

from collections.abc import Mapping

from connector.core.rules import Rule
from connector.core.selection import (
    alvarez,
    anbari_2023_aftercare,
    anbari_2023_eligibility,
    anbari_2023_work_up_and_dose,
    ata_2015,
    cazzato_2018_liver,
    cazzato_2018_lung_and_bone,
    cazzato_2018_radioiodine,
    esmo_2019,
    eta_2019,
    eta_cirse_2021,
    house_rules,
    nervo_2021_aftercare,
    nervo_2021_candidates,
    nervo_2021_techniques,
    zhang_2025_ablation,
    zhang_2025_candidates,
    zhang_2025_context,
    zhang_2025_embolisation,
    zhang_2025_markers,
)

CITED: tuple[Rule, ...] = (
    *zhang_2025_candidates.RULES,
    *zhang_2025_ablation.RULES,
    *zhang_2025_embolisation.RULES,
    *zhang_2025_markers.RULES,
    *zhang_2025_context.RULES,
    *nervo_2021_candidates.RULES,
    *nervo_2021_techniques.RULES,
    *nervo_2021_aftercare.RULES,
    *anbari_2023_eligibility.RULES,
    *anbari_2023_work_up_and_dose.RULES,
    *anbari_2023_aftercare.RULES,
    *cazzato_2018_liver.RULES,
    *cazzato_2018_radioiodine.RULES,
    *cazzato_2018_lung_and_bone.RULES,
    *alvarez.RULES,
    *ata_2015.RULES,
    *esmo_2019.RULES,
    *eta_2019.RULES,
    *eta_cirse_2021.RULES,
)
RULES: tuple[Rule, ...] = (*CITED, *house_rules.RULES)
RULE: Mapping[str, Rule] = {rule.id: rule for rule in RULES}
