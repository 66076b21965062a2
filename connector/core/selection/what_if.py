"""The same case with one fact changed, judged fast enough to try every fact and every value of it."""

from connector.core.case import FactValue
from connector.core.rules import Values
from connector.core.selection.engine import Case, completed
from connector.core.selection.reading_order import truths, truths_after


class WhatIf:
    """Answers for one case with single facts changed; only what depends on the change is judged again."""

    def __init__(self, given: Values) -> None:
        self._given = given
        self._values, _ = completed(given)
        self._truths = truths(self._values)

    def first_answer(self, name: str, value: FactValue) -> tuple[str, tuple[str, ...]]:
        """Get the status and the preferred options that `select` would give if this fact had this value."""
        given = {**self._given, name: value}
        if name == "child_pugh_score":  # a new one is of today
            given.pop("child_pugh_score_age_days", None)
        values, contradicting = completed(given)
        changed = [name for name in values if values[name] != self._values.get(name)]
        changed += [name for name in self._values if name not in values]
        decision = Case(values, contradicting, truths_after(self._truths, values, changed)).decide()
        return decision.status, tuple(standing.modality for standing in decision.standings if standing.rank == 1)
