"""What would change the answer: the smallest change of one fact that gives another first option."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from connector.core.assessment import Selection
from connector.core.case import FactValue
from connector.core.catalogue import FACTS
from connector.core.fact_types import Choice, Choices, Flag, Number, Whole
from connector.core.rules import AllOf, AnyOf, Condition, NotSo, Test, Values, Verdict
from connector.core.selection.contradictions import CONTRADICTIONS
from connector.core.selection.derived import DERIVATIONS
from connector.core.selection.engine import first_answer
from connector.core.selection.needs import ELIGIBILITY, PRESCRIPTION
from connector.core.selection.registry import RULES


@dataclass(frozen=True, slots=True)
class Change:
    """One fact changed, and the answer it gives; `before` is None when the fact was missing."""

    fact: str
    before: FactValue | None
    after: FactValue
    status: str
    preferred: tuple[str, ...]

    @property
    def text(self) -> str:
        """The change as a sentence."""
        answer = ", ".join(self.preferred) if self.preferred else f"nothing ({self.status})"
        was = "if it were" if self.before is not None else "if it turned out to be"
        return f"{self.fact}: {was} {_shown(self.after)}, first would be {answer}"


def first_options(selection: Selection) -> tuple[str, ...]:
    """The preferred options."""
    return tuple(option.modality for option in selection.options if option.rank == 1)


def what_would_change(given: Values, selection: Selection) -> tuple[Change, ...]:
    """
    The smallest single-fact changes that give another first option, and what each missing fact could lead to.

    Of a number, the nearest value on the other side of a rule's limit; of a word, every other word. A change that only
    makes the facts contradict each other is left out. Missing facts come first, those that can change most in front.
    """
    first = (selection.status, first_options(selection))
    missing: dict[str, list[Change]] = {}
    changed: list[Change] = []
    for name in (*selection.missing, *given):
        if name not in DECIDING:
            continue
        for value in _alternatives(name, given.get(name)):
            status, preferred = first_answer({**given, name: value})
            if status == "contradictory_data" or (status, preferred) == first:
                continue
            change = Change(name, given.get(name), value, status, preferred)
            if name in given:
                changed.append(change)
            else:
                missing.setdefault(name, []).append(change)
    worth = sorted(missing.values(), key=lambda changes: -_worth(changes))
    return (*(change for changes in worth for change in changes), *changed)


def _worth(changes: list[Change]) -> int:
    """How many different decided answers a missing fact could lead to."""
    return len({change.preferred for change in changes if change.preferred})


def _alternatives(name: str, now: FactValue | None) -> Iterator[FactValue]:
    fact = FACTS[name]
    if isinstance(fact, Flag):
        yield from (value for value in (True, False) if value is not now)
    elif isinstance(fact, Choice):
        yield from (word for word in fact.words if word != now)
    elif isinstance(fact, Choices):
        held = now if isinstance(now, frozenset) else frozenset()
        yield from (held ^ {word} for word in fact.words)
    elif isinstance(fact, Number):
        yield from _nearest(fact, now)


def _nearest(fact: Number, now: FactValue | None) -> Iterator[FactValue]:
    """Values that stand for every interval between the limits of the rules; from a known one, only its neighbours."""
    candidates = sorted(_between(fact))
    if isinstance(now, (int, Decimal)):
        below = [value for value in candidates if value < now]
        above = [value for value in candidates if value > now]
        candidates = [*below[-2:], *above[:2]]
    yield from candidates


def _between(fact: Number) -> set[Decimal | int]:
    """Each limit of a rule on this fact, and a step to both sides of it, inside the fact's range."""
    step = Decimal(1) if isinstance(fact, Whole) else Decimal("0.1")
    values = {limit + shift for limit in LIMITS.get(fact.name, ()) for shift in (-step, Decimal(0), step)}
    return {int(value) if isinstance(fact, Whole) else value for value in values if _allowed(fact, value)}


def _allowed(fact: Number, value: Decimal) -> bool:
    above = fact.above is None or value > fact.above
    return above and (fact.least is None or value >= fact.least) and (fact.most is None or value <= fact.most)


def _limits() -> Mapping[str, frozenset[Decimal]]:
    found: dict[str, set[Decimal]] = {}
    for rule in RULES:
        for test in _tests(rule.when):
            if test.inputs == (test.name,) and isinstance(test.limit, (int, Decimal)):
                found.setdefault(test.name, set()).add(Decimal(test.limit))
    return {name: frozenset(limits) for name, limits in found.items()}


def _tests(condition: Condition) -> Iterator[Test]:
    if isinstance(condition, Test):
        yield condition
    elif isinstance(condition, NotSo):
        yield from _tests(condition.part)
    elif isinstance(condition, (AllOf, AnyOf)):
        for part in condition.parts:
            yield from _tests(part)


def _deciding() -> frozenset[str]:
    """Facts that an exclusion, a ranking, a need, a contradiction or another fact hangs on."""
    by_rules = [rule.when.facts for rule in RULES if rule.verdict in WEIGHED]
    by_needs = [need.when.facts | {need.fact} for need in (*ELIGIBILITY, *PRESCRIPTION)]
    by_contradictions = [row.when.facts for row in CONTRADICTIONS]
    by_derivation = [frozenset(row.inputs) for row in DERIVATIONS]
    return frozenset().union(*by_rules, *by_needs, *by_contradictions, *by_derivation)


WEIGHED = frozenset({Verdict.EXCLUDES, Verdict.RELATIVE, Verdict.PREFERS, Verdict.INDICATES})
LIMITS = _limits()
DECIDING = _deciding()


def _shown(value: FactValue) -> str:
    if isinstance(value, frozenset):
        return "{" + ", ".join(sorted(value)) + "}"
    return str(value).lower() if isinstance(value, bool) else str(value)
