"""Collects what the resources of one patient say: facts, references, series, and everything that was not used."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from connector.core.case import FactValue
from connector.core.catalogue import read_fact
from connector.core.errors import BadCase
from connector.core.evidence import Observed, Skipped
from connector.fhir.resource import Json, origin_of, reference_of


class Unusable(ValueError):
    """A resource says nothing that can be used; the text is the reason, without patient data."""


def origin_of_all(resources: Iterable[Json]) -> str:
    """Origins of a fact that several resources state together, separated by blanks."""
    return " ".join(sorted({origin_of(resource) for resource in resources}))


@dataclass(slots=True)
class RecordNotes:
    """What has been read so far; a fact that two resources state differently is dropped and both are named."""

    facts: dict[str, Observed[FactValue]] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)
    series: dict[str, tuple[Observed[Decimal], ...]] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    treatments: list[Observed[str]] = field(default_factory=list)
    _contradicted: set[str] = field(default_factory=set)

    def skip(self, resource: Json, reason: str) -> None:
        """Note that a resource was not used."""
        self.skipped.append(Skipped(reference_of(resource), reason))

    def state(self, name: str, value: FactValue, resources: Iterable[Json], observed_on: date | None) -> None:
        """
        Note a fact that the catalogue allows.

        Of two different values the later one stands; undated or of one day, neither does.
        """
        origin = origin_of_all(resources)
        try:
            new: Observed[FactValue] = Observed(read_fact(name, value), origin, observed_on)
        except BadCase as fault:
            self.skipped.append(Skipped(origin, f"{name} {fault.message}"))
            return
        old = self.facts.get(name)
        if name in self._contradicted:
            self._set_aside(name, new)
        elif old is None or old.value == new.value:
            if old is None or _later(new, old):
                self.facts[name] = new
        elif _later(new, old) or _later(old, new):
            stands, replaced = (new, old) if _later(new, old) else (old, new)
            self.facts[name] = stands
            self.skipped.append(Skipped(replaced.origin, f"{name}: a later resource says otherwise"))
        else:
            self._contradicted.add(name)
            del self.facts[name]
            self._set_aside(name, old)
            self._set_aside(name, new)

    def _set_aside(self, name: str, fact: Observed[FactValue]) -> None:
        reason = f"{name}: the record contradicts itself, so neither value is used; correct the record"
        self.skipped.append(Skipped(fact.origin, reason))


def _later(one: Observed[FactValue], other: Observed[FactValue]) -> bool:
    return bool(one.observed_on and other.observed_on and one.observed_on > other.observed_on)
