"""What would change the answer: the smallest change of one fact that gives another first option."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from connector.core.assessment import Selection
from connector.core.case import FactValue
from connector.core.catalogue import FACTS, answer_in_words, in_words
from connector.core.fact_types import Choice, Choices, Flag, Number, Whole
from connector.core.rules import AllOf, AnyOf, Condition, NotSo, Test, Values
from connector.core.selection.contradictions import CONTRADICTIONS
from connector.core.selection.derived import DERIVATIONS
from connector.core.selection.needs import ELIGIBILITY, PRESCRIPTION
from connector.core.selection.reading_order import WEIGHED
from connector.core.selection.registry import RULES
from connector.core.selection.sites import first_in_words
from connector.core.selection.what_if import WhatIf

BOARD = ("board_only",)


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
        was = "if it were" if self.before is not None else "if it turned out to be"
        if self.preferred == BOARD:
            answer = "the board alone would decide"
        else:
            answer = f"first would be {', '.join(self.preferred) or f'nothing ({self.status})'}"
        return f"{self.fact}: {was} {_shown(self.after)}, {answer}"


def first_options(selection: Selection) -> tuple[str, ...]:
    """The preferred options."""
    return tuple(option.modality for option in selection.options if option.rank == 1)


def what_would_change(given: Values, selection: Selection) -> tuple[Change, ...]:
    """
    The smallest single-fact changes that give another first option, and what each missing fact could lead to.

    Of a number, the nearest value to either side that gives another answer; of a word, every other word. A change that
    only makes the facts contradict each other is left out. Missing facts come first, those that can change most in
    front.
    """
    now = (selection.status, first_options(selection))
    what_if = WhatIf(given)
    missing: list[list[Change]] = []
    changed: list[Change] = []
    for name in selection.missing:
        if name in DECIDING:
            ladders = [[value] for ladder in _ladders(name, None) for value in ladder]
            missing.append(_first_of_each_answer(_flips(what_if, name, None, ladders, now)))
    for name in given:
        if name in DECIDING and name not in selection.missing:
            changed += _flips(what_if, name, given[name], _ladders(name, given[name]), now)
    missing.sort(key=lambda changes: -_worth(changes))
    return (*(change for changes in missing for change in changes), *changed)


def worth_knowing(changes: Iterable[Change], *, now: tuple[str, ...]) -> tuple[str, ...]:
    """
    Say in at most two sentences which missing fact is worth getting first, and what it could lead to.

    `now` are the preferred options: a fact that only confirms them, or leaves nothing to choose, is not worth a word.
    """
    by_fact: dict[str, list[Change]] = {}
    for change in changes:
        if change.before is None and _chosen(change.preferred) and _chosen(change.preferred) != _chosen(now):
            by_fact.setdefault(change.fact, []).append(change)
    return tuple(_worth_getting(fact, led_to) for fact, led_to in list(by_fact.items())[:MOST_SENTENCES])


def _chosen(preferred: tuple[str, ...]) -> tuple[str, ...]:
    """The treatments; that the board decides about one site is no other answer while another site has its treatment."""
    return tuple(option for option in preferred if option not in BOARD) or preferred


def _worth_getting(fact: str, changes: Iterable[Change]) -> str:
    values_by_answer: dict[str, list[str]] = {}
    for change in changes:
        is_left = change.preferred == BOARD
        answer = "the board alone would decide" if is_left else f"{first_in_words(change.preferred)} would be first"
        values_by_answer.setdefault(answer, []).append(_in_words(change.after))
    outcomes = [f"{answer} if {_it_is(values)}" for answer, values in values_by_answer.items()]
    return f"Worth knowing: {in_words(fact)}; " + ", ".join(outcomes[:MOST_OUTCOMES])


def _it_is(values: list[str]) -> str:
    """The answers to a question of yes or no, or what the fact would be."""
    return " or ".join(values) if {"so", "not"}.issuperset(values) else f"it is {' or '.join(values)}"


def _in_words(value: FactValue) -> str:
    """A word as a person writes it; of a number, one that gives the answer stands for its neighbours."""
    if isinstance(value, bool):
        return "so" if value else "not"
    is_number = isinstance(value, (int, Decimal))
    return f"for example {value}" if is_number else answer_in_words(_shown(value))


def _flips(
    what_if: WhatIf,
    name: str,
    before: FactValue | None,
    ladders: Iterable[Iterable[FactValue]],
    now: tuple[str, tuple[str, ...]],
) -> list[Change]:
    """Climb every ladder of values until the answer changes."""
    found = []
    for ladder in ladders:
        for value in ladder:
            status, preferred = what_if.first_answer(name, value)
            if status != "contradictory_data" and (status, preferred) != now:
                found.append(Change(name, before, value, status, preferred))
                break
    return found


def _first_of_each_answer(changes: list[Change]) -> list[Change]:
    """Of neighbouring values with the same answer, the first."""
    return [
        change
        for place, change in enumerate(changes)
        if place == 0
        or (change.status, change.preferred) != (changes[place - 1].status, changes[place - 1].preferred)
        or not isinstance(change.after, (int, Decimal))
    ]


def _worth(changes: list[Change]) -> int:
    """How many different decided answers a missing fact could lead to."""
    return len({change.preferred for change in changes if change.preferred})


def _ladders(name: str, now: FactValue | None) -> list[list[FactValue]]:
    """Values to try: words and answers each by themselves, numbers from the present one outwards to either side."""
    fact = FACTS[name]
    if isinstance(fact, Flag):
        return [[value] for value in (True, False) if value is not now]
    if isinstance(fact, Choice):
        return [[word] for word in fact.words if word != now]
    if isinstance(fact, Choices):
        held = now if isinstance(now, frozenset) else frozenset()
        return [[held ^ {word}] for word in fact.words]
    if isinstance(fact, Number):
        values = sorted(_between(fact))
        if not isinstance(now, (int, Decimal)):
            return [list(values)]
        return [[value for value in reversed(values) if value < now], [value for value in values if value > now]]
    return []  # lists of diameters and free text: no single smallest change


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
            if test.inputs == {test.name} and isinstance(test.limit, (int, Decimal)):
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
    by_derivation = [frozenset(row.inputs).union(row.unless.facts if row.unless else ()) for row in DERIVATIONS]
    return frozenset().union(*by_rules, *by_needs, *by_contradictions, *by_derivation)


MOST_SENTENCES, MOST_OUTCOMES = 2, 3
LIMITS = _limits()
DECIDING = _deciding()


def _shown(value: FactValue) -> str:
    if isinstance(value, frozenset):
        return "{" + ", ".join(sorted(value)) + "}"
    return str(value).lower() if isinstance(value, bool) else str(value)
