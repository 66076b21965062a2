"""Post-embolisation syndrome in an assessment: asked for after a recent embolisation, told when all signs are there."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from connector.core.adverse_findings import after_embolisation
from connector.core.evidence import Observed

TREATED = date(2026, 1, 1)


def on(days):
    return TREATED + timedelta(days)


def observed(value, days=None, origin="Procedure/0"):
    return Observed(value, origin, None if days is None else on(days))


FEATURES = {"abdominal_pain": True, "fever": True, "nausea_or_vomiting": True}
WITHOUT_FEVER = {name: seen for name, seen in FEATURES.items() if name != "fever"}


@pytest.mark.parametrize(
    ("days", "noted", "facts", "told", "why"),
    [
        (0, 0, FEATURES, ["think of post-embolisation syndrome after TACE on 2026-01-01"], "the day itself"),
        (14, 14, FEATURES, ["abdominal pain, fever, nausea or vomiting; rule out infection"], "two weeks"),
        (15, 14, FEATURES, [], "a day later it is no longer recent"),
        (3, 2, FEATURES | {"fever": False}, [], "no fever: not all of them"),
        (3, 2, WITHOUT_FEVER, ["cannot tell whether this is", "needs: fever"], "fever is not known"),
        (3, 2, WITHOUT_FEVER | {"nausea_or_vomiting": False}, [], "a no outweighs what is not known"),
        (3, 2, {}, ["no sign is known; needs: abdominal pain, fever, nausea or vomiting"], "recent, nothing known"),
        (15, 2, {}, [], "nothing known, and not recent: nothing to ask for"),
        (3, -1, FEATURES, ["no sign is known; needs: abdominal pain"], "noted before it: says nothing of after it"),
        (3, 0, FEATURES, ["think of"], "noted on its day"),
        (3, None, FEATURES, ["think of"], "the record states them without a day: as of now"),
        (-1, -1, FEATURES, [], "the embolisation is still to come"),
    ],
)  # fmt: skip
def test_post_embolisation_syndrome_is_asked_for_after_a_recent_embolisation(days, noted, facts, told, why):
    known = {name: observed(value, noted, f"Condition/{name}") for name, value in facts.items()}
    treatments = [observed("TACE", 0, "Procedure/1"), observed("TARE"), observed("lenvatinib", 1)]
    found = after_embolisation(known, treatments, today=on(days))
    assert len(found) == bool(told), why
    assert all(words in found[0].text for words in told), why
    assert after_embolisation(known, treatments[1:], today=on(days)) == (), "none has a day"


PAIN_AND_NAUSEA = {name: observed(True, 1) for name in WITHOUT_FEVER}


@pytest.mark.parametrize(
    ("measured", "stated", "told", "why"),
    [
        ([(1, "38.0")], None, "fever (38.0 °C on 2026-01-02)", "fever begins at 38.0 degrees"),
        ([(1, "37.9")], None, None, "a tenth below is none, and so not all signs are there"),
        (
            [(1, "38.6"), (2, "36.8")],
            None,
            "fever (38.6 °C on 2026-01-02)",
            "it was there, and has passed",
        ),
        ([(0, "38.2")], None, "fever (38.2 °C on 2026-01-01)", "on the day of the embolisation"),
        ([(0, "36.8")], None, "needs: fever", "normal on the day itself, perhaps before the embolisation"),
        ([(0, "36.8"), (1, "36.9")], None, None, "and the day after it"),
        ([(-1, "39.0")], None, "needs: fever", "before it: says nothing of after it"),
        ([(4, "39.0")], None, "needs: fever", "later than the day that is judged"),
        ([(1, "37.0")], True, "fever, nausea", "a person has stated fever between two measurements"),
        ([(1, "38.5")], False, "fever (38.5 °C on 2026-01-02)", "measured, whatever was stated"),
    ],
)
def test_fever_is_also_read_from_the_temperature_since_the_embolisation(measured, stated, told, why):
    facts = PAIN_AND_NAUSEA if stated is None else {**PAIN_AND_NAUSEA, "fever": observed(stated, 1)}
    temperatures = [observed(Decimal(value), days, f"Observation/{days}") for days, value in measured]
    found = after_embolisation(facts, [observed("TACE", 0)], today=on(3), temperatures_c=temperatures)
    assert len(found) == (told is not None), why
    assert all(told in one.text for one in found), why
    if told and "°C" in told:
        assert f"Observation/{measured[0][0]}" in found[0].origins


def test_post_embolisation_syndrome_names_the_last_embolisation_and_every_origin():
    known = {name: observed(True, 21, f"Condition/{name}") for name in FEATURES}
    treatments = [observed("TARE", 20, "Procedure/2"), observed("TAE", 0, "Procedure/1")]
    (found,) = after_embolisation(known, treatments, today=on(22))
    assert "after TARE on 2026-01-21" in found.text
    assert found.origins == ("Procedure/2", *(f"Condition/{name}" for name in FEATURES))
    assert found.source.source == "Zhang 2025"
