"""Facts as typed handles: each reads its value once at the door, and builds conditions that mypy can check."""

import operator
from abc import ABC, abstractmethod
from collections.abc import Container
from decimal import Decimal
from typing import Any, Generic, TypeVar, cast

from connector.core.case import FactValue
from connector.core.errors import BadCase
from connector.core.rules import Condition, Test, Truth, Values

Word = TypeVar("Word", bound=str)
Bound = int | Decimal
LEAVE_OUT = "leave the fact out if it is not known"
MOST_ITEMS = 10_000  # of one array: more is a mistake, not a patient
NONE_IS_ASSUMED = "NONE: none is assumed"
LARGEST_NUMBER = 10**9
ENDLESS = Decimal("Infinity")


def _is_decimal(text: str) -> bool:
    unsigned = text[1:] if text[:1] in {"+", "-"} else text
    return text.isascii() and unsigned.replace(".", "", 1).isdecimal()


class Fact(ABC):
    """
    A named fact of the catalogue.

    `if_missing` says what the answer does without it: BLOCK, ASK or REQUIRED (listed as missing), else not asked for.
    """

    __slots__ = ("if_missing", "name")
    type_name: str

    def __init__(self, if_missing: str) -> None:
        self.if_missing = if_missing
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @property
    def is_asked(self) -> bool:
        """Whether an answer that lacks the fact lists it as missing."""
        return self.if_missing.startswith(("BLOCK", "ASK", "REQUIRED"))

    @property
    def is_assumed_none(self) -> bool:
        """Whether an absent set is read as "none recorded", which every answer then says."""
        return self.if_missing == NONE_IS_ASSUMED

    @property
    @abstractmethod
    def allowed(self) -> str:
        """The values allowed, as the catalogue prints them."""

    @abstractmethod
    def read(self, raw: object) -> FactValue:
        """Check a raw or typed value and return it typed. Raises BadCase: the name, the value and what to do."""

    def refusal(self, raw: object, message: str) -> BadCase:
        """The fault of a wrong value, named by its field in a case."""
        return BadCase(f"facts.{self.name}", raw, message)

    def compare(self, holds: Any, limit: object, text: str) -> Condition:
        """One comparison of this fact with a constant."""
        return Test(self.name, frozenset((self.name,)), holds, limit, text)


class Flag(Fact, Condition):
    """A yes or no; itself a condition."""

    __slots__ = ()
    type_name = "boolean"

    @property
    def allowed(self) -> str:
        """Both answers."""
        return "true, false"

    def read(self, raw: object) -> bool:
        """Only a JSON true or false."""
        if isinstance(raw, bool):
            return raw
        raise self.refusal(raw, f"must be true or false; {LEAVE_OUT}")

    def truth(self, values: Values) -> Truth:
        """Its value, None when absent."""
        return cast("Truth", values.get(self.name))

    def decided_by(self, values: Values) -> frozenset[str]:
        """Itself when present."""
        return frozenset((self.name,)) if self.name in values else frozenset()

    def undecided_by(self, values: Values) -> frozenset[str]:
        """Itself when absent."""
        return frozenset() if self.name in values else frozenset((self.name,))

    @property
    def facts(self) -> frozenset[str]:
        """Itself."""
        return frozenset((self.name,))

    def __str__(self) -> str:
        return self.name


class _Worded(Fact, Generic[Word]):
    """A fact in words of a closed list."""

    __slots__ = ("words",)

    def __init__(self, words: tuple[Word, ...], if_missing: str) -> None:
        super().__init__(if_missing)
        self.words = words

    @property
    def allowed(self) -> str:
        """The words."""
        return ", ".join(self.words)


class Choice(_Worded[Word]):
    """One word of a closed list."""

    __slots__ = ()
    type_name = "choice"

    def read(self, raw: object) -> str:
        """One of the words, exactly."""
        if isinstance(raw, str) and raw in self.words:
            return raw
        raise self.refusal(raw, f"must be one of {self.allowed}; {LEAVE_OUT}")

    def is_(self, word: Word) -> Condition:
        """The fact is this word."""
        return self.compare(operator.eq, word, f"{self.name} = {word}")

    def among(self, *words: Word) -> Condition:
        """The fact is one of these words."""
        return self.compare(_is_among, frozenset(words), f"{self.name} in ({', '.join(words)})")


class Choices(_Worded[Word]):
    """Any words of a closed list; an empty set says that there are none."""

    __slots__ = ()
    type_name = "set"

    def read(self, raw: object) -> frozenset[str]:
        """A list of words, in any order."""
        if not isinstance(raw, (list, tuple, set, frozenset)):
            raise self.refusal(raw, f"must be a list of {self.allowed}; an empty list says there are none")
        for word in raw:
            if not (isinstance(word, str) and word in self.words):
                raise self.refusal(word, f"is not allowed in the list: use {self.allowed}")
        return frozenset(raw)

    def has(self, word: Word) -> Condition:
        """The set holds this word."""
        return self.compare(operator.contains, word, f"{self.name} has {word}")


class Words(Fact):
    """Free text of one line, shown and never compared."""

    __slots__ = ()
    type_name = "text"

    @property
    def allowed(self) -> str:
        """What a reader may write."""
        return "one line of at most 200 characters"

    def read(self, raw: object) -> str:
        """One short line."""
        if isinstance(raw, str) and raw.isprintable() and 0 < len(raw) <= 200:  # noqa: PLR2004 - printed above
            return raw
        raise self.refusal(raw, f"must be {self.allowed}; {LEAVE_OUT}")


