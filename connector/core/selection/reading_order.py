"""The rules as the engine walks them, with everything about them that no case can change."""

from collections.abc import Collection, Mapping, Sequence

from connector.core.assessment import Reason
from connector.core.rules import ALWAYS, AllOf, AnyOf, Condition, NotSo, Rule, Truth, Values, Verdict
from connector.core.selection.registry import RULES

SUPPORTS = frozenset({Verdict.PREFERS, Verdict.INDICATES})
WEIGHED = frozenset({Verdict.EXCLUDES, Verdict.RELATIVE}) | SUPPORTS
RANKED_BY = WEIGHED | {Verdict.REQUIRES}

_PLACE = {verdict: place for place, verdict in enumerate(Verdict)}
# Reasons are read in this order.
STRONGEST_FIRST: tuple[Rule, ...] = tuple(sorted(RULES, key=lambda rule: _PLACE[rule.verdict]))
# Kept by place in that order, because asking a condition for its facts builds a set.
FACTS_OF: tuple[frozenset[str], ...] = tuple(rule.when.facts for rule in STRONGEST_FIRST)
_ANSWERS = tuple((facts, rule.when.truth) for rule, facts in zip(STRONGEST_FIRST, FACTS_OF, strict=True))
_NAMING: Mapping[str, frozenset[int]] = {
    name: frozenset(place for place, facts in enumerate(FACTS_OF) if name in facts)
    for name in frozenset().union(*FACTS_OF)
}


def truths(values: Values) -> list[Truth]:
    """Answer every rule, strongest first. Without any of its facts a condition is unknown, and is not walked."""
    absent = values.keys().isdisjoint
    return [None if facts and absent(facts) else truth(values) for facts, truth in _ANSWERS]


def truths_after(before: Sequence[Truth], values: Values, changed: Collection[str]) -> list[Truth]:
    """Answer again only the rules that name a changed fact; `before` are the answers until then."""
    answers = list(before)
    for place in frozenset().union(*(_NAMING.get(name, ()) for name in changed)):
        answers[place] = _ANSWERS[place][1](values)
    return answers


MEASURES = frozenset(
    rule.id
    for rule in RULES
    if rule.kind in {"measure", "process", "dose"} and rule.verdict in {Verdict.REQUIRES, Verdict.ADVISES}
)
# Whose unknown facts a reader is asked for.
ASKING = MEASURES | {rule.id for rule in RULES if rule.verdict in RANKED_BY}
# By place in STRONGEST_FIRST: the rules whose unknown answer matters.
ASKS: tuple[bool, ...] = tuple(rule.id in ASKING for rule in STRONGEST_FIRST)
# Static evidence is told by `connector rules --explain`, not in every answer.
BACKGROUND = frozenset(rule.id for rule in RULES if rule.kind == "evidence" and rule.when is ALWAYS)


def _needs_all(condition: Condition) -> bool:
    """Whether the condition, once true, was decided by all of its facts, whatever the case."""
    if isinstance(condition, AllOf):
        return all(_needs_all(part) for part in condition.parts)
    if isinstance(condition, NotSo):
        return not isinstance(condition.part, (AllOf, AnyOf))
    return not isinstance(condition, AnyOf)


FIXED_REASONS: Mapping[str, Reason] = {
    rule.id: Reason(rule.id, rule.text, rule.cite, tuple(sorted(rule.when.facts)))
    for rule in RULES
    if _needs_all(rule.when)
}
