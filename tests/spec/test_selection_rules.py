"""Every typed rule against the reviewed catalogue, read by an evaluator that shares no code with the rules."""

import ast
import itertools
import json
import operator
import random
import re
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest

from connector.core import sources
from connector.core.catalogue import FACTS
from connector.core.fact_types import Choice, Choices, Flag, Number, Whole
from connector.core.rules import Kind, marks_in_words
from connector.core.selection.conflicts import touching
from connector.core.selection.derived import add_sums
from connector.core.selection.registry import CITED, RULE, RULES
from connector.core.sources import SOURCES
from connector.core.vocabulary import MODALITIES

CATALOGUE = json.loads((Path(__file__).parents[1] / "published" / "rules.json").read_text())["rules"]
ABSENT = object()
MOST_ROWS = 1500
COMPARE = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Eq: operator.eq,
    ast.NotEq: operator.ne, ast.In: lambda item, group: item in group,
}  # fmt: skip
COMPUTE = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}


def number(node):
    return Decimal(str(ast.literal_eval(node)))


def value_of(node, facts):
    """A fact, a constant or arithmetic over them; ABSENT when any part is."""
    if isinstance(node, ast.Name):
        return facts.get(node.id, ABSENT)
    if isinstance(node, ast.BinOp):
        sides = value_of(node.left, facts), value_of(node.right, facts)
        return ABSENT if ABSENT in sides else COMPUTE[type(node.op)](*sides)
    if isinstance(node, ast.List):
        return [item.value for item in node.elts]
    constant = ast.literal_eval(node)
    return constant if isinstance(constant, str) else number(node)


def kleene(node, facts):
    """Three-valued truth of a catalogue condition, written apart from the one under test."""
    if isinstance(node, ast.BoolOp):
        answers = [kleene(part, facts) for part in node.values]
        decisive = isinstance(node.op, ast.Or)
        if decisive in answers:
            return decisive
        return None if None in answers else not decisive
    if isinstance(node, ast.UnaryOp):
        answer = kleene(node.operand, facts)
        return None if answer is None else not answer
    if isinstance(node, ast.Compare):
        left, right = value_of(node.left, facts), value_of(node.comparators[0], facts)
        return None if ABSENT in (left, right) else COMPARE[type(node.ops[0])](left, right)
    if node.id == "true":
        return True
    answer = facts.get(node.id, ABSENT)
    return None if answer is ABSENT else answer


