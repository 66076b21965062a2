"""How the report words facts, numbers and names for a person."""

from datetime import date
from decimal import Decimal

import pytest

from connector.core.case import PatientIdentity
from connector.core.response.case import Policies
from connector.core.vocabulary import MODALITIES
from connector.report import words


@pytest.mark.parametrize(
    ("name", "value", "expected", "why"),
    [
        ("bilirubin_total_umol_l", Decimal("11.0"), "bilirubin total: 11.0 µmol/L", "digits and unit are kept"),
        ("surgical_candidate", False, "surgical candidate: no", "a no is a no"),
        ("liver_lobes_involved", "bilobar", "liver lobes involved: bilobar", "a word stands for itself"),
        ("liver_lesion_diameters_mm", (Decimal(20), Decimal(12)), "liver lesion diameters: 20, 12 mm", "in order"),
        ("progressing_sites", frozenset({"lymph_node", "bone"}), "progressing sites: bone, lymph node", "sorted"),
        ("men2_status", "men2a", "MEN2 status: MEN2A", "as it is spelt"),
        ("progressing_sites", frozenset(), "progressing sites: none", "an empty set was stated"),
        ("energy_per_activity_j_gbq", "49.67", "energy per activity: 49.67 J/GBq", "a constant's unit is compound"),
        ("half_life_h", "64.1", "half life: 64.1 h", "hours"),
    ],
)
def test_a_fact_with_its_value(name, value, expected, why):
    assert words.fact_with_value(name, value) == expected, why


@pytest.mark.parametrize(
    ("born", "on", "years"),
    [
        (date(1961, 2, 3), date(2026, 2, 2), 64),
        (date(1961, 2, 3), date(2026, 2, 3), 65),
        (date(1960, 2, 29), date(2026, 2, 28), 65),
        (date(1960, 2, 29), date(2026, 3, 1), 66),
    ],
)
def test_age_counts_completed_years(born, on, years):
    assert words.age_years(born, on) == years


@pytest.mark.parametrize(
    ("text", "expected"), [("31.5", "+31.5 %"), ("-14.1", "\u221214.1 %"), ("0.0", "0.0 %"), (None, words.NO_VALUE)]
)
def test_a_change_has_its_sign(text, expected):
    assert words.percent(text) == expected


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([], ""),
        (["a", "b"], "a, b"),
        (["a", "b", "c"], "a, b and 1 more (elsewhere)"),
    ],
)
def test_a_long_list_counts_what_it_leaves_out(items, expected):
    assert words.listed(items, 2, "elsewhere") == expected


@pytest.mark.parametrize(
    ("family", "given", "expected"),
    [
        ("Fictitious", "Demo", "Fictitious, Demo"),
        ("Fictitious", None, "Fictitious"),
        (" de  la\nCruz ", "", "de la Cruz"),
        (None, None, "not known"),
    ],
)
def test_a_name_stands_family_first(family, given, expected):
    assert words.full_name(PatientIdentity((), family, given)) == expected


def test_every_treatment_has_a_name():
    assert set(words.TREATMENTS) == set(MODALITIES)


def test_no_value_of_a_statistic_is_a_dash():
    assert (words.tenths(None), words.tenths(44.48)) == (words.NO_VALUE, "44.5")


@pytest.mark.parametrize(
    ("name", "expected", "why"),
    [
        ("lung_pattern", "lung pattern (macronodular or miliary)", "the two answers"),
        ("portal_vein_thrombosis", "portal vein thrombosis (none, branch or main)", "three"),
        ("histology", "histology", "seven are too many"),
        ("inr", "INR", "a number"),
        ("fact_of_a_newer_version", "fact of a newer version", "what this version does not know"),
    ],
)
def test_a_fact_that_is_asked_for_names_its_answers_where_they_are_few(name, expected, why):
    assert words.asked(name) == expected, why


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("confirm", "false", "response must be confirmed: no"),
        ("confirm_days", "28", "days to a confirmation, at least: 28"),
        ("continuing_response", "per_visit", "a response that goes on: per visit"),
        ("mrecist_5_mm", "true", "mRECIST asks for 5 mm of growth: yes"),
        ("of_a_newer_version", "x", "of a newer version: x"),
    ],
)
def test_a_policy_in_words(name, value, expected):
    assert words.policy(name, value) == expected


def test_every_policy_has_words():
    assert set(words.POLICIES) == set(Policies().as_text())


@pytest.mark.parametrize(
    ("more", "expected"),
    [(1, "1 more measure is in the structured report."), (2, "2 more measures are in the structured report.")],
)
def test_what_is_left_out_is_counted(more, expected):
    assert words.left_out(more, "measure") == expected
