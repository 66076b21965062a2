"""All conflicts and gaps of the sources, and which of them touched a case."""

from collections.abc import Iterable, Mapping

from connector.core.rules import Values
from connector.core.selection import conflicts_dose, conflicts_evidence, conflicts_liver
from connector.core.selection.conflict import Conflict

CONFLICTS: tuple[Conflict, ...] = (
    *conflicts_liver.CONFLICTS,
    *conflicts_dose.CONFLICTS,
    *conflicts_evidence.CONFLICTS,
)


_BY_RULE: Mapping[str, frozenset[str]] = {
    rule: frozenset(conflict.id for conflict in CONFLICTS if rule in conflict.rules)
    for rule in frozenset().union(*(conflict.rules for conflict in CONFLICTS))
}
_BY_FACTS = tuple((conflict.id, conflict.when.truth) for conflict in CONFLICTS if conflict.when is not None)
_PLACE = {conflict.id: place for place, conflict in enumerate(CONFLICTS)}


def touching(values: Values, fired: Iterable[str]) -> tuple[str, ...]:
    """Ids of the conflicts that the facts or the rules that fired ran into, in the order of the manual."""
    touched = {conflict for conflict, truth in _BY_FACTS if truth(values)}
    touched.update(*[_BY_RULE[rule] for rule in _BY_RULE.keys() & fired])
    return tuple(sorted(touched, key=_PLACE.__getitem__))
