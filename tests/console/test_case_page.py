"""What a clinician reads on the page of a case: the assessment's words, in sentences that stand by themselves."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape

import fhir_cases as cases
import pytest
from console_case import Desk, make_desk, set_aside

from connector.console.wording import full_stop
from connector.contract.assessment import render
from connector.contract.reading import dumps
from connector.core.assessment import Assessment, DatedResponse, FollowUp, Option, Reason


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    made = make_desk(tmp_path_factory.mktemp("page"), clara=("clinician",))
    yield made
    made.bench.inbox.close()


def page_of(desk: Desk, assessment: Assessment) -> str:
    """The page of a case of which this is the newest assessment."""
    case_ref = set_aside(desk.bench, "1.2.3", "x")
    desk.bench.clock.seconds += 1
    made = replace(assessment, case_ref=case_ref, study_instance_uid="1.2.3")
    with desk.bench.ledger.transaction() as connection:
        desk.bench.ledger.save(connection, made, json.loads(dumps(render(made))), [])
    return desk.browser("clara").get(f"/cases/{case_ref}").text


def section(page: str, name: str) -> str:
    """What stands in a section, without its markup."""
    (found,) = re.findall(rf'<section aria-labelledby="{name}">.*?</section>', page, re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", found)).split())


def with_options(*options: Option) -> Assessment:
    return cases.assessment(selection=replace(cases.selection(), options=options))


def test_each_site_whose_ranks_begin_anew_has_a_heading(desk):
    bone = (Option("bone_embolisation", "possible", 2), Option("cementoplasty", "cannot_decide", None))
    said = section(page_of(desk, with_options(Option("TACE", "preferred", 1), *bone)), "treatment")
    places = [
        said.index(words)
        for words in (
            "Liver, ranked apart from the other sites",
            "1 Transarterial chemoembolisation (TACE)",
            "Bone, ranked apart from the other sites: none is preferred",
            "2 Embolisation of bone lesions",
        )
    ]
    assert places == sorted(places)


def test_one_site_alone_needs_no_heading(desk):
    said = section(
        page_of(desk, with_options(Option("TACE", "preferred", 1), Option("RAI", "excluded", None))), "treatment"
    )
    assert "ranked apart" not in said


def with_selection(**changes) -> Assessment:
    return replace(cases.assessment(), selection=replace(cases.selection(), **changes))


def test_what_blocks_the_treatment_stands_once_with_the_answers_to_choose_from(desk):
    blocked = replace(
        with_selection(status="cannot_decide", blocking=("lung_pattern", "inr")),
        needs=(
            "selection cannot be decided: needs lung pattern, INR (7 further facts would refine it)",
            "response cannot be decided without measured lesions: no imaging study holds any",
        ),
    )
    said = section(page_of(desk, blocked), "missing")
    needed = said[said.index("Needed before it can be decided") :]
    assert "Response cannot be decided without measured lesions: no imaging study holds any." in needed
    assert "Treatment cannot be decided without: lung pattern (macronodular or miliary) INR" in needed
    assert needed.count("lung pattern") == 1


def test_the_needs_of_a_selection_that_names_no_fact_are_told_in_its_own_words(desk):
    need = "selection cannot be decided: needs a review by the board"
    said = section(page_of(desk, replace(with_selection(blocking=()), needs=(need,))), "missing")
    assert "Selection cannot be decided: needs a review by the board." in said


def test_where_sources_disagree_it_says_on_what_and_how_it_was_read(desk):
    said = section(page_of(desk, with_selection(conflicts=("CON-PS", "CON-OF-A-NEWER-VERSION"))), "treatment")
    assert "No ECOG cut-off anywhere. Read as: clinician asserts good/poor" in said
    assert "CON-PS" in said
    assert "CON-OF-A-NEWER-VERSION" in said, "what this version does not know stands for itself"


def test_without_the_liver_in_question_it_says_why_there_is_no_path(desk):
    said = section(page_of(desk, with_selection(pathway=())), "treatment")
    assert "The algorithm is for metastases of the liver, which is not in question here." in said


def test_an_option_behind_the_first_says_why(desk):
    behind = Option("lung_RFA", "possible", 2, why_not_first="behind bone_ablation: 1 relative contraindication")
    said = section(page_of(desk, with_options(Option("TACE", "preferred", 1), behind)), "treatment")
    assert "Behind bone ablation: 1 relative contraindication." in said


@pytest.mark.parametrize(
    ("confirmed", "expected"), [("PR", "the same with confirmation"), ("SD", "but SD where confirmation is required")]
)
def test_the_best_response_with_and_without_confirmation(desk, confirmed, expected):
    report = replace(
        cases.response("PR"),
        best_overall_response=DatedResponse("PR", None),
        confirmed_best_overall_response=DatedResponse(confirmed, None),
    )
    said = section(page_of(desk, cases.assessment(response=report)), "in-short")
    assert f"Best: PR (partial response), {expected}." in said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("as told", "as told."),
        ("As told.", "As told."),
        ("Of the liver or the patient?", "Of the liver or the patient?"),
        ("A CT is done. (our reading, confirm)", "A CT is done. (our reading, confirm)"),
        ("needs INR (7 further facts would refine it)", "needs INR (7 further facts would refine it)."),
    ],
)
def test_a_sentence_ends_once(text, expected):
    assert full_stop(text) == expected


def test_when_a_visit_is_due_is_said_once(desk):
    what = "A CT is done about 1 month after the procedure. [DERIVED, confirm]"
    visits = (
        FollowUp(what, "about 1 month after the procedure", "FU-1", cases.SOURCE),
        FollowUp("Markers are measured.", "every 3 months", "FU-2", cases.SOURCE),
    )
    said = section(page_of(desk, with_selection(follow_up=visits)), "treatment")
    assert "A CT is done about 1 month after the procedure. (our reading, confirm) FU-1" in said
    assert "Markers are measured. Every 3 months. FU-2" in said


def test_the_measures_that_the_patients_own_facts_call_for_come_first(desk):
    everyones = Reason("GEN-MDT-ENDO", "The board is ideally dedicated.", cases.SOURCE)
    own = Reason("SYS-VEGF-HOLD", "The drug is paused.", cases.SOURCE)
    said = section(page_of(desk, with_selection(measures=(everyones, own))), "treatment")
    assert said.index("The drug is paused.") < said.index("The board is ideally dedicated.")


@pytest.mark.parametrize("status", ["recommend", "cannot_decide", "excluded_all", "contradictory_data"])
def test_the_answer_in_short_ends_once(desk, status):
    board = (Option("board_only", "preferred", 1),) if status in {"recommend", "excluded_all"} else ()
    said = section(page_of(desk, with_selection(status=status, options=board, blocking=())), "in-short")
    assert ".." not in said
    assert re.search(r"Treatment .*\. Absorbed dose", said)
