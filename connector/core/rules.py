"""What a rule is: a typed condition over facts, answered yes, no or unknown (Kleene), and what it says then."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Literal

from connector.core.case import FactValue
from connector.core.evidence import Citation

Truth = bool | None
Values = Mapping[str, FactValue]
NO_FACT: frozenset[str] = frozenset()


class Condition(ABC):
    """
    A boolean expression over facts in Kleene's strong three-valued logic.

    An absent fact is unknown, never "no"; a "no" decides an and, a "yes" decides an or, whatever else is unknown.
    Source: S. C. Kleene, Introduction to Metamathematics, 1952, section 64.
    """

    __slots__ = ()

    @abstractmethod
    def truth(self, values: Values) -> Truth:
        """True, False, or None when the facts given do not decide."""

    @abstractmethod
    def decided_by(self, values: Values) -> frozenset[str]:
        """Names of the facts that decided the answer; empty when it is unknown."""

    @abstractmethod
    def undecided_by(self, values: Values) -> frozenset[str]:
        """Names of the absent facts that keep the answer unknown; empty when it is known."""

    @property
    @abstractmethod
    def facts(self) -> frozenset[str]:
        """Every fact the condition names."""

    @abstractmethod
    def __str__(self) -> str: ...

    def __and__(self, other: "Condition") -> "Condition":
        return AllOf((*_parts(self, AllOf), *_parts(other, AllOf)))

    def __or__(self, other: "Condition") -> "Condition":
        return AnyOf((*_parts(self, AnyOf), *_parts(other, AnyOf)))

    def __invert__(self) -> "Condition":
        return NotSo(self)


def _parts(condition: Condition, kind: type["AllOf | AnyOf"]) -> tuple[Condition, ...]:
    """Flatten `a & b & c`, so that a reader and the evaluator see one level."""
    return condition.parts if isinstance(condition, kind) else (condition,)


@dataclass(frozen=True, slots=True)
class Test(Condition):
    """
    One comparison of one fact with a constant.

    `inputs` are the given facts behind the name: the name itself, or what a derived number is computed from.
    """

    __test__ = False  # pytest collects by name

    name: str
    inputs: frozenset[str]
    holds: Callable[[Any, Any], bool]
    limit: Any
    text: str

    def truth(self, values: Values) -> Truth:
        """Compare, or None when the fact is absent."""
        value = values.get(self.name)
        return None if value is None else self.holds(value, self.limit)

    def decided_by(self, values: Values) -> frozenset[str]:
        """Its own facts when present."""
        return self.inputs if self.name in values else NO_FACT

    def undecided_by(self, values: Values) -> frozenset[str]:
        """Its own absent facts."""
        return NO_FACT if self.name in values else self.inputs.difference(values)

    @property
    def facts(self) -> frozenset[str]:
        """The fact compared, or the inputs of a derived one."""
        return self.inputs

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class _Joined(Condition):
    """What Kleene's and and or share: parts, of which those decide that answer as the whole does."""

    parts: tuple[Condition, ...]
    decisive: ClassVar[bool]  # what one part decides alone

    def truth(self, values: Values) -> Truth:
        """What decides alone as soon as one part says so; the opposite only when all parts do."""
        answer: Truth = not self.decisive
        for part in self.parts:
            truth = part.truth(values)
            if truth is self.decisive:
                return truth
            if truth is None:
                answer = None
        return answer

    def decided_by(self, values: Values) -> frozenset[str]:
        """The facts of the parts that answer as the whole does; nothing while it is unknown."""
        answer = self.truth(values)
        if answer is None:
            return NO_FACT
        # What one part decides alone, the others need not agree to; else they all do.
        alone = answer is self.decisive
        agreeing = [part for part in self.parts if part.truth(values) is answer] if alone else self.parts
        return NO_FACT.union(*[part.decided_by(values) for part in agreeing])

    def undecided_by(self, values: Values) -> frozenset[str]:
        """The absent facts of its unknown parts."""
        if self.truth(values) is not None:
            return NO_FACT
        return NO_FACT.union(*[part.undecided_by(values) for part in self.parts])

    @property
    def facts(self) -> frozenset[str]:
        """Every fact of every part."""
        return frozenset().union(*(part.facts for part in self.parts))