class Number(Fact):
    """
    A decimal within bounds, its unit in its name.

    `above` excludes its bound, `least` and `most` include theirs. `endless` is the one word that stands for
    "larger than every number", such as the doubling time of a marker that does not rise.
    """

    __slots__ = ("above", "endless", "least", "most")
    type_name = kind = "number"

    def __init__(
        self,
        if_missing: str,
        *,
        least: Bound | None = None,
        most: Bound | None = None,
        above: Bound | None = None,
        endless: str | None = None,
    ) -> None:
        super().__init__(if_missing)
        self.least, self.most, self.above, self.endless = least, most, above, endless

    @property
    def allowed(self) -> str:
        """The bounds in words."""
        bounds = ((">", self.above), (">=", self.least), ("<=", self.most))
        words = [f"{sign} {bound}" for sign, bound in bounds if bound is not None]
        return " and ".join(words) + (f", or {self.endless}" if self.endless else "")

    def read(self, raw: object) -> Decimal | int:
        """A finite decimal from a JSON number or a decimal string; booleans are refused."""
        if self.endless is not None and raw in (self.endless, ENDLESS):
            return ENDLESS
        number = self._decimal(raw)
        self.check(raw, number)
        return number

    def _decimal(self, raw: object) -> Decimal:
        if isinstance(raw, Decimal) or (isinstance(raw, int) and not isinstance(raw, bool)):
            number = Decimal(raw)
        elif isinstance(raw, str) and _is_decimal(raw.strip()):
            number = Decimal(raw.strip())
        else:
            raise self.refusal(raw, f"must be a {self.kind} {self.allowed}, without a unit; {LEAVE_OUT}")
        if not number.is_finite():
            raise self.refusal(raw, f"must be a finite number {self.allowed}; {LEAVE_OUT}")
        return number

    def check(self, raw: object, number: Bound) -> None:
        """Refuse a number outside the bounds, or larger than anything that is measured."""
        if not -LARGEST_NUMBER <= number <= LARGEST_NUMBER:
            raise self.refusal(raw, f"is larger than any measurement: check the value, {LEAVE_OUT}")
        too_low = (self.least is not None and number < self.least) or (self.above is not None and number <= self.above)
        too_high = self.most is not None and number > self.most
        if too_low or too_high:
            percent = " (did you mean percent? a fraction is 0 to 1)" if self.name.endswith("_fraction") else ""
            raise self.refusal(raw, f"must be {self.allowed}{percent}: check the value and its unit")

    def __lt__(self, limit: Bound) -> Condition:
        return self.compare(operator.lt, limit, f"{self.name} < {limit}")

    def __le__(self, limit: Bound) -> Condition:
        return self.compare(operator.le, limit, f"{self.name} <= {limit}")

    def __gt__(self, limit: Bound) -> Condition:
        return self.compare(operator.gt, limit, f"{self.name} > {limit}")

    def __ge__(self, limit: Bound) -> Condition:
        return self.compare(operator.ge, limit, f"{self.name} >= {limit}")

    def is_(self, number: Bound) -> Condition:
        """The fact is exactly this number."""
        return self.compare(operator.eq, number, f"{self.name} = {number}")


class Whole(Number):
    """A whole number within bounds."""

    __slots__ = ()
    type_name = kind = "whole number"

    def read(self, raw: object) -> int:
        """A whole number, also written 2.0 or as text, as any decimal may be; fractions and booleans are refused."""
        number = raw if type(raw) is int else self._decimal(raw)
        # Never int() before the bounds are checked: of 1e999999 that takes minutes.
        if isinstance(number, Decimal) and number != number.to_integral_value():
            raise self.refusal(raw, f"must be a whole number {self.allowed}; {LEAVE_OUT}")
        self.check(raw, number)
        return int(number)


class Numbers(Fact):
    """A list of decimals, each above zero."""

    __slots__ = ("one",)
    type_name = "list of numbers"

    def __init__(self, if_missing: str) -> None:
        super().__init__(if_missing)
        self.one = Number(if_missing, above=0)

    def __set_name__(self, owner: type, name: str) -> None:
        super().__set_name__(owner, name)
        self.one.name = name

    @property
    def allowed(self) -> str:
        """The bounds of each."""
        return f"each {self.one.allowed}"

    def read(self, raw: object) -> tuple[Decimal, ...]:
        """A list of decimals."""
        if not isinstance(raw, (list, tuple)) or len(raw) > MOST_ITEMS:
            raise self.refusal(raw, f"must be a list of at most {MOST_ITEMS} numbers, each > 0; {LEAVE_OUT}")
        return tuple(Decimal(self.one.read(item)) for item in raw)


class Derived(Number):
    """
    A number that only the core computes, from `inputs`; it is never given, and is named in conditions alone.

    Its answer names the inputs, so that a reader is asked for what he can know.
    """

    __slots__ = ("inputs",)
    type_name = "derived"

    def __init__(self, *inputs: str) -> None:
        super().__init__("derived")
        self.inputs = inputs

    def compare(self, holds: Any, limit: object, text: str) -> Condition:
        """One comparison, decided by the inputs."""
        return Test(self.name, frozenset(self.inputs), holds, limit, text)


class DerivedFlag(Flag):
    """A yes or no that only the core computes, from `inputs`."""

    __slots__ = ("inputs",)
    type_name = "derived"

    def __init__(self, *inputs: str) -> None:
        super().__init__("derived")
        self.inputs = inputs

    def decided_by(self, values: Values) -> frozenset[str]:
        """Its inputs when it could be computed."""
        return frozenset(self.inputs) if self.name in values else frozenset()

    def undecided_by(self, values: Values) -> frozenset[str]:
        """The inputs that are absent."""
        return frozenset() if self.name in values else frozenset(self.inputs) - frozenset(values)

    @property
    def facts(self) -> frozenset[str]:
        """Its inputs."""
        return frozenset(self.inputs)


def _is_among(value: str, words: Container[str]) -> bool:
    return value in words
