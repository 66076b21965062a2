"""Best overall response with and without confirmation, and the durations: RECIST 1.1 Table 3 and its notes as rows."""

from datetime import date, timedelta

import pytest

from connector.core.response.best_response import Assessed
from connector.core.response.case import AfterComplete, Policies, Response
from connector.core.response.conclusion import conclude

START = date(2024, 1, 1)
WORDS = {"NON": "NON-CR/NON-PD"}


def sequence(text):
    """Read "29:PR 57:CR": the day after the start, and the response."""
    pairs = (one.split(":") for one in text.split())
    return [Assessed(START + timedelta(int(day)), Response(WORDS.get(word, word))) for day, word in pairs]


def concluded(text, **policies):
    return conclude(sequence(text), START, Policies(**policies))


def day_of(best):
    return None if best.on is None else (best.on - START).days


# Table 3: the two visits are 28 days apart; the first is day 28 (minimum for SD not met) or day 56 (met).
TABLE_3 = [
    ("28:CR 56:CR", "CR", "confirmed"),
    ("28:CR 56:PR", "PD", "note a: progression at day 56, and the CR itself was too early for SD"),
    ("56:CR 84:PR", "SD", "note a: progression, after an SD long enough"),
    ("56:CR 84:SD", "SD", "SD long enough"),
    ("28:CR 40:SD", "PD", "SD too early, and disease after CR is progression"),
    ("56:CR 84:PD", "SD", "SD long enough"),
    ("28:CR 56:PD", "PD", "too early for SD"),
    ("56:CR 84:NE", "SD", "SD long enough"),
    ("28:CR 56:NE", "NE", "too early for SD"),
    ("28:PR 56:CR", "PR", "the CR confirms the PR, and is itself not confirmed"),
    ("28:PR 56:PR", "PR", "confirmed"),
    ("28:PR 56:SD", "SD", "not confirmed"),
    ("56:PR 84:PD", "SD", "SD long enough"),
    ("28:PR 56:PD", "PD", "too early for SD"),
    ("56:PR 84:NE", "SD", "SD long enough"),
    ("28:PR 56:NE", "NE", "too early for SD"),
    ("28:NE 56:NE", "NE", "nothing was ever evaluable"),
]


@pytest.mark.parametrize(("visits", "expected", "why"), TABLE_3)
def test_table_3(visits, expected, why):
    assert concluded(visits).confirmed_best_overall_response.response == expected, why


@pytest.mark.parametrize(
    ("visits", "policies", "expected", "day", "why"),
    [
        ("28:PR 56:PR", {}, "PR", 28, "exactly four weeks later; dated at the first of the two"),
        ("28:PR 55:PR", {}, "SD", 55, "27 days are not enough; the second visit is SD on its own"),
        ("28:PR 300:PR", {}, "PR", 28, "there is no longest interval"),
        ("14:PR 28:PR 42:PR", {}, "PR", 14, "the third confirms the first"),
        ("28:PR 56:NE 84:PR", {}, "PR", 28, "one NE between is accepted"),
        ("28:PR 56:NE 84:PR", {"max_ne": 0}, "SD", 84, "unless the protocol says no"),
        ("28:PR 56:NE 70:NE 84:PR", {}, "SD", 84, "two are too many"),
        ("28:PR 56:NE 70:NE 84:PR", {"max_ne": 2}, "PR", 28, "unless the protocol says two"),
        ("28:PR 56:SD 84:PR", {}, "SD", 56, "no SD between by default"),
        ("28:PR 56:SD 84:PR", {"accept_sd": True}, "PR", 28, "unless the protocol accepts it"),
        ("28:PR 56:SD 70:SD 84:CR", {"accept_sd": True}, "PR", 28, "any number of them, and a CR confirms a PR"),
        ("28:CR 56:NE 84:CR", {}, "CR", 28, "one NE between two CR"),
        ("28:CR 40:CR 56:CR", {}, "CR", 28, "a CR between is no matter"),
        ("28:PR 56:ND 84:PR", {}, "SD", 84, "a visit that was not done stands between"),
        ("28:PR 56:NON 84:PR", {}, "SD", 84, "so does what is neither"),
        ("28:PR 56:CR 84:CR", {}, "CR", 56, "the best that is confirmed"),
        ("42:SD 84:PR 126:SD 168:PR 210:PR", {}, "PR", 168, "a later pair confirms"),
        ("42:SD", {}, "SD", 42, "on the day of the minimum"),
        ("41:SD", {}, "NE", 41, "a day too early"),
        ("41:SD 56:PD", {}, "PD", 56, "PD needs no minimum"),
        ("42:NON", {}, "NON-CR/NON-PD", 42, "non-target disease only"),
        ("41:NON", {}, "NE", 41, "a day too early"),
        ("28:PD 56:CR 84:CR", {}, "PD", 28, "nothing counts after the first progression"),
        ("14:ND", {}, "ND", 14, "not done at all"),
        ("14:ND 28:NE", {}, "NE", 28, "NE says more than ND"),
        ("", {}, "NE", None, "no visit"),
        ("84:PR 56:PR", {}, "PR", 56, "the order in which they are given does not matter"),
    ],
)
def test_confirmed_best_response(visits, policies, expected, day, why):
    best = concluded(visits, **policies).confirmed_best_overall_response
    assert (best.response, day_of(best)) == (expected, day), why


