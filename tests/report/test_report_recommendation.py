"""What the report says of the recommendation: each site by itself, who decides, what is missing, and what is ours."""

from dataclasses import replace

import fhir_cases as cases
import pytest
import report_case as made

from connector.core.assessment import FollowUp
from connector.core.catalogue import FACTS
from connector.core.fact_types import Flag
from connector.report.board_content import board_content
from connector.report.room import AMPLE


def content(assessed=None, **more):
    return board_content(made.request(assessed, **more))


def with_selection(**changes):
    return cases.assessment(selection=replace(cases.selection(), **changes))


def at(modality, verdict, rank=None):
    return replace(made.option(verdict, ("A",), modality=modality), rank=rank)


LUNG_OPEN = (at("systemic_therapy", "possible", 2), at("lung_RFA", "cannot_decide"))
LUNG_FIRST = (at("lung_RFA", "preferred", 1), at("systemic_therapy", "possible", 2))
BONE_FIRST = (at("cementoplasty", "preferred", 1), at("osteosynthesis", "excluded"))
BONE_OPEN = (at("bone_embolisation", "possible", 2), at("cementoplasty", "cannot_decide"))
APART = "ranked apart from the other sites"


@pytest.mark.parametrize(
    ("options", "headings", "why"),
    [
        ((*LUNG_OPEN, *BONE_FIRST),
         [f"Lung and whole body, {APART}: none is preferred", "", f"Bone, {APART}", ""],
         "the ranks begin anew at the bones, where one is preferred"),
        ((at("TACE", "preferred", 1), at("RAI", "excluded"), *BONE_OPEN),
         [f"Liver and whole body, {APART}", "", f"Bone, {APART}: none is preferred", ""],
         "what treats the whole body is ranked with the liver"),
        ((at("board_only", "preferred", 1), *LUNG_OPEN), ["", "", ""], "one site: its ranks run through"),
        ((at("RAI", "possible", 2),), [""], "the whole body alone"),
    ],
)  # fmt: skip
def test_a_site_whose_ranks_begin_anew_has_a_heading(options, headings, why):
    said = content(with_selection(options=options))["recommendation"]["options"]
    assert [row["site"] for row in said] == headings, why


@pytest.mark.parametrize(
    ("status", "options", "expected"),
    [
        ("recommend", (*LUNG_FIRST, *BONE_FIRST),
         "Lung and whole body: preferred Radiofrequency ablation of lung lesions; bone: preferred Cementoplasty"),
        ("cannot_decide", (*LUNG_OPEN, *BONE_FIRST),
         ("Lung and whole body: cannot decide, needs lung pattern (macronodular or miliary);"
          " bone: preferred Cementoplasty")),
        ("cannot_decide", (*LUNG_OPEN, *BONE_OPEN),
         "Lung and whole body: cannot decide, needs lung pattern (macronodular or miliary); bone: none is preferred"),
        ("contradictory_data", (*LUNG_OPEN, *BONE_OPEN), "Facts contradict each other; nothing is preferred."),
    ],
)  # fmt: skip
def test_the_recommendation_in_short_tells_the_sites_apart(status, options, expected):
    said = content(with_selection(status=status, options=options, blocking=("lung_pattern",)))
    assert dict(said["summary"])["Recommendation"] == expected


BOARD_ALONE = (at("board_only", "preferred", 1), at("TACE", "possible", 2))


def test_where_the_board_alone_decides_no_treatment_is_said_to_be_proposed():
    said = content(with_selection(options=BOARD_ALONE))
    sentence = "No treatment is proposed: the board alone decides."
    assert (dict(said["summary"])["Recommendation"], said["recommendation"]["status"]) == (sentence, sentence)


@pytest.mark.parametrize(
    ("status", "options", "expected", "why"),
    [
        ("cannot_decide", LUNG_OPEN,
         "Cannot decide: facts are missing. The first rank stays open until they are known.", "the ranks begin with 2"),
        ("cannot_decide", LUNG_OPEN[1:], "Cannot decide: facts are missing.", "nothing is ranked"),
        ("excluded_all", BOARD_ALONE, "Every locoregional treatment is excluded.", "the board's reason stands first"),
    ],
)  # fmt: skip
def test_the_status_says_why_nothing_is_first(status, options, expected, why):
    assert content(with_selection(status=status, options=options))["recommendation"]["status"] == expected, why


def test_a_fact_that_an_option_needs_is_not_named_again_among_what_would_be_clearer():
    waiting = made.option("cannot_decide", (), needs=("ecog_ps",))
    missing = ("ecog_ps", "inr", "histology", "lung_pattern")
    assessed = with_selection(options=(waiting,), missing=missing, blocking=("inr",))
    worth_knowing = ("Worth knowing: histology; RFA would be first if it is PTC",)
    said = content(replace(assessed, worth_knowing=worth_knowing))
    assert said["recommendation"]["missing"] == "lung pattern"


