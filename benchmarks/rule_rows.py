"""Asks the rows of a changed rule alone, in this process: most faults in a table of rules are noticed there at once."""

import sys
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from connector.core.rules import Rule


class RuleRows:
    """
    The rules of one file, and the tests of `test_selection_rules.py` that read them against the reviewed catalogue.

    A fault that they do not notice is left to every other test, in a process of its own.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tests: ModuleType | None = next(
            (one for name, one in sys.modules.items() if name.endswith("test_selection_rules")), None
        )
        source = path.read_text(encoding="utf-8")
        self.rules = self._rules(compile(source, str(path), "exec")) if "RULES: tuple[Rule" in source else {}
        self.rows = {row["id"]: row for row in self.tests.CATALOGUE} if self.tests else {}

    def notice(self, code: CodeType) -> bool:
        """Whether the rows of the rules that the code changes do."""
        if self.tests is None or not self.rules or not self.rules.keys() <= self.rows.keys():
            return False
        try:
            changed = self._rules(code)
            if changed.keys() != self.rules.keys():
                return True
            for name, rule in changed.items():
                if _told(rule) != _told(self.rules[name]):
                    self._ask(name, rule)
        except (Exception, SystemExit):  # noqa: BLE001 - a mutant may raise anything at all
            return True
        return False

    def _rules(self, code: CodeType) -> dict[str, Rule]:
        names: dict[str, Any] = {"__name__": self.path.stem, "__file__": str(self.path)}
        exec(code, names)  # noqa: S102 - this is what an import does
        return {rule.id: rule for rule in names["RULES"]}

    def _ask(self, name: str, rule: Rule) -> None:
        assert self.tests is not None
        kept = self.tests.RULE
        self.tests.RULE = {**kept, name: rule}  # type: ignore[attr-defined]
        try:
            self.tests.test_a_rule_says_what_its_source_says(self.rows[name])
            self.tests.test_a_rule_fires_where_its_condition_holds(self.rows[name])
        finally:
            self.tests.RULE = kept  # type: ignore[attr-defined]


def _told(rule: Rule) -> tuple[str, ...]:
    return str(rule.when), repr(rule.when), repr(rule)
