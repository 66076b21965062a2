"""All conflicts and gaps of the sources, and which of them touched a case."""

from collections.abc import Iterable

from connector.core.rules import Values
from connector.core.selection import conflicts_dose, conflicts_evidence, conflicts_liver
from connector.core.selection.conflict import Conflict

CONFLICTS: tuple[Conflict, ...] = (
    *conflicts_liver.CONFLICTS,
    *conflicts_dose.CONFLICTS,
    *conflicts_evidence.CONFLICTS,
)


def touching(values: Values, fired: Iterable[str]) -> tuple[str, ...]:
    """Ids of the conflicts that the facts or the rules that fired ran into, in the order of the manual."""
    fired = frozenset(fired)
    return tuple(
        conflict.id
        for conflict in CONFLICTS
        if not fired.isdisjoint(conflict.rules) or (conflict.when is not None and conflict.when.truth(values) is True)
    )
