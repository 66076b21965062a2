"""Yes, no and unknown: the logic of conditions, and which facts an answer names."""

import itertools

import pytest

from connector.core.catalogue import Facts, Sums
from connector.core.rules import ALWAYS

A, B, C = Facts.jaundice, Facts.cirrhosis, Facts.renal_failure


def values(left, right):
    return {name: truth for name, truth in (("jaundice", left), ("cirrhosis", right)) if truth is not None}


def kleene_and(left, right):
    return min((left, right), key=lambda truth: {False: 0, None: 1, True: 2}[truth])


@pytest.mark.parametrize(("left", "right"), list(itertools.product((True, False, None), repeat=2)))
def test_and_or_not_follow_kleene(left, right):
    given = values(left, right)
    expected = kleene_and(left, right)
    assert (A & B).truth(given) is expected
    opposite = kleene_and(*(None if truth is None else not truth for truth in (left, right)))
    assert (A | B).truth(given) is (None if opposite is None else not opposite)
    assert (~A).truth(given) is (None if left is None else not left)


def test_chains_are_flat():
    assert len((A & B & C).parts) == 3
    assert len((A | B | C).parts) == 3


@pytest.mark.parametrize(
    ("condition", "given", "decided", "undecided", "why"),
    [
        (A & B, {"jaundice": False}, {"jaundice"}, set(), "one no decides, whatever the other is"),
        (A & B, {"jaundice": False, "cirrhosis": True}, {"jaundice"}, set(), "the yes decided nothing"),
        (~(A & B), {"jaundice": True, "cirrhosis": False}, {"cirrhosis"}, set(), "the no decided, and not keeps it"),
        (A | B, {"jaundice": True, "cirrhosis": False}, {"jaundice"}, set(), "the no decided nothing"),
        (A & B, {"jaundice": True, "cirrhosis": True}, {"jaundice", "cirrhosis"}, set(), "a yes needs both"),
        (A & B, {"jaundice": True}, set(), {"cirrhosis"}, "only the absent one is asked for"),
        (A | B, {"jaundice": True}, {"jaundice"}, set(), "one yes decides"),
        (A | B, {"jaundice": False}, set(), {"cirrhosis"}, "the other may still say yes"),
        (A | (B & C), {"jaundice": False, "cirrhosis": False}, {"jaundice", "cirrhosis"}, set(), "both sides are no"),
        (~(A & B), {"jaundice": True}, set(), {"cirrhosis"}, "not keeps what is unknown"),
        (~(A & B), {"jaundice": False}, {"jaundice"}, set(), "not keeps what decided"),
        (ALWAYS, {}, set(), set(), "a static statement needs nothing"),
        (Sums.lung_activity_gbq > 1, {"lung_shunt_fraction": 1}, set(), {"prescribed_activity_gbq"},
         "a derived number asks for its inputs"),
        (Sums.recist_shrunk_by_30_percent, {}, set(), {"recist_sum_current_mm", "recist_sum_baseline_mm"},
         "a derived flag asks for its inputs"),
        (Sums.recist_shrunk_by_30_percent, {"recist_shrunk_by_30_percent": True},
         {"recist_sum_current_mm", "recist_sum_baseline_mm"}, set(), "a derived flag names its inputs"),
        (Facts.ecog_ps >= 3, {"ecog_ps": 3}, {"ecog_ps"}, set(), "a comparison names its fact"),
        (Facts.ecog_ps >= 3, {}, set(), {"ecog_ps"}, "a comparison asks for its fact"),
    ],
)  # fmt: skip
def test_an_answer_names_its_facts(condition, given, decided, undecided, why):
    assert (condition.decided_by(given), condition.undecided_by(given)) == (decided, undecided), why


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (ALWAYS, "always"),
        ((A | B) & ~C, "(jaundice or cirrhosis) and not renal_failure"),
        ((A & B) | C, "(jaundice and cirrhosis) or renal_failure"),
        (~(A | B), "not (jaundice or cirrhosis)"),
        (~(A & B), "not (jaundice and cirrhosis)"),
        (Facts.child_pugh_score > 7, "child_pugh_score > 7"),
        (Facts.child_pugh_score.is_(7), "child_pugh_score = 7"),
        (Facts.liver_symptoms.has("itching"), "liver_symptoms has itching"),
        (Facts.histology.among("PTC", "FTC"), "histology in (PTC, FTC)"),
    ],
)
def test_a_condition_reads_as_a_sentence(condition, text):
    assert str(condition) == text


@pytest.mark.parametrize(
    ("condition", "facts"),
    [
        (ALWAYS, set()),
        ((A | B) & ~C, {"jaundice", "cirrhosis", "renal_failure"}),
        (Sums.recist_shrunk_by_30_percent, {"recist_sum_current_mm", "recist_sum_baseline_mm"}),
    ],
)
def test_a_condition_knows_all_its_facts(condition, facts):
    assert condition.facts == facts
