"""The cards of an assessment: what they say, in the shape of CDS Hooks 2.0, with drafts that an EHR can create."""

import json
import re
from dataclasses import replace

import fhir_cases as cases
import pytest
from cds_schema import ANSWER, CARD, faults
from judge_fhir import findings

from connector.core.assessment import Option, Reason
from connector.core.sources import NERVO_2021
from connector.core.versions import RULESET
from connector.fhir.write_card import CardWriter
from connector.ports import WriteRequest

READING = cases.record(condition__liver_metastases="Condition/c1")


def selected(**more):
    return replace(cases.selection(), **more)


def cards_of(assessed=None, *, reading=READING, is_latest_study=True, takes_plans=False):
    request = WriteRequest(assessed or cases.assessment(), cases.IDENTITY, reading, (), is_latest_study=is_latest_study)
    documents = CardWriter(lambda: takes_plans).write(request)
    return json.loads(documents[0].content) if documents else {}


ASSESSMENTS = {
    "everything": cases.assessment(),
    "board alone": cases.assessment(selection=cases.selection(preferred="board_only")),
    "two sites": cases.assessment(
        selection=selected(options=(Option("TACE", "preferred", 1), Option("bone_ablation", "preferred", 1)))
    ),
    "nothing decided": cases.assessment(response=None, dose=None, selection=None, time_points=(), needs=()),
    "response only": cases.assessment(selection=None),
    "cannot decide": cases.assessment(selection=selected(status="cannot_decide", blocking=("coagulopathy_status",))),
    "lung decided": cases.assessment(
        selection=selected(
            status="cannot_decide",
            blocking=("liver_lesion_count",),
            options=(Option("TACE", "cannot_decide", None), Option("lung_RFA", "preferred", 1)),
        )
    ),
    "contradiction": cases.assessment(selection=selected(status="contradictory_data", contradictions=("inr",))),
    "excluded": cases.assessment(
        selection=selected(status="excluded_all", options=(Option("TARE", "excluded", None),))
    ),
    "long": cases.assessment(selection=selected(status="contradictory_data", contradictions=("inr",) * 60)),
}


@pytest.mark.parametrize("name", ASSESSMENTS)
def test_every_card_has_the_shape_of_the_specification(name):
    cards = cards_of(ASSESSMENTS[name])
    assert faults({"cards": list(cards.values())}, ANSWER) == []
    uuids = [card["uuid"] for card in cards.values()]
    assert len(set(uuids)) == len(uuids)


def test_the_schema_finds_what_is_wrong():
    """A judge that finds nothing judges nothing."""
    good = cards_of()["plan"]
    create = good["suggestions"][0]["actions"][0]
    for wrong in (
        {**good, "summary": "x" * 140},
        {**good, "indicator": "hard-stop"},
        {name: value for name, value in good.items() if name != "source"},
        {name: value for name, value in good.items() if name != "selectionBehavior"},
        {**good, "overrideReasons": [{"code": "x"}]},
        {**good, "links": [{"label": "x", "url": "https://x", "type": "absolute", "appContext": "y"}]},
        {**good, "suggestions": [{"label": "x", "actions": [{"type": "create", "description": "no resource"}]}]},
        {
            **good,
            "suggestions": [{"label": "x", "actions": [{**create, "resource": {**create["resource"], "id": "1"}}]}],
        },
        {**good, "unknown": 1},
    ):
        assert faults(wrong, CARD), wrong


@pytest.mark.parametrize(
    ("name", "summary", "indicator", "why"),
    [
        ("everything", "TACE preferred, 2 further possible", "warning", "an alert stands beside the recommendation"),
        ("board alone", "the board alone decides, 2 further possible", "warning", "that is no treatment"),
        ("two sites", "TACE (liver) and bone ablation (bone) preferred", "warning", "no alternatives to each other"),
        (
            "nothing decided",
            "cannot decide, needs the facts of the patient's record",
            "info",
            "images without a record",
        ),
        ("response only", "response PD by recist-1.1 on 2026-04-07", "info", "the response alone"),
        ("cannot decide", "cannot decide, needs coagulopathy status", "warning", "what is missing leads"),
        (
            "lung decided",
            "cannot decide, needs liver lesion count; lung RFA (lung) preferred",
            "warning",
            "what the other site has is no secret",
        ),
        ("contradiction", "facts contradict each other: INR", "warning", "nothing is preferred"),
        ("excluded", "Every locoregional treatment is excluded", "warning", "nothing is left"),
    ],
)
def test_a_summary_leads_with_the_answer(name, summary, indicator, why):
    card = cards_of(ASSESSMENTS[name])["plan"]
    assert card["summary"].casefold() == f"Draft for the tumour board: {summary}".casefold(), why
    assert card["indicator"] == indicator, why


def test_a_recommendation_without_alerts_is_information():
    assert cards_of(cases.assessment(selection=selected(alerts=())))["plan"]["indicator"] == "info"