def limits_of(tree, name):
    """The numbers a condition compares a fact with, alone or in a sum."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and not isinstance(node.ops[0], ast.In):
            names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
            if name in names:
                constants = [part for part in ast.walk(node) if isinstance(part, ast.Constant)]
                found |= {number(part) for part in constants if not isinstance(part.value, str)}
                found |= {-number(part.operand) for part in ast.walk(node) if isinstance(part, ast.UnaryOp)}
    return found


def is_allowed(fact, candidate):
    try:
        fact.read(candidate)
    except Exception:  # noqa: BLE001 - any refusal means that the value is not a row
        return False
    return True


def candidates(tree, name):
    """Absent, and values at, just below and just past every limit; every word; both answers."""
    fact = FACTS[name]
    if isinstance(fact, Flag):
        return [ABSENT, True, False]
    if isinstance(fact, Choice):
        return [ABSENT, *fact.words]
    if isinstance(fact, Choices):
        return [ABSENT, frozenset(), *(frozenset({word}) for word in fact.words), frozenset(fact.words)]
    assert isinstance(fact, Number)
    step = 1 if isinstance(fact, Whole) else Decimal("0.1")
    values = {limit + shift for limit in limits_of(tree, name) for shift in (-step, 0, step)}
    values |= {Decimal(10), Decimal(60), Decimal(fact.most or 0), Decimal(fact.least or 0)}
    values = {int(value) for value in values} if isinstance(fact, Whole) else values
    return [ABSENT, *(value for value in sorted(values) if is_allowed(fact, value))]


def not_against(tree, name, value):
    """Whether one value alone leaves the condition open."""
    return value is not ABSENT and kleene(tree, {name: value}) is not False


def rows_of(row):
    tree = ast.parse(row["when"], mode="eval").body
    names = sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - {"true"})
    choices = [candidates(tree, name) for name in names]
    size = 1
    for choice in choices:
        size *= len(choice)
    if size <= MOST_ROWS:
        combinations = itertools.product(*choices)
    else:
        chance = random.Random(row["id"])  # noqa: S311 - the same rows on every run
        combinations = [tuple(chance.choice(choice) for choice in choices) for _ in range(MOST_ROWS)]
        fitting = [
            [one for one in choice if not_against(tree, name, one)] for name, choice in zip(names, choices, strict=True)
        ]
        combinations += [tuple(chance.choice(choice) for choice in fitting) for _ in range(MOST_ROWS)]
        # Neighbours of rows that fire, so that every limit is met with everything else decided.
        firing = [combination for combination in combinations if kleene(tree, given(names, combination)) is True]
        for combination in firing[:20]:
            for place, choice in enumerate(choices):
                combinations += [(*combination[:place], other, *combination[place + 1 :]) for other in choice]
    return tree, [given(names, combination) for combination in combinations]


def given(names, combination):
    return {name: value for name, value in zip(names, combination, strict=True) if value is not ABSENT}


def test_the_catalogue_and_the_rows_name_the_same_rules():
    reviewed, written = {row["id"] for row in CATALOGUE}, {rule.id for rule in CITED}
    assert written - reviewed == set(), "each rule needs its reviewed row in tests/published/rules.json"
    assert reviewed - written == set(), "each row needs its rule in connector/core/selection, in a file of registry.py"
    assert len(CATALOGUE) == len(CITED) == 340
    assert len(RULE) == len(RULES), "two rules have one id"


def test_no_two_publications_have_one_short_name():
    assert len(SOURCES) == sum(isinstance(one, sources.Source) for one in vars(sources).values())


def test_the_rules_of_our_own_are_few_and_marked_as_such():
    own = [rule for rule in RULES if rule not in CITED]
    named = {rule.id for rule in own if not rule.id.startswith(("HOUSE-DECLINED-", "HOUSE-NOT-HERE-"))}
    assert named == {
        "HOUSE-SURGERY-NO", "HOUSE-SYSTEMIC-NO", "HOUSE-RAI-NOT-AVID", "HOUSE-STABLE", "HOUSE-LIVER-FUNCTION-STALE",
        "HOUSE-COAG-CORRECTED", "HOUSE-TARE-BREASTFEEDING", "HOUSE-RESIN-SHUNT-10", "HOUSE-RESIN-SHUNT-20",
        "HOUSE-NO-RULE-SET", "HOUSE-BOARD-NO-RULE-SET", "HOUSE-LIVER-FAILURE", "HOUSE-SURGERY-LIVER-INSUFFICIENCY",
        "HOUSE-CEMENT-NOT-LYTIC", "HOUSE-LIFE-3", "HOUSE-PHEO",
        "HOUSE-UNIT-BILIRUBIN", "HOUSE-UNIT-ALBUMIN", "HOUSE-UNIT-CREATININE", "HOUSE-UNIT-RAI",
        "HOUSE-UNIT-LUNG", "HOUSE-UNIT-LIVER", "HOUSE-UNIT-SIZE",
    }  # fmt: skip
    assert all(rule.derived and rule.cite.source == "House rule" for rule in own), "no paper says so"
    assert {rule.kind for rule in RULES} <= set(get_args(Kind))
    for prefix, kept in (("HOUSE-DECLINED-", {"board_only"}), ("HOUSE-NOT-HERE-", {"board_only", "systemic_therapy"})):
        found = {rule.id: rule.options for rule in own if rule.id.startswith(prefix)}
        assert found == {f"{prefix}{one}": (one,) for one in MODALITIES if one not in kept}
    assert {option for rule in own for option in rule.options} <= set(MODALITIES)


def figures(words):
    """The conflicts and the numbers that stand in a text."""
    conflicts = set(re.findall(r"CON-[A-Z0-9-]+", words))
    return conflicts | set(re.findall(r"\d+(?:\.\d+)?", re.sub(r"CON-[A-Z0-9-]+", "", words)))


@pytest.mark.parametrize("row", CATALOGUE, ids=lambda row: row["id"])
def test_a_rule_says_what_its_source_says(row):
    rule = RULE[row["id"]]
    assert (rule.verdict, rule.kind) == (row["verdict"], row["kind"])
    assert figures(row["says"]) <= figures(rule.says), "the sentence keeps every number and conflict of the catalogue"
    assert set(rule.options) == set(row["options"])
    assert list(rule.requirement_for) == row["requirement_for"]
    assert (rule.derived, rule.strength_read) == (row["derived"], row["strength_read"])
    assert rule.cite.quote == row["quote"]
    if rule.cite.source == row["found_in"]:
        assert rule.cite.locus == row["locus"]
    else:  # a guideline that a publication tells of in one of its tables
        assert rule.cite.locus == f"{row['locus'][:7]} of {row['found_in']}"
        assert rule.cite.source.split()[0] in row["locus"]
    assert rule.cite.source in SOURCES


@pytest.mark.parametrize("row", CATALOGUE, ids=lambda row: row["id"])
def test_a_rule_fires_where_its_condition_holds(row):
    condition = RULE[row["id"]].when
    tree, rows = rows_of(row)
    answers = set()
    for facts in rows:
        expected = kleene(tree, facts)
        values = dict(facts)
        add_sums(values)
        assert condition.truth(values) is expected, facts
        assert bool(condition.undecided_by(values)) is (expected is None), facts
        assert condition.undecided_by(values).isdisjoint(facts)
        assert condition.decided_by(values) <= set(facts)
        assert bool(condition.decided_by(values)) is (expected is not None and bool(facts)), facts
        answers.add(expected)
    if row["when"] == "true":
        assert answers == {True}
    elif row["id"] in NEVER_FALSE:
        assert answers == {True, None}
    else:
        assert answers == {True, False, None}, "rows that fire, do not fire and are unknown"


def comparisons(tree):
    """Every comparison with a number, and the facts in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and not isinstance(node.ops[0], ast.In):
            parts = list(ast.walk(node))
            if any(isinstance(part, ast.Constant) and not isinstance(part.value, str) for part in parts):
                yield node, sorted({part.id for part in parts if isinstance(part, ast.Name)})


