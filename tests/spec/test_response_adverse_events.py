"""CTCAE 5 grades of laboratory values at and just past each limit, and the two syndromes after embolisation."""

from decimal import Decimal

import pytest

from connector.core.response.adverse_events import (
    Analyte,
    Answer,
    LabValue,
    LiverAfterRadioembolisation,
    grade,
    post_embolisation_syndrome,
    radioembolisation_induced_liver_disease,
)


def graded(analyte, value, **known):
    given = {name: Decimal(text) if isinstance(text, str) else text for name, text in known.items()}
    return grade(LabValue(Analyte(analyte), Decimal(value), **given))


# CTCAE 5: the last value of each grade and the first of the next.
LADDERS = [
    ("alt", {"upper_normal": "40", "baseline": "40"}, "40:0 40.1:1 120:1 120.1:2 200:2 200.1:3 800:3 800.1:4"),
    ("ast", {"upper_normal": "40", "baseline": "20"}, "40:0 41:1 120:1 121:2 200:2 201:3 800:3 801:4"),
    ("alp", {"upper_normal": "100", "baseline": "90"}, "100:0 101:1 250:1 251:2 500:2 501:3 2000:3 2001:4"),
    ("ggt", {"upper_normal": "60", "baseline": "60"}, "60:0 61:1 150:1 151:2 300:2 301:3 1200:3 1201:4"),
    ("bilirubin", {"upper_normal": "20", "baseline": "20"}, "20:0 21:1 30:1 31:2 60:2 61:3 200:3 201:4"),
    ("alt", {"upper_normal": "40", "baseline": "80"}, "80:0 119.9:0 120:1 240:1 241:2 400:2 401:3 1600:3 1601:4"),
    ("alp", {"upper_normal": "100", "baseline": "110"}, "219:0 220:1 275:1 276:2 550:2 551:3 2200:3 2201:4"),
    ("bilirubin", {"upper_normal": "20", "baseline": "24"}, "24:0 24.1:1 36:1 36.1:2 72:2 72.1:3 240:3 240.1:4"),
    ("inr", {"anticoagulated": False}, "1.2:0 1.21:1 1.5:1 1.51:2 2.5:2 2.51:3 9:3"),
    ("inr", {"anticoagulated": True, "baseline": "2"}, "2:0 2.1:1 3:1 3.1:2 5:2 5.1:3"),
    ("creatinine", {"upper_normal": "90", "baseline": "80"}, "90:0 91:1 120:1 121:2 240:2 241:3 540:3 541:4"),
    ("creatinine", {"upper_normal": "90", "baseline": "40"}, "60:0 61:2 120:2 121:3"),
    ("albumin_g_l", {"lower_normal": "35"}, "35:0 34.9:1 30:1 29.9:2 20:2 19.9:3"),
    ("platelets_1e9_l", {"lower_normal": "150"}, "150:0 149:1 75:1 74:2 50:2 49:3 25:3 24:4"),
    ("neutrophils_1e9_l", {"lower_normal": "1.8"}, "1.8:0 1.7:1 1.5:1 1.49:2 1.0:2 0.99:3 0.5:3 0.49:4"),
    ("haemoglobin_g_l", {"lower_normal": "120"}, "120:0 119:1 100:1 99:2 80:2 79:3"),
]
ROWS = [(analyte, known, *step.split(":")) for analyte, known, ladder in LADDERS for step in ladder.split()]


@pytest.mark.parametrize(("analyte", "known", "value", "expected"), ROWS)
def test_grades_at_and_just_past_each_limit(analyte, known, value, expected):
    answer = graded(analyte, value, **known)
    assert answer.grade == int(expected)
    assert not answer.needs


@pytest.mark.parametrize(
    ("analyte", "value", "known", "expected", "says"),
    [
        ("alt", "130", {"upper_normal": "40"}, 2, "no value before treatment"),
        ("creatinine", "130", {"upper_normal": "90"}, 1, "no value before treatment"),
        ("inr", "1.6", {}, 2, "anticoagulation is not known"),
        ("alt", "130", {"upper_normal": "40", "baseline": "60"}, 1, "abnormal baseline"),
        ("inr", "3.1", {"anticoagulated": True, "baseline": "2"}, 2, "on anticoagulation"),
    ],
)
def test_what_a_grade_stands_on_is_said(analyte, value, known, expected, says):
    answer = graded(analyte, value, **known)
    assert answer.grade == expected
    assert any(says in note for note in answer.notes)


@pytest.mark.parametrize(
    ("analyte", "value", "known", "need"),
    [
        ("alt", "130", {}, "upper limit of normal of ALT"),
        ("creatinine", "130", {"baseline": "80"}, "upper limit of normal of creatinine"),
        ("albumin_g_l", "33", {}, "lower limit of normal of albumin"),
        ("inr", "3", {"anticoagulated": True}, "INR before treatment"),
    ],
)
def test_a_grade_that_cannot_be_given_names_what_it_needs(analyte, value, known, need):
    answer = graded(analyte, value, **known)
    assert answer.grade is None
    assert need in answer.needs[0]


def test_a_low_value_needs_no_limit_of_normal():
    assert graded("albumin_g_l", "29").grade == 2


@pytest.mark.parametrize(
    ("features", "answer"),
    [
        ({"abdominal_pain": True, "fever": True, "nausea_or_vomiting": True}, Answer.YES),
        ({"abdominal_pain": True, "fever": True}, Answer.UNKNOWN),
        ({"abdominal_pain": True, "fever": False}, Answer.NO),
        ({}, Answer.UNKNOWN),
    ],
)
def test_post_embolisation_syndrome(features, answer):
    assert post_embolisation_syndrome(features).answer is answer


FULL = {
    "weeks": Decimal(8),
    "jaundice": True,
    "massive_ascites": True,
    "biliary_obstruction": False,
    "liver_progression": False,
}


@pytest.mark.parametrize(
    ("change", "answer", "why"),
    [
        ({}, Answer.YES, "two months after treatment, all signs, nothing else explains them"),
        ({"weeks": Decimal(18)}, Answer.YES, "four months"),
        ({"weeks": Decimal("18.1")}, Answer.NO, "later"),
        ({"weeks": Decimal("7.9")}, Answer.NO, "earlier"),
        ({"jaundice": False}, Answer.NO, "no jaundice"),
        ({"biliary_obstruction": True}, Answer.NO, "an obstruction explains it"),
        ({"liver_progression": True}, Answer.NO, "progression explains it"),
        ({"biliary_obstruction": None}, Answer.UNKNOWN, "an obstruction was not ruled out"),
        ({"weeks": None, "jaundice": False}, Answer.NO, "a no outweighs what is not known"),
        (dict.fromkeys(FULL), Answer.UNKNOWN, "nothing is known"),
    ],
)
def test_radioembolisation_induced_liver_disease(change, answer, why):
    suspicion = radioembolisation_induced_liver_disease(LiverAfterRadioembolisation(**(FULL | change)))
    assert suspicion.answer is answer, why
    assert bool(suspicion.needs) is (answer is Answer.UNKNOWN)
