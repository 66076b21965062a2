"""What must hold for every case: knowledge only adds, contraindications only lower, order does not matter."""

import json
import random
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.core.catalogue import FACTS, read_fact
from connector.core.evidence import Observed
from connector.core.fact_types import Choice, Choices, Flag, Number, Numbers, Whole
from connector.core.rules import Verdict
from connector.core.selection import select
from connector.core.selection.derived import add_sums
from connector.core.selection.freshness import MOST_DAYS
from connector.core.selection.ranking import ranks, standing
from connector.core.selection.registry import RULE, RULES

TODAY = date(2026, 1, 31)
PUBLISHED = Path(__file__).parents[1] / "published" / "vignettes.json"
CASES = [case["facts"] for case in json.loads(PUBLISHED.read_text(), parse_float=Decimal)["vignettes"]]
AGAINST = {Verdict.EXCLUDES, Verdict.RELATIVE}
STATUSES = {"recommend", "cannot_decide", "excluded_all", "contradictory_data"}
SLOW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def values_of(name):
    """Any value a fact may have."""
    fact = FACTS[name]
    if isinstance(fact, Flag):
        return st.booleans()
    if isinstance(fact, (Choice, Choices)):
        word = st.sampled_from(fact.words)
        return word if isinstance(fact, Choice) else st.frozensets(word)
    if isinstance(fact, Whole):
        return st.integers(fact.least, min(fact.most or 1000, 1000))
    if isinstance(fact, Number):
        least = Decimal("0.1") if fact.above is not None else Decimal(fact.least or 0)
        return st.decimals(least, Decimal(fact.most or 1000), places=1).filter(lambda value: value >= least)
    if isinstance(fact, Numbers):
        return st.lists(st.decimals(Decimal("0.1"), 300, places=1), max_size=5).map(tuple)
    return st.just("M918T")


@st.composite
def facts(draw):
    """A vignette with some facts taken away, and some of any value put in."""
    base = {name: read_fact(name, raw) for name, raw in draw(st.sampled_from(CASES)).items()}
    for name in draw(st.lists(st.sampled_from(sorted(base)), max_size=8)):
        base.pop(name, None)
    for name in draw(st.lists(st.sampled_from(sorted(FACTS)), max_size=8, unique=True)):
        base[name] = draw(values_of(name))
    return base


def answer(values):
    return select({name: Observed(value, "case") for name, value in values.items()}, TODAY)


@SLOW
@given(facts())
def test_every_case_gets_an_answer_that_keeps_the_contract(values):
    selection = answer(values)
    assert selection.status in STATUSES
    fired = set(selection.rules_fired)
    for option in selection.options:
        assert (option.rank == 1) is (option.verdict == "preferred")
        against = {RULE[reason.rule].verdict for reason in option.because} & AGAINST
        if option.modality != "board_only":
            assert not (option.rank == 1 and against), "nothing contraindicated is preferred"
            assert Verdict.EXCLUDES not in against or option.verdict == "excluded"
        assert {reason.rule for reason in option.because} <= fired
    if selection.status == "contradictory_data":
        assert selection.contradictions
        assert not [option for option in selection.options if option.rank == 1]
    too_old = {"child_pugh_score"} if values.get("child_pugh_score_age_days", 0) > MOST_DAYS else set()
    assert not set(selection.missing) & (set(values) - too_old)


@SLOW
@given(facts(), st.integers(0, 1000))
def test_the_order_of_facts_does_not_matter(values, seed):
    names = list(values)
    random.Random(seed).shuffle(names)  # noqa: S311 - the same order on every run
    assert answer({name: values[name] for name in names}) == answer(values)


@SLOW
@given(facts(), st.data())
def test_a_new_fact_never_turns_a_known_answer_of_a_rule_into_an_unknown_one(values, data):
    name = data.draw(st.sampled_from(sorted(set(FACTS) - set(values))))
    more = {**values, name: data.draw(values_of(name))}
    before, after = dict(values), dict(more)
    add_sums(before)
    add_sums(after)
    for rule in RULES:
        truth = rule.when.truth(before)
        assert truth is None or rule.when.truth(after) is truth, rule.id