def around_the_limit(node, name, facts):
    """One step below, at and one step past the value of a fact at which a comparison, which is linear in it, turns."""
    below, above = ({**facts, name: Decimal(at)} for at in (0, 1))
    start, end = (value_of(node.left, one) - value_of(node.comparators[0], one) for one in (below, above))
    limit, whole = start / (start - end), isinstance(FACTS[name], Whole)
    values = [limit + step for step in ((-1, 0, 1) if whole else (Decimal("-0.0001"), 0, Decimal("0.0001")))]
    return [value for value in ([int(one) for one in values] if whole else values) if is_allowed(FACTS[name], value)]


LIMITED_BY = [row for row in CATALOGUE if any(comparisons(ast.parse(row["when"])))]


@pytest.mark.parametrize("row", LIMITED_BY, ids=lambda row: row["id"])
def test_a_rule_turns_exactly_at_each_of_its_limits(row):
    condition = RULE[row["id"]].when
    tree, rows = rows_of(row)
    firing = [facts for facts in rows if kleene(tree, facts) is True]
    for node, names in comparisons(tree):
        for name in names:
            answers = set()
            for facts in (one for one in firing if set(names) <= set(one)):
                for value in around_the_limit(node, name, facts):
                    values = {**facts, name: value}
                    expected = kleene(tree, values)
                    add_sums(values)
                    assert condition.truth(values) is expected, values
                    answers.add(expected)
                if {True, False} <= answers:
                    break
            assert {True, False} <= answers or row["id"] in NEVER_FALSE, (ast.unparse(node), name, answers)


# A static statement touches no ranking, so that its conflict is not told of every case; the last one names the value
# just below its own limit, which is what its sources leave open.
NAMED_BESIDE = {"TARED-PENETR", "SYS-TKI-TRIALS", "STRAT-ATA-HIGH-FTC"}
NAMING = [row for row in CATALOGUE if "CON-" in RULE[row["id"]].says]


@pytest.mark.parametrize("row", NAMING, ids=lambda row: row["id"])
def test_a_conflict_that_a_rule_names_is_told_of_every_case_in_which_it_fires(row):
    rule = RULE[row["id"]]
    tree, rows = rows_of(row)
    named = {name for name in figures(rule.says) if name.startswith("CON-")}
    told = [named & set(touching(facts, [rule.id])) for facts in rows if kleene(tree, facts) is True]
    assert told
    assert all(one == (set() if rule.id in NAMED_BESIDE else named) for one in told)


# Their limit is the lowest value the fact can have.
NEVER_FALSE = {
    "GEN-LIFE", "TARE-LUNG-OVEREST", "TAREW-MAA150", "TARED-BSA-FORMULA", "TARED-TN", "RAI-MARROW", "RAI-DOSIM",
    "RAI-SPECT", "RESP-RECIST", "RESP-VIABLE",
}  # fmt: skip


def test_every_rule_speaks_in_a_whole_sentence():
    for rule in RULES:
        assert rule.says[0].isupper() or rule.says.startswith(("99mTc", "90Y", "177Lu")), rule.id
        assert rule.says.endswith("."), rule.id
        assert len(rule.says.split()) >= 4, rule.id
        assert "  " not in rule.says, rule.id
        assert "DERIVED" not in rule.says, "the mark is added, not written"


def test_flags_that_need_a_clinician_are_in_the_text():
    for rule in RULES:
        assert ("DERIVED" in rule.text) is rule.derived, rule.id
        assert ("STRENGTH READ" in rule.text) is rule.strength_read, rule.id


def test_on_a_page_the_flags_stay_and_read_as_words():
    for rule in RULES:
        said = marks_in_words(rule.text)
        assert said.startswith(rule.says), rule.id
        assert ("(our reading, confirm)" in said) is rule.derived, rule.id
        assert ("(our grading, confirm)" in said) is rule.strength_read, rule.id
        assert "[" not in said.removeprefix(rule.says), rule.id


def test_no_rule_cites_a_file_name():
    assert not [rule.id for rule in RULES if ".txt" in str(rule.cite) or "seed" in rule.text.lower()]
