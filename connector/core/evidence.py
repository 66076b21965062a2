"""What every decision stands on: a value, where it came from, and when it was observed."""

from dataclasses import dataclass
from datetime import date
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Observed(Generic[T_co]):
    """
    A value with its origin.

    `origin` is a resource with version (`Observation/17/_history/3`), a SOP Instance UID, `case` for a fact that a
    script gave, or `derived:` and the name of the function. `observed_on` is the clinical date, None when not known.
    """

    value: T_co
    origin: str
    observed_on: date | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a clinical statement stands: the source's short name, the place in it, and its words where quoted."""

    source: str
    locus: str
    quote: str = ""

    def __str__(self) -> str:
        return f"{self.source}, {self.locus}"


@dataclass(frozen=True, slots=True)
class Skipped:
    """An input that was not used, and why; `where` is a file name, a SOP Instance UID or a resource id."""

    where: str
    reason: str