CLEAR = {
    "renal_failure": False, "contrast_media_allergy": False, "cardiovascular_disease": False, "child_pugh_score": 7,
    "portal_vein_thrombosis": "none", "liver_tumour_burden_percent": Decimal(20), "coagulopathy_status": "none",
    "liver_lesion_near_critical_structure": False, "liver_lesion_near_large_vessel": False,
    "liver_lesion_largest_diameter_mm": Decimal(25), "pregnancy_status": "not_pregnant",
    "ablation_contraindicated": False, "tace_contraindicated": False, "liver_lesion_hypervascular": True,
    "life_expectancy_months": Decimal(24), "hepatic_artery_access_contraindicated": False, "rai_refractory": False,
    "prior_ebrt_target": False,
}  # fmt: skip

WORD_AGAINST = {
    "renal_failure": True, "contrast_media_allergy": True, "cardiovascular_disease": True, "child_pugh_score": 9,
    "portal_vein_thrombosis": "main", "liver_tumour_burden_percent": Decimal(60), "coagulopathy_status": "uncorrected",
    "liver_lesion_near_critical_structure": True, "liver_lesion_near_large_vessel": True,
    "liver_lesion_largest_diameter_mm": Decimal(72), "pregnancy_status": "pregnant", "ablation_contraindicated": True,
    "tace_contraindicated": True, "liver_lesion_hypervascular": False, "life_expectancy_months": Decimal(2),
    "hepatic_artery_access_contraindicated": True, "rai_refractory": True, "prior_ebrt_target": True,
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CLEAR))
@settings(max_examples=40, deadline=None)
@given(values=facts())
def test_what_a_new_contraindication_speaks_against_overtakes_nobody_and_leads_nothing(name, values):
    clear = {**values, name: CLEAR[name]}
    before = {option.modality: option for option in answer(clear).options}
    after = {option.modality: option for option in answer({**clear, name: WORD_AGAINST[name]}).options}
    hit = {modality for modality in after if new_words_against(before.get(modality), after[modality])}
    for modality in hit:
        assert after[modality].rank != 1, modality
        for other in set(after) - hit:
            if rank(before, other) < rank(before, modality) < NO_RANK and after[other].rank is not None:
                assert rank(after, other) < rank(after, modality), (modality, other)


NO_RANK = 1000


def rank(options, modality):
    option = options.get(modality)
    return NO_RANK if option is None or option.rank is None else option.rank


def new_words_against(before, after):
    """Whether a rule that was silent before speaks against the option now."""
    old = {reason.rule for reason in before.because} if before else set()
    new = {reason.rule for reason in after.because} - old
    return any(RULE[rule].verdict in AGAINST and after.modality in RULE[rule].options for rule in new)


RULES_FOR_RFA = [rule for rule in RULES if "RFA" in rule.options]
SPEAKING = st.lists(st.sampled_from(RULES_FOR_RFA), max_size=6)


@settings(max_examples=300, deadline=None)
@given(SPEAKING, st.lists(SPEAKING, min_size=1, max_size=5), st.booleans())
def test_one_more_contraindication_never_raises_a_rank(own, others, is_target):
    against = next(rule for rule in RULES_FOR_RFA if rule.verdict is Verdict.RELATIVE)
    targets = {"RFA"} if is_target else set()
    rest = [standing(f"other {number}", rules, targets=()) for number, rules in enumerate(others)]
    before = ranks([standing("RFA", own, targets=targets), *rest], first_is_open=True)
    after = ranks([standing("RFA", [*own, against], targets=targets), *rest], first_is_open=True)
    assert position(after) >= position(before)


def position(ranked):
    """How many options stand before it: dense ranks move with ties, the order does not."""
    return sum(place < ranked["RFA"] for place in ranked.values())
