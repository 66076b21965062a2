"""An equivocal new lesion that is confirmed later: from when progression counts, by each policy."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from connector.core.case import LesionRole, LesionState
from connector.core.errors import BadCase
from connector.core.response import assess_response
from connector.core.response.case import (
    EquivocalConfirmed,
    Lesion,
    Measurement,
    NewLesion,
    Policies,
    ResponseCase,
    Visit,
)

START = date(2025, 1, 1)
A = Lesion("A", LesionRole.TARGET, "liver")
WORDS = {"-": NewLesion.NONE, "e": NewLesion.EQUIVOCAL, "U": NewLesion.UNEQUIVOCAL}


def on(number):
    return START + timedelta(42 * number)


def case(new_lesions, confirms, policy):
    """A target that halves at once; `confirms` maps the number of a visit to that of the visit that it confirms."""
    visits = tuple(
        Visit(
            on(number),
            {"A": Measurement(LesionState.MEASURED, (Decimal(20 if number else 40),))},
            new_lesion=WORDS[word],
            confirms_equivocal_of=on(confirms[number]) if number in confirms else None,
        )
        for number, word in enumerate(new_lesions)
    )
    policies = Policies(equivocal_confirmed=EquivocalConfirmed(policy))
    return ResponseCase("recist-1.1", (A,), visits, START, policies)


@pytest.mark.parametrize(
    ("new_lesions", "confirms", "policy", "expected", "why"),
    [
        ("--e-U", {4: 2}, "when_stated", "PR PD PR PD", "it is said to be the one of visit 2"),
        ("--e-U", {}, "when_stated", "PR PR PR PD", "it may be another lesion"),
        ("--e-U", {}, "always", "PR PD PR PD", "the protocol takes it for the same"),
        ("--e-U", {4: 2}, "never", "PR PR PR PD", "the protocol dates progression from the confirmation"),
        ("-eeU-", {3: 2}, "when_stated", "PR PD PD PR", "the equivocal lesion of visit 1 was another"),
        ("-eeU-", {3: 1}, "when_stated", "PD PD PD PR", "seen twice before"),
        ("-eUeU", {2: 1, 4: 3}, "when_stated", "PD PD PD PD", "two lesions, each with its own date"),
        ("---eU", {}, "always", "PR PR PD PD", "dated back by one visit"),
        ("--e--", {}, "always", "PR PR PR PR", "never confirmed"),
        ("--U-e", {}, "always", "PR PD PR PR", "what comes later confirms nothing"),
    ],
)
def test_back_dating(new_lesions, confirms, policy, expected, why):
    report = assess_response(case(new_lesions, confirms, policy))
    assert " ".join(visit.overall_response for visit in report.visits[1:]) == expected, why
    first = expected.split().index("PD") + 1 if "PD" in expected else len(new_lesions) - 1
    assert report.progression_free_survival.days == (on(first) - START).days, why
    assert report.policies["equivocal_confirmed"] == policy


def test_what_is_shown_at_both_visits():
    shown = assess_response(case("--e-U", {4: 2}, "when_stated")).visits
    assert shown[2].new_lesion == "equivocal"
    assert shown[2].flags == (
        f"progression_dated_back: progression dates from this visit: its equivocal new lesion was confirmed on {on(4)}",
    )
    assert shown[2].reasons[-1] == f"the equivocal new lesion was confirmed on {on(4)}, and dates from here"
    assert shown[4].flags == ()


@pytest.mark.parametrize(
    ("new_lesions", "confirms", "why"),
    [
        ("--e-e", {4: 2}, "an equivocal lesion confirms nothing"),
        ("--e-U", {4: 1}, "no equivocal lesion at that visit"),
        ("----U", {4: 4}, "not an earlier visit"),
    ],
)
def test_refused(new_lesions, confirms, why):
    with pytest.raises(BadCase) as refused:
        assess_response(case(new_lesions, confirms, "when_stated"))
    assert refused.value.field == "visits.4.confirms_equivocal_of", why