@dataclass(frozen=True, slots=True)
class AllOf(_Joined):
    """Kleene and: False as soon as one part is, True only when all are."""

    decisive = False

    def __str__(self) -> str:
        return " and ".join(f"({part})" if isinstance(part, AnyOf) else str(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class AnyOf(_Joined):
    """Kleene or: True as soon as one part is, False only when all are."""

    decisive = True

    def __str__(self) -> str:
        return " or ".join(f"({part})" if isinstance(part, AllOf) else str(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class NotSo(Condition):
    """Kleene not: unknown stays unknown."""

    part: Condition

    def truth(self, values: Values) -> Truth:
        """The opposite, when known."""
        truth = self.part.truth(values)
        return None if truth is None else not truth

    def decided_by(self, values: Values) -> frozenset[str]:
        """What decided its part."""
        return self.part.decided_by(values)

    def undecided_by(self, values: Values) -> frozenset[str]:
        """What its part lacks."""
        return self.part.undecided_by(values)

    @property
    def facts(self) -> frozenset[str]:
        """The facts of its part."""
        return self.part.facts

    def __str__(self) -> str:
        return f"not ({self.part})" if isinstance(self.part, (AllOf, AnyOf)) else f"not {self.part}"


@dataclass(frozen=True, slots=True)
class Constant(Condition):
    """The condition of a static statement: it always holds, and so it never drives a ranking."""

    def truth(self, values: Values) -> Truth:  # noqa: ARG002 - holds whatever the facts are
        """Always True."""
        return True

    def decided_by(self, values: Values) -> frozenset[str]:  # noqa: ARG002 - needs no fact
        """No fact."""
        return NO_FACT

    def undecided_by(self, values: Values) -> frozenset[str]:  # noqa: ARG002 - needs no fact
        """No fact."""
        return NO_FACT

    @property
    def facts(self) -> frozenset[str]:
        """No fact."""
        return NO_FACT

    def __str__(self) -> str:
        return "always"


ALWAYS = Constant()


class Verdict(StrEnum):
    """What a rule says of its options, strongest first."""

    EXCLUDES = "excludes absolutely"
    RELATIVE = "relative contraindication"
    REQUIRES = "requires"
    PREFERS = "prefers"
    INDICATES = "indicates"
    ADVISES = "advises"
    INFORMS = "informs"


Kind = Literal["option", "pathway", "measure", "follow_up", "response", "dose", "alert", "process", "evidence"]


# The manual says what the two marks mean.
DERIVED = "[DERIVED, confirm]"
STRENGTH_READ = "[STRENGTH READ, confirm]"
_MARKS_IN_WORDS = {DERIVED: "(our reading, confirm)", STRENGTH_READ: "(our grading, confirm)"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """
    One cited statement of a source.

    `says` is a whole sentence for a clinician about the options in `options` (modality codes, empty when it is about
    the case). `derived` marks a cut-off or reading the sources do not state, `strength_read` a statement whose grade is
    our reading; both need a clinician's confirmation and the text says so. `requirement_for` names options for which an
    exclusion is a requirement instead.
    """

    id: str
    when: Condition
    verdict: Verdict
    kind: Kind
    says: str
    cite: Citation
    options: tuple[str, ...] = ()
    requirement_for: tuple[str, ...] = ()
    derived: bool = False
    strength_read: bool = False

    @property
    def text(self) -> str:
        """A whole sentence for a reader, with the marks that a clinician must see."""
        derived = f" {DERIVED}" if self.derived else ""
        strength_read = f" {STRENGTH_READ}" if self.strength_read else ""
        return f"{self.says}{derived}{strength_read}"


def marks_in_words(text: str) -> str:
    """A rule's text as a page says it: which reading, and which strength, is ours and has to be confirmed."""
    for mark, said in _MARKS_IN_WORDS.items():
        text = text.replace(mark, said)
    return text
