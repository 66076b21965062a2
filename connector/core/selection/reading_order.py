"""The rules as the engine walks them, with everything about them that no case can change."""

from collections.abc import Mapping

from connector.core.assessment import Reason
from connector.core.rules import ALWAYS, AllOf, AnyOf, Condition, NotSo, Rule, Verdict
from connector.core.selection.registry import RULES

SUPPORTS = frozenset({Verdict.PREFERS, Verdict.INDICATES})
RANKED_BY = frozenset({Verdict.EXCLUDES, Verdict.RELATIVE, Verdict.REQUIRES}) | SUPPORTS

_PLACE = {verdict: place for place, verdict in enumerate(Verdict)}
# Reasons are read in this order; the facts are kept beside, because asking a condition for them builds a set.
STRONGEST_FIRST: tuple[tuple[Rule, frozenset[str]], ...] = tuple(
    (rule, rule.when.facts) for rule in sorted(RULES, key=lambda rule: _PLACE[rule.verdict])
)
MEASURES = frozenset(
    rule.id
    for rule in RULES
    if rule.kind in {"measure", "process", "dose"} and rule.verdict in {Verdict.REQUIRES, Verdict.ADVISES}
)
# Whose unknown facts a reader is asked for.
ASKING = MEASURES | {rule.id for rule in RULES if rule.verdict in RANKED_BY}
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
