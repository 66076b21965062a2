"""The whole decision on one case: each part speaks or says what it needs, and equal inputs have equal digests."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest

from connector.core.assess import assess, input_digest
from connector.core.assessment import Earlier, Selection
from connector.core.case import (
    ActivityMap,
    CaseFacts,
    Enhancement,
    LabResult,
    LesionMeasurement,
    LesionState,
    Region,
    TimePoint,
    Uptake,
    VolumeGeometry,
)
from connector.core.evidence import Observed, Skipped

FIRST = date(2026, 1, 1)
TODAY = FIRST + timedelta(100)


def lesion(size, days, state=LesionState.MEASURED):
    return LesionMeasurement(
        tracking_uid="2.25.7",
        tracking_id="T01",
        site="liver",
        site_code=None,
        lymph_node=False,
        origin=f"1.2.{days}.1",
        observed_on=FIRST + timedelta(days),
        long_axis_mm=None if size is None else Decimal(size),
        state=state,
    )


def study(days, *lesions):
    return TimePoint(f"1.2.{days}", FIRST + timedelta(days), "CT", lesions)


def fact(value, days=0):
    return Observed(value, "Observation/1", FIRST + timedelta(days))


def case(*studies, **fields):
    assessed = studies[-1].study_instance_uid if studies else "1.2.0"
    return CaseFacts("ref", assessed, studies, **({"facts": {}} | fields))


def judged(given, **fields):
    return assess(given, today=TODAY, connector_version="test", **fields)


GROWN = case(study(0, lesion(20, 0)), study(90, lesion(40, 90)))
SHRUNK = case(study(0, lesion(20, 0)), study(90, lesion(10, 90)))
NOT_SEEN = case(study(0, lesion(20, 0)), study(90, lesion(None, 90, LesionState.NOT_EVALUABLE)))


def test_a_case_without_images_says_what_response_needs_and_asks_for_facts():
    assessment = judged(case())
    assert assessment.response is None
    assert assessment.dose is None
    assert assessment.needs[0] == "response cannot be decided without measured lesions: no imaging study holds any"
    assert assessment.selection.status == "cannot_decide"


@pytest.mark.parametrize(
    ("given", "expected", "why"),
    [
        (GROWN, True, "progression is a fact of the images"),
        (SHRUNK, False, "so is its absence"),
        (NOT_SEEN, None, "not evaluable says neither"),
        (replace(GROWN, study_instance_uid="1.2.0"), None, "at baseline nothing is compared"),
        (case(study(90, lesion(40, 90))), None, "one study"),
    ],
)
def test_progression_on_the_assessed_images_enters_the_selection(given, expected, why):
    rising = {"marker_trend": fact("rising"), "histology": fact("MTC")}
    fired = judged(replace(given, facts=rising)).selection.rules_fired
    falling = judged(replace(given, facts=rising | {"marker_trend": fact("falling")})).selection.rules_fired
    assert ("BIO-DISCORD-DOWN" in fired) is (expected is False), why
    assert ("BIO-DISCORD-UP" in falling) is (expected is True), why


def test_what_record_and_images_tell_differently_is_left_out_and_named():
    told = {"radiological_progression": fact(False)}
    assert any("radiological_progression" in one for one in judged(replace(GROWN, facts=told)).warnings)


@pytest.mark.parametrize(
    ("treatments", "start", "doubts", "why"),
    [
        ((), None, (), "durations are counted from the baseline"),
        ((Observed("TACE", "Procedure/1", FIRST + timedelta(5)),), FIRST + timedelta(5), (), "dated"),
        (
            (Observed("TACE", "Procedure/1"),),
            None,
            ("the start of treatment is not known: TACE has no day",),
            "undated",
        ),
    ],
)
def test_response_is_counted_from_the_start_of_treatment(treatments, start, doubts, why):
    assessment = judged(replace(GROWN, treatments=treatments))
    days = assessment.response.progression_free_survival.days
    assert days == ((FIRST + timedelta(90)) - (start or FIRST)).days, why
    assert [one.text for one in assessment.findings if one.kind == "course"] == (
        [f"response is counted from the start of TACE on {start}"] if start else []
    )
    assert all(doubt in " ".join(assessment.warnings) for doubt in doubts)
    assert ("treatment_start_unknown" in str(assessment.response.visits)) is (start is None)


@pytest.mark.parametrize(
    ("enhancement", "viable_mm", "fact_said", "response"),
    [
        (Enhancement.NONE, 0, False, "CR"),
        (Enhancement.MASSLIKE, 12, True, "PR"),
        (Enhancement.ATYPICAL, 12, None, "PR"),
    ],
)
def test_viable_tumour_stands_beside_recist_and_enters_the_selection(enhancement, viable_mm, fact_said, response):
    before = replace(lesion(20, 0), viable_mm=Decimal(20), uptake=Uptake(10.0))
    after = replace(lesion(22, 90), viable_mm=Decimal(viable_mm), enhancement=enhancement, uptake=Uptake(4.0))
    given = case(study(0, before), study(90, after), treatments=(Observed("RFA", "Procedure/1", FIRST + timedelta(1)),))
    assessment = judged(given)
    assert assessment.response.visits[-1].overall_response == "SD", "RECIST looks at the whole lesion"
    assert assessment.viable.response.visits[-1].overall_response == response
    assert assessment.uptake[0].suv_max_percent == "-60.0"
    assert [report.lesion for report in assessment.treated_lesions] == ["T01"]
    fired = "RESP-LOCALPROG" in assessment.selection.rules_fired
    assert fired is (fact_said is True)
    assert "RESP-VIABLE" in assessment.selection.rules_fired


def test_markers_and_adverse_events_stand_beside_the_answers():
    values = tuple(
        Observed(Decimal(2**place), f"Observation/{place}", FIRST + timedelta(30 * place)) for place in range(4)
    )
    labs = (LabResult("alt", Decimal(201), "Observation/9", FIRST + timedelta(60), upper_normal=Decimal(40)),)
    given = replace(
        SHRUNK,
        facts={"histology": fact("MTC")},
        series={"calcitonin_pg_ml": values},
        treatments=(Observed("TACE", "Procedure/1", FIRST),),
        labs=labs,
    )
    assessment = judged(given)
    assert [(one.marker, one.trend) for one in assessment.markers] == [("calcitonin", "rising")]
    assert {one.kind for one in assessment.findings} == {"course", "marker", "adverse_event"}
    assert {"BIO-HIGHRISK", "BIO-DISCORD-DOWN"} <= set(assessment.selection.rules_fired)
    assert {"Observation/3", "Observation/9", "Procedure/1"} <= set(assessment.inputs)


@pytest.mark.parametrize(
    ("stated", "warned"), [(Decimal("Infinity"), False), (Decimal(3), True)], ids=["the same", "another"]
)
def test_what_the_record_states_stands_before_what_its_series_says(stated, warned):
    values = tuple(Observed(Decimal(8 - place), f"Observation/{place}", FIRST + timedelta(place)) for place in range(4))
    given = case(facts={"calcitonin_doubling_time_months": fact(stated)}, series={"calcitonin_pg_ml": values})
    words = [one for one in judged(given).warnings if "record's word stands" in one]
    assert bool(words) is warned


def test_the_days_since_the_last_local_treatment_are_counted():
    given = case(facts={"last_lrt_modality": fact("TACE", 70), "histology": fact("MTC")})
    assert "FU-CT1M" in {one.rule for one in judged(given).selection.follow_up}, "30 days before today"


def test_an_undecided_selection_names_the_few_facts_that_block_it_and_counts_the_rest():
    told = {"histology": fact("MTC"), "liver_lesion_count": fact(2), "extrahepatic_disease_status": fact("none")}
    (need,) = [one for one in judged(case(facts=told)).needs if one.startswith("selection")]
    assert need.startswith("selection cannot be decided: needs liver lobes involved (")
    assert need.endswith("further facts would refine it)")


def test_contradictory_facts_need_no_further_fact():
    told = {"histology": fact("MTC"), "rai_avid": fact(True)}
    assessment = judged(case(facts=told))
    assert assessment.selection.status == "contradictory_data"
    assert not [one for one in assessment.needs if one.startswith("selection")]


def test_liver_tests_that_are_too_old_are_named_with_their_day_and_no_score_is_computed_from_them():
    parts = {"bilirubin_total_umol_l": Decimal(20), "albumin_g_l": Decimal(36), "inr": Decimal("1.1"),
             "ascites_grade": "none", "encephalopathy_grade": 0}  # fmt: skip
    fresh = judged(case(facts={name: fact(value, 70) for name, value in parts.items()}))
    assert (fresh.selection.values["child_pugh_score"], fresh.warnings) == ("5", ())
    old = judged(case(facts={name: fact(value, 69 if name == "inr" else 70) for name, value in parts.items()}))
    assert "child_pugh_score" not in old.selection.values
    assert old.warnings == (
        "no Child-Pugh score is computed from INR 1.1 of 2026-03-11, 31 days old: more than 30 days; measure it again",
    )


def test_what_changed_is_said_only_when_there_is_an_earlier_assessment():
    assert judged(GROWN).changes == ()
    earlier = Earlier(FIRST, "1.2.0", Selection("recommend", ()), "PR")
    assert "Overall response was PR, is now PD." in judged(GROWN, previous=earlier).changes


def test_every_input_that_was_not_used_is_named():
    given = case(skipped=(Skipped("Observation/3", "no unit"),))
    assert judged(given).warnings == ("not used: Observation/3: no unit",)


GEOMETRY = VolumeGeometry((1, 1, 2), (0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (10, 10, 10), "1.9")


def activity(*, quantitative):
    becquerels = np.array([[[1e6, 3e6]]], dtype=np.float32)
    return ActivityMap(becquerels, GEOMETRY, "Y-90", "1.2.0", "1.2.0.5", 0.0, "injection", quantitative)


def test_absorbed_dose_is_told_or_what_it_needs():
    liver = Region("liver", "liver", np.ones((1, 1, 2), dtype=bool), GEOMETRY, "1.2.0.6", 1)
    told = judged(case(study(0), activity=activity(quantitative=True), regions=(liver,)))
    # 2 MBq/mL on average, 1.04 g/mL, 49.67 J/GBq: 2e-3 GBq/mL * 49.67 J/GBq / 1.04e-3 kg/mL.
    assert told.dose.regions[0].mean_gy == pytest.approx(2e-3 * 49.67 / 1.04e-3, rel=0.02)
    assert {"1.2.0.5", "1.2.0.6"} <= set(told.inputs)
    refused = judged(case(study(0), activity=activity(quantitative=False), regions=(liver,)))
    assert refused.dose is None
    assert any(need.startswith("absorbed dose cannot be decided: ") for need in refused.needs)


def test_what_planar_views_and_a_ct_tell_is_named_among_the_inputs():
    """Their shunt is a fact of the selection, and their images stand beside those of every other fact."""
    seen = {
        "planar_lung_shunt": Observed(Decimal("0.12"), "1.2.8.1", TODAY),
        "lung_mass": Observed(Decimal("0.9"), "1.2.7", TODAY),
    }
    found = judged(replace(GROWN, **seen))
    assert {"1.2.8.1", "1.2.7"} <= set(found.inputs)
    assert "the lung shunt 0.12 is from planar views" in found.warnings


CHANGED = [
    {"planar_lung_shunt": Observed(Decimal("0.12"), "1.2.8.1", TODAY)},
    {"facts": {"inr": fact(Decimal(1))}},
    {"series": {"cea_ng_ml": (Observed(Decimal(1), "Observation/1", FIRST),)}},
    {"treatments": (Observed("TACE", "Procedure/1", FIRST),)},
    {"labs": (LabResult("alt", Decimal(1), "Observation/1", FIRST),)},
    {"skipped": (Skipped("x", "y"),)},
    {"study_instance_uid": "1.2.0"},
    {"activity": activity(quantitative=True)},
    {"time_points": ()},
]


@pytest.mark.parametrize("change", CHANGED, ids=lambda change: next(iter(change)))
def test_every_input_is_in_the_digest(change):
    assert input_digest(replace(GROWN, **change)) != input_digest(GROWN)


def test_neither_the_key_of_the_reference_nor_an_earlier_answer_is_in_the_digest():
    earlier = Earlier(FIRST, "1.2.0", None, "PR")
    assert judged(replace(GROWN, case_ref="other"), previous=earlier).input_digest == judged(GROWN).input_digest
