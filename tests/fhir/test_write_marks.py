"""The marks of our own readings reach a clinician in words, wherever the record tells of a rule."""

import json
from dataclasses import replace

import fhir_cases as cases

from connector.core.assessment import Assessment, Reason, Selection
from connector.core.rules import DERIVED
from connector.fhir.write_card import CardWriter
from connector.ports import WriteRequest

WORK_UP = Reason("GEN-PREIMG", "imaging before the procedure", cases.SOURCE)  # a measure that becomes a request


def marked() -> Assessment:
    """An assessment in which every rule that is told carries the mark."""
    plain = cases.selection()

    def mark(reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
        return tuple(replace(one, text=f"{one.text} {DERIVED}") for one in reasons)

    selection: Selection = replace(
        plain,
        options=tuple(replace(option, because=mark(option.because)) for option in plain.options),
        measures=mark((*plain.measures, WORK_UP)),
        alerts=mark(plain.alerts),
        follow_up=tuple(replace(visit, what=f"{visit.what} {DERIVED}") for visit in plain.follow_up),
    )
    return cases.assessment(selection=selection, changes=(f"TACE is now preferred; because “good” {DERIVED}.",))


def test_the_transaction_says_the_marks_in_words():
    told = json.dumps(cases.bundle_of(cases.write(marked())))
    assert DERIVED not in told
    assert told.count("(our reading, confirm)") > 5


def test_the_cards_and_their_drafts_say_the_marks_in_words():
    request = WriteRequest(marked(), cases.IDENTITY, cases.record(), (), is_latest_study=True)
    (document,) = CardWriter().write(request)
    told = document.content.decode()
    assert DERIVED not in told
    assert told.count("(our reading, confirm)") > 5
