"""The rules as the engine walks them, with everything about them that no case can change."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from connector.core.assessment import Reason
from connector.core.catalogue import REQUIRED
from connector.core.fact_types import Flag
from connector.core.rules import ALWAYS, AllOf, AnyOf, Condition, NotSo, Rule, Test, Truth, Values, Verdict
from connector.core.selection.registry import RULES
from connector.core.vocabulary import MODALITIES

SUPPORTS = frozenset({Verdict.PREFERS, Verdict.INDICATES})
WEIGHED = frozenset({Verdict.EXCLUDES, Verdict.RELATIVE}) | SUPPORTS
RANKED_BY = WEIGHED | {Verdict.REQUIRES}

_STRENGTH = {verdict: place for place, verdict in enumerate(Verdict)}
# Reasons are read in this order.
STRONGEST_FIRST: tuple[Rule, ...] = tuple(sorted(RULES, key=lambda rule: _STRENGTH[rule.verdict]))
NAMED: tuple[tuple[str, Rule], ...] = tuple((rule.id, rule) for rule in STRONGEST_FIRST)
# Kept by place in that order, because asking a condition for its facts builds a set.
_FACTS_OF: tuple[frozenset[str], ...] = tuple(rule.when.facts for rule in STRONGEST_FIRST)
_TRUTH_OF = tuple(rule.when.truth for rule in STRONGEST_FIRST)
_NAMING: Mapping[str, frozenset[int]] = {
    name: frozenset(place for place, facts in enumerate(_FACTS_OF) if name in facts)
    for name in frozenset().union(*_FACTS_OF)
}
# Without any of its facts a condition is unknown, and is not walked; only what always holds is known then.
_KNOWING_NOTHING: tuple[Truth, ...] = tuple(truth({}) for truth in _TRUTH_OF)


def truths(values: Values) -> list[Truth]:
    """Answer every rule, strongest first."""
    return truths_after(_KNOWING_NOTHING, values, values)


def truths_after(before: Sequence[Truth], values: Values, changed: Iterable[str]) -> list[Truth]:
    """Answer again only the rules that name a changed fact; `before` are the answers until then."""
    answers = list(before)
    for place in frozenset().union(*(_NAMING.get(name, ()) for name in changed)):
        answers[place] = _TRUTH_OF[place](values)
    return answers


# Static evidence is told by `connector rules --explain`, not in every answer.
BACKGROUND = frozenset(rule.id for rule in RULES if rule.kind == "evidence" and rule.when is ALWAYS)
# By id: what weighs in the verdict and the rank of an option, and what is told as a reason of it.
WEIGHS = frozenset(rule.id for rule in RULES if rule.verdict in WEIGHED and rule.options)
TELLS = frozenset(rule.id for rule in RULES if rule.options) - BACKGROUND

# By option and place: what speaks for it.
SUPPORTING: Mapping[str, tuple[tuple[int, Rule], ...]] = {
    option: tuple(
        (place, rule)
        for place, rule in enumerate(STRONGEST_FIRST)
        if rule.verdict in SUPPORTS and option in rule.options
    )
    for option in MODALITIES
}


def _all_decide(condition: Condition) -> bool:
    """Whether the condition, once true, was decided by all of its facts, whatever the case."""
    if isinstance(condition, AllOf):
        return all(_all_decide(part) for part in condition.parts)
    if isinstance(condition, NotSo):
        return not isinstance(condition.part, (AllOf, AnyOf))
    return not isinstance(condition, AnyOf)


def _all_are_absent(condition: Condition) -> bool:
    """Whether the condition, while unknown, hangs on every fact of it that is absent, whatever the case."""
    parts = condition.parts if isinstance(condition, (AllOf, AnyOf)) else (condition,)
    plain = (part.part if isinstance(part, NotSo) else part for part in parts)
    return all(isinstance(part, (Test, Flag)) and part.facts == {part.name} for part in plain)


FIXED_REASONS: Mapping[str, Reason] = {
    rule.id: Reason(rule.id, rule.text, rule.cite, tuple(sorted(rule.when.facts)))
    for rule in RULES
    if _all_decide(rule.when)
}


class Asking(NamedTuple):
    """A rule, by its place, whose absent facts a reader is asked for while it is unknown."""

    place: int
    when: Condition
    options: tuple[str, ...]
    facts: frozenset[str]
    all_are_absent: bool


ASKING = tuple(
    Asking(place, rule.when, rule.options, _FACTS_OF[place], _all_are_absent(rule.when))
    for place, rule in enumerate(STRONGEST_FIRST)
    if rule.verdict in RANKED_BY and rule.when is not ALWAYS
)


def asked_by_rules(answers: Sequence[Truth], values: Values, options: AbstractSet[str]) -> set[str]:
    """Facts that rules which weigh, on these options or on the case, hang on while they are unknown."""
    asked: set[str] = set()
    for place, when, about, facts, all_are_absent in ASKING:
        if answers[place] is None and not (about and options.isdisjoint(about)):
            # Without any of its facts a rule asks for all of them.
            for_all = all_are_absent or facts.isdisjoint(values)
            asked.update(facts if for_all else when.undecided_by(values))
    return asked


ALARMING = ("TARE-REL-BURDEN70", "GEN-DER-PHEO", "HOUSE-PHEO", "GEN-DER-PREG")
ALERTS = tuple(rule for rule in STRONGEST_FIRST if rule.kind == "alert" or rule.id in ALARMING)
MEASURES = tuple(
    rule
    for rule in STRONGEST_FIRST
    if rule.kind in {"measure", "process", "dose"} and rule.verdict in {Verdict.REQUIRES, Verdict.ADVISES}
)
# Measures that hang on a required fact: while it is absent they are to be confirmed.
TO_CONFIRM = tuple(
    (STRONGEST_FIRST.index(rule), rule, Reason(rule.id, f"To be confirmed: {rule.text}", rule.cite))
    for rule in MEASURES
    if not REQUIRED.isdisjoint(rule.when.facts)
)
# Exclusions that require something before another option.
BEFORE = tuple(
    (rule, Reason(rule.id, f"Before {', '.join(rule.requirement_for)}: {rule.text}", rule.cite))
    for rule in STRONGEST_FIRST
    if rule.requirement_for
)
