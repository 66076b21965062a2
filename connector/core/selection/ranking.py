"""In which order options stand: free of contraindications first, then the pathway, then rule strength and source."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from connector.core.rules import Rule, Verdict
from connector.core.sources import SOURCES

TIERS = (1, 2, 3, 4)
# Why an option that rules speak for still never leads: hardly a liver metastasis was reported.
NEVER_FIRST: Mapping[str, str] = {
    "laser": "it is marginal and experimental, and never first",  # Zhang 2025, Comparative effectiveness
    "PEI": "it is reported once, together with TAE, and never first",  # Nervo 2021, Table 2
    "cryoablation": "no source tells of it in the liver, and it is never first",  # CON-CRYO
}
# Figure 2 asks about surgery in limited disease only (CON-F2-SURGDIFFUSE).
ONLY_BY_PATHWAY: Mapping[str, str] = {"surgery": "the pathway does not lead to it"}
SUPPORTING = (Verdict.PREFERS, Verdict.INDICATES)
RANKING_KINDS = frozenset({"option", "pathway"})
Key = tuple[int, bool, bool, tuple[int, ...]]


class Standing(NamedTuple):
    """
    How one offered option stands.

    `key` sorts ascending: number of relative contraindications, may not lead, not where the pathway leads, then the
    count of rules that prefer and that indicate it, by the tier of their source (more and stronger first).
    """

    modality: str
    key: Key

    @property
    def may_lead(self) -> bool:
        """Free of relative contraindications, and supported by the pathway or by a rule."""
        return not (self.key[0] or self.key[1])


def standing(modality: str, rules: Iterable[Rule], *, targets: Collection[str]) -> Standing:
    """Weigh one option by the rules that fired for it."""
    against = 0
    counts = [0] * len(SUPPORTING) * len(TIERS)
    for rule in rules:
        if rule.verdict is Verdict.RELATIVE:
            against += 1
        elif rule.verdict in SUPPORTING and rule.kind in RANKING_KINDS:
            counts[SUPPORTING.index(rule.verdict) * len(TIERS) + TIERS.index(SOURCES[rule.cite.source].tier)] -= 1
    medals = tuple(counts)
    is_target = modality in targets
    cannot_lead = modality in NEVER_FIRST or not (is_target or (any(medals) and modality not in ONLY_BY_PATHWAY))
    return Standing(modality, (against, cannot_lead, not is_target, medals))


def set_back(one: Standing, leaders: Sequence[Standing]) -> str:
    """Say why an offered option stands behind those of rank 1: the first part of the keys in which they differ."""
    names = " or ".join(leader.modality for leader in leaders)
    against, cannot_lead, not_a_target, _ = one.key
    if against:
        why = f"{against} relative contraindication{'s' if against > 1 else ''}"
    elif one.modality in NEVER_FIRST:
        why = NEVER_FIRST[one.modality]
    elif cannot_lead:
        why = ONLY_BY_PATHWAY.get(one.modality, "no source prefers or indicates it in this case")
    elif not_a_target and not leaders[0].key[2]:
        why = f"the pathway leads to {names}"
    else:
        why = "fewer or weaker statements of the sources speak for it"
    return f"behind {names}: {why}"


def ranks(standings: Sequence[Standing], *, first_is_open: bool) -> dict[str, int]:
    """
    Give every option its rank; equal keys share one.

    Rank 1 is the preferred option. It stays empty when `first_is_open` is False or when no option may lead, and the
    others begin at 2.
    """
    ordered = sorted(standings, key=lambda one: one.key)
    rank = 0 if first_is_open and ordered and ordered[0].may_lead else 1
    found: dict[str, int] = {}
    for _, tied in groupby(ordered, key=lambda one: one.key):
        rank += 1
        found.update((one.modality, rank) for one in tied)
    return found
