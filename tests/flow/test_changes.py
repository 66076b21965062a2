"""A re-assessment is compared with what the ledger kept of the last one, whatever the ledger holds."""

from dataclasses import replace
from datetime import date

import pytest
from ledger_case import Bench, assessment, receipt

from connector.contract.assessment import render
from connector.contract.earlier import read_earlier
from connector.contract.reading import dumps
from connector.core.assess import assess
from connector.core.assessment import Assessment
from connector.core.case import CaseFacts
from connector.core.changes import what_changed
from connector.core.evidence import Observed

TODAY = date(2026, 1, 31)
FACTS = {
    "histology": "MTC", "coagulopathy_status": "none", "pheochromocytoma_status": "excluded",
    "liver_lesion_count": 6, "liver_lobes_involved": "bilobar", "extrahepatic_disease_status": "stable",
    "liver_insufficiency_severe": False, "performance_status_class": "good", "liver_lesion_hypervascular": True,
    "renal_failure": False, "contrast_media_allergy": False,
}  # fmt: skip


def judged(**changes: object) -> Assessment:
    facts = {name: Observed(value, "Observation/1") for name, value in (FACTS | changes).items() if value is not None}
    return assess(CaseFacts("ref", "1.2.3", (), facts), today=TODAY, connector_version="test")


def kept(made: Assessment) -> str:
    return dumps(render(made))


def test_an_assessment_read_back_is_the_same_to_a_reader() -> None:
    made = judged()
    earlier = read_earlier(kept(made))
    assert earlier is not None
    assert (earlier.assessed_on, earlier.study_instance_uid, earlier.overall_response) == (TODAY, "1.2.3", None)
    assert what_changed(earlier, made.selection, made.response) == ()


def test_a_new_fact_is_said_with_the_rule_that_makes_the_difference() -> None:
    earlier = read_earlier(kept(judged()))
    assert earlier is not None
    said = what_changed(earlier, judged(coagulopathy_status="uncorrected").selection, None)
    assert said[0] == "Compared with the assessment on 2026-01-31:"
    (tace,) = [one for one in said if "TACE was preferred, is now excluded" in one]
    assert "for all of these, because “Coagulopathy that is not corrected rules out every invasive treatment.”" in tace


@pytest.mark.parametrize(
    "summary",
    [
        "",
        "{}",
        "[]",
        "not JSON",
        '{"assessed_on": "2026-01-01", "study_instance_uid": "1.2", "selection": {"status": 1}}',
    ],
)
def test_what_cannot_be_compared_is_no_earlier_assessment(summary: str) -> None:
    assert read_earlier(summary) is None


def test_a_summary_may_lack_parts_and_hold_more() -> None:
    earlier = read_earlier('{"assessed_on": "2026-01-01", "study_instance_uid": "1.2", "response": null, "new": 1}')
    assert earlier is not None
    assert (earlier.selection, earlier.overall_response) == (None, None)


def save(bench: Bench, study: str, words: str) -> None:
    bench.clock.seconds += 1
    with bench.ledger.transaction() as connection:
        bench.ledger.save(connection, replace(assessment("c", study, words)), words, [])


def test_the_last_assessment_of_the_study_comes_before_those_of_earlier_studies(bench: Bench) -> None:
    for number, (study, day, patient) in enumerate(
        [("1.1", "20260101", "P1"), ("1.2", "20260201", "P1"), ("1.3", "20260301", "P1"), ("9.1", "20260201", "P2")]
    ):
        bench.inbox.receive(receipt(f"{study}.{number}", study=study, date=day, patient=patient, path=f"/in/{study}"))
    assert bench.ledger.earlier_summary("1.2") is None, "an empty ledger has nothing to compare with"
    save(bench, "9.1", "of another patient")
    save(bench, "1.3", "of a later study")
    assert bench.ledger.earlier_summary("1.2") is None
    save(bench, "1.1", "first")
    save(bench, "1.1", "first, again")
    assert bench.ledger.earlier_summary("1.2") == "first, again"
    save(bench, "1.2", "second")
    save(bench, "1.1", "first, late image")
    assert bench.ledger.earlier_summary("1.2") == "second"
    assert bench.ledger.earlier_summary("1.3") == "of a later study", "its own"
    assert bench.ledger.earlier_summary("4.4") is None, "a study that is not known"