def test_the_detail_says_what_is_proposed_why_what_is_missing_and_by_which_rules():
    detail = cards_of()["plan"]["detail"]
    for said in (
        "not a clinical decision", "TACE: preferred", "diffuse disease, good performance status (TACE-01; ",
        "TARE: excluded", "What is missing", "coagulopathy status", "a CT with slices",
        f"rule set {RULESET}",
        "Images of 2026-04-07", "PREG-01",
    ):  # fmt: skip
        assert said in detail.replace("\\", ""), said


def test_markdown_of_texts_is_only_text():
    reason = Reason("R-1", "INR < 1.5 & [platelets](https://x.test) > *50*\n# now", cases.SOURCE)
    option = Option("RFA", "preferred", 1, (reason,))
    detail = cards_of(cases.assessment(selection=selected(options=(option,))))["plan"]["detail"]
    assert r"INR &lt; 1.5 &amp; \[platelets\](https://x.test) > \*50\* \# now" in detail


@pytest.mark.parametrize(("takes_plans", "kinds"), [(False, ["CarePlan"]), (True, [])])
def test_the_plan_is_offered_only_where_the_ehr_does_not_take_it_from_us(takes_plans, kinds):
    """Where it does, the draft is in the chart: a second one of the same content would be a duplicate."""
    card = cards_of(takes_plans=takes_plans)["plan"]
    offered = [one["actions"][0]["resource"] for one in card["suggestions"]]
    assert [one["resourceType"] for one in offered] == [*kinds, *["ServiceRequest"] * 3]
    assert [one.get("status") for one in offered] == ["draft"] * len(offered)
    assert {one["intent"] for one in offered} == {"proposal"}


def test_only_what_is_preferred_is_recommended_and_what_is_excluded_is_not_offered():
    suggestions = cards_of()["plan"]["suggestions"][1:]
    assert [(one["label"], one.get("isRecommended")) for one in suggestions] == [
        ("Draft a request for TACE", True),
        ("Draft a request for RFA", None),
        ("Draft a request for surgery", None),
    ]


def test_every_draft_is_clean_and_refers_to_nothing_that_is_not_there():
    for suggestion in cards_of()["plan"]["suggestions"]:
        (action,) = suggestion["actions"]
        resource = action["resource"]
        assert findings(resource) == []
        assert "urn:uuid:" not in json.dumps(resource)
        assert resource["subject"] == {"reference": "Patient/p1"}
        assert resource["meta"]["security"][0]["code"] == "AIAST"


def test_the_offered_plan_never_counts_as_the_one_that_we_write():
    """Both in one chart would park later deliveries: one identifier of ours on two resources."""
    bundle = cases.bundle_of(cases.write(cases.assessment(), reading=READING))
    ours = {one["value"] for kind in ("CarePlan", "ServiceRequest") for plan in cases.of_type(bundle, kind)
            for one in plan["identifier"]}  # fmt: skip
    offered = {one["actions"][0]["resource"]["identifier"][0]["value"] for one in cards_of()["plan"]["suggestions"]}
    assert not ours & offered
    assert len(offered) == 4


@pytest.mark.parametrize(
    ("modality", "indicator", "says"),
    [
        ("TACE", "info", "TACE is preferred"),
        ("surgery", "warning", "surgery is possible in spite of a relative contraindication"),
        ("PEI", "warning", "PEI cannot be decided"),
        ("TARE", "critical", "TARE is excluded"),
    ],
)
def test_a_treatment_has_a_card_of_its_own(modality, indicator, says):
    card = cards_of()[modality]
    assert card["indicator"] == indicator
    assert says in card["summary"]


def test_the_mark_of_a_rule_reads_as_words_on_a_card():
    reason = Reason("N-1", "is possible [STRENGTH READ, confirm]", NERVO_2021.at("table 2"))
    card = cards_of(cases.assessment(selection=selected(options=(Option("RFA", "preferred", 1, (reason,)),))))["plan"]
    assert "is possible (our grading, confirm)" in card["detail"].replace("\\", "")
    assert "STRENGTH READ" not in card["detail"]


def test_sources_with_a_doi_are_linked():
    reason = Reason("N-1", "is possible", NERVO_2021.at("table 2"))
    card = cards_of(cases.assessment(selection=selected(options=(Option("RFA", "preferred", 1, (reason,)),))))["plan"]
    assert card["links"] == [
        {"label": "Nervo 2021", "url": "https://doi.org/10.1007/s12029-021-00646-6", "type": "absolute"}
    ]
    assert re.search(r"Sources: Nervo 2021 \(J Gastrointest Cancer", card["detail"])


def test_equal_assessments_have_equal_cards_and_changed_ones_have_others():
    first, again, changed = cards_of(), cards_of(), cards_of(cases.assessment(input_digest="cd" * 32))
    assert first == again
    assert not {card["uuid"] for card in first.values()} & {card["uuid"] for card in changed.values()}


def test_an_earlier_study_and_a_patient_who_is_not_known_have_no_card():
    """The newest study's proposal stands; and without a record nobody can be answered about."""
    assert cards_of(is_latest_study=False) == {}
    assert cards_of(reading=None) == {}