@pytest.mark.parametrize(
    ("rule", "is_explained"), [("because of this [DERIVED, confirm]", True), ("because of this", False)]
)
def test_the_marks_of_our_own_readings_are_explained_where_they_stand(rule, is_explained):
    option = replace(made.option("possible", ()), because=(made.reason(text=rule),))
    plain = {"alerts": (), "measures": ()}
    assert ("confirm" in content(with_selection(options=(option,), **plain))["recommendation"]["marks"]) is is_explained


@pytest.mark.parametrize(
    ("status", "options", "contradictions", "expected"),
    [
        ("excluded_all", BOARD_ALONE, (), "Every locoregional treatment is excluded. The board alone decides."),
        ("excluded_all", (at("systemic_therapy", "preferred", 1),), (),
         "Every locoregional treatment is excluded. Preferred: Systemic therapy"),
        ("excluded_all", (at("TACE", "excluded"),), (), "Every locoregional treatment is excluded."),
        ("contradictory_data", LUNG_OPEN, ("inr", "histology"),
         "Facts contradict each other (INR, histology); nothing is preferred."),
        ("recommend", (*BOARD_ALONE, *BONE_FIRST), (),
         "Liver: the board alone decides; bone: preferred Cementoplasty"),
        ("recommend", (*LUNG_FIRST, *BONE_OPEN), (),
         "Lung and whole body: preferred Radiofrequency ablation of lung lesions; bone: none is preferred"),
    ],
)  # fmt: skip
def test_the_answer_in_short_where_not_simply_a_treatment_is_preferred(status, options, contradictions, expected):
    said = content(with_selection(status=status, options=options, contradictions=contradictions))
    assert dict(said["summary"])["Recommendation"] == expected


def test_what_is_not_known_of_a_further_site_is_named_where_nothing_is_preferred_there():
    waiting = made.option("cannot_decide", (), needs=("bone_lesion_lytic", "inr"), modality="cementoplasty")
    after = made.option("cannot_decide", (), needs=("inr",), modality="bone_ablation")
    said = content(with_selection(options=(*LUNG_FIRST, waiting, after)))
    assert dict(said["summary"])["Recommendation"].endswith(
        "; bone: none is preferred (not known: bone lesion lytic, INR)"
    )
    said = content(with_selection(options=(*LUNG_FIRST, BONE_FIRST[0], waiting)))
    assert dict(said["summary"])["Recommendation"].endswith("; bone: preferred Cementoplasty"), (
        "it stands at the option"
    )


def test_a_site_of_which_the_board_decides_says_so_above_its_options():
    said = content(with_selection(options=(*BOARD_ALONE, *BONE_FIRST)))["recommendation"]
    assert said["options"][0]["site"] == f"Liver, {APART}: the board alone decides"
    assert said["status"] == "A treatment is proposed.", "for the bones"


def test_a_mark_in_a_visit_alone_is_explained_too():
    visit = FollowUp("A CT is done. [DERIVED, confirm]", "after one month", "FU-1", cases.SOURCE)
    said = content(with_selection(options=(), alerts=(), measures=(), follow_up=(visit,)))
    assert said["recommendation"]["marks"]


OBJECTIONS = ("SURG-BILOBAR-NO", "RAI-MTC-NO")


def test_an_objection_is_told_in_full_once_and_by_its_rule_afterwards():
    options = (
        made.option("excluded", OBJECTIONS[:1], modality="RFA"),
        made.option("excluded", OBJECTIONS, modality="TACE"),
        made.option("excluded", OBJECTIONS, modality="bone_ablation"),
    )
    said = content(with_selection(options=options))["recommendation"]["options"]
    assert [row["above"] for row in said] == ["", OBJECTIONS[0], ", ".join(OBJECTIONS)]
    assert [[reason["rule"] for reason in row["because"]] for row in said] == [[OBJECTIONS[0]], [OBJECTIONS[1]], []]


def test_what_speaks_for_an_option_is_told_at_each():
    options = (made.option("preferred", ("A",), modality="TACE"), made.option("possible", ("A",), modality="TARE"))
    said = content(with_selection(options=options))["recommendation"]["options"]
    assert [(row["above"], row["because"][0]["rule"]) for row in said] == [("", "A"), ("", "A")]


def test_the_facts_that_do_not_fit_stand_where_they_were_read():
    """The structured report names rules and what is missing; the facts themselves it does not hold."""
    names = [name for name, fact in FACTS.items() if isinstance(fact, Flag)][: AMPLE.facts + 2]
    option = replace(made.option("preferred", ()), because=(made.reason(facts=tuple(names)),))
    said = content(with_selection(options=(option,)), record=made.record(**dict.fromkeys(names, True)))
    assert said["recommendation"]["facts"].endswith(" and 2 more (in the record and the images)")