@pytest.mark.parametrize(
    ("visits", "expected", "day", "why"),
    [
        ("14:PR 28:SD", "PR", 14, "without confirmation one visit is enough, and early counts"),
        ("14:PR 28:CR 42:PR", "CR", 28, "a CR stands, although disease follows"),
        ("28:SD 56:NE", "NE", 28, "SD too early is not evaluable"),
        ("28:PD 56:CR", "PD", 28, "not after progression"),
        ("56:SD 84:SD", "SD", 56, "the first of equals"),
    ],
)
def test_best_response_without_confirmation(visits, expected, day, why):
    best = concluded(visits).best_overall_response
    assert (best.response, day_of(best)) == (expected, day), why


@pytest.mark.parametrize(
    ("visits", "best", "confirmed", "why"),
    [
        ("28:CR 56:PR", "PR", "PR", "the CR was a PR, confirmed by the next"),
        ("28:PR 56:CR 84:PR", "PR", "PR", "three PR"),
        ("28:CR 56:SD", "PR", "SD", "a PR, not confirmed"),
        ("28:CR 56:NON", "NON-CR/NON-PD", "NON-CR/NON-PD", "without targets there is no PR to fall back to"),
        ("28:CR 56:CR 84:PD", "CR", "CR", "progression later takes nothing back"),
        ("28:CR 56:PD 84:PR", "CR", "PD", "what comes after progression takes nothing back"),
    ],
)
def test_a_complete_response_may_be_reclassified(visits, best, confirmed, why):
    answer = concluded(visits, response_after_complete=AfterComplete.RECLASSIFY)
    assert answer.best_overall_response.response == best, why
    assert answer.confirmed_best_overall_response.response == confirmed, why


@pytest.mark.parametrize("policy", list(AfterComplete))
def test_less_than_complete_without_disease_in_sight_is_not_evaluable_after_a_complete_response(policy):
    not_seen = [
        Assessed(one.on, one.response, disease_seen=one.response != "PR") for one in sequence("28:CR 56:PR 84:CR")
    ]
    answer = conclude(not_seen, START, Policies(response_after_complete=policy))
    assert answer.confirmed_best_overall_response.response == "CR"


DAY = {number: START + timedelta(number) for number in range(400)}


@pytest.mark.parametrize(
    ("visits", "death", "therapy", "policies", "pfs", "duration", "to_response", "why"),
    [
        ("28:PR 56:PR 84:PD", None, None, {}, (84, True), (56, True), 28, "to the progression"),
        ("28:PR 56:SD 84:NE", None, None, {}, (56, False), (28, False), 28, "censored at the last adequate visit"),
        ("28:SD 56:SD", 90, None, {}, (90, True), None, None, "death is an event"),
        ("28:SD", 90, 40, {}, (28, False), None, None, "not after another therapy"),
        ("28:SD", 40, 40, {}, (40, True), None, None, "on the day it was begun"),
        ("28:SD 56:PD", None, 40, {}, (28, False), None, None, "a progression under another therapy is not ours"),
        ("28:SD 56:PD", None, 56, {}, (56, True), None, None, "on the day it was begun"),
        ("28:NE 56:NE", None, None, {}, (0, False), None, None, "nothing adequate: censored at the start"),
        ("", None, None, {}, (0, False), None, None, "no visit"),
        ("28:PR 56:SD", None, None, {"confirm": True}, (56, False), None, None, "a PR that was not confirmed"),
        ("28:PR 56:CR 90:CR", None, None, {"confirm": True}, (90, False), (62, False), 28, "from the first, a PR"),
        ("28:CR 70:SD", None, None, {}, (70, True), (42, True), 28, "disease after CR is progression"),
    ],
)
def test_durations_in_plain_days(*, visits, death, therapy, policies, pfs, duration, to_response, why):
    answer = conclude(
        sequence(visits), START, Policies(**policies), death_on=DAY.get(death), new_therapy_on=DAY.get(therapy)
    )
    survival, held = answer.progression_free_survival, answer.duration_of_response
    assert (survival.days, survival.event) == pfs, why
    assert (held and (held.days, held.event)) == duration, why
    assert answer.time_to_response_days == to_response, why
