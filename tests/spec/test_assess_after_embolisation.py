"""Post-embolisation syndrome in an assessment: asked for after a recent embolisation, told when all signs are there."""

from datetime import date, timedelta

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


def test_post_embolisation_syndrome_names_the_last_embolisation_and_every_origin():
    known = {name: observed(True, 21, f"Condition/{name}") for name in FEATURES}
    treatments = [observed("TARE", 20, "Procedure/2"), observed("TAE", 0, "Procedure/1")]
    (found,) = after_embolisation(known, treatments, today=on(22))
    assert "after TARE on 2026-01-21" in found.text
    assert found.origins == ("Procedure/2", *(f"Condition/{name}" for name in FEATURES))
    assert found.source.source == "000_3fdbec9e440ff930.txt"
