"""What the report says: nothing invented, nothing that matters left out, and what is left out is counted."""

from dataclasses import replace
from datetime import timedelta

import fhir_cases as cases
import pytest
import report_case as made

from connector.core.assessment import Finding
from connector.core.case import Identifier, LesionState, PatientIdentity
from connector.report.board_content import board_content
from connector.report.room import AMPLE, ROOMS


def content(assessed=None, **more):
    return board_content(made.request(assessed, **more))


def with_selection(**changes):
    return cases.assessment(selection=replace(cases.selection(), **changes))


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ("response", "Cannot decide: needs measured lesions in at least two studies."),
        ("recommendation", "Cannot decide: needs the facts of the patient's record."),
        ("dose", "Cannot decide: needs a quantitative activity map (PET or SPECT) in the assessed study."),
        ("studies", "No imaging study was read."),
        ("evidence", "No published proportion applies to the offered treatments."),
        ("care", "Nothing follows from the rules."),
    ],
)
def test_an_absent_part_says_what_it_needs(part, sentence):
    assert content(made.nothing())[part]["absent"] == sentence


def test_the_assessments_own_words_on_what_it_needs_come_first():
    needs = (
        "response cannot be decided: a follow-up",
        "absorbed dose cannot be decided: the map is in counts",
        "selection cannot be decided: needs histology",
    )
    said = content(cases.assessment(response=None, dose=None, needs=needs))
    assert said["response"]["absent"] == "Cannot decide: needs a follow-up."
    assert said["dose"]["absent"] == "Cannot decide: the map is in counts."
    assert said["recommendation"]["needs"] == ["Selection cannot be decided: needs histology"]
    assert dict(said["summary"])["Response"] == "Cannot decide: needs a follow-up"


@pytest.mark.parametrize(
    ("who", "rows", "running"),
    [
        (
            made.WHO,
            ["Test, Lesion", "T-0001 (TEST-ISSUER)", "1961-03-04 (65 years)", "female"],
            "Test, Lesion · T-0001 · born 1961-03-04",
        ),
        (
            PatientIdentity((Identifier("1"), Identifier("2", "B")), "Only"),
            ["Only", "1, 2 (B)", "not known", "not known"],
            "Only · 1 · born not known",
        ),
        (PatientIdentity(()), ["not known"] * 4, "not known · ID not known · born not known"),
    ],
)
def test_the_patient_as_a_chart_needs_it(who, rows, running):
    said = content(who=who)
    assert [value for _, value in said["patient"]["rows"]] == rows
    assert said["running"] == running
    assert said["patient"]["note"] == ""


def test_a_name_in_signs_that_the_typeface_lacks_is_told():
    said = content(who=PatientIdentity((Identifier("1"),), "\u5c71\u7530", "\u592a\u90ce"))
    assert "compare it in the record" in said["patient"]["note"]


def test_the_summary_is_the_answer_in_short():
    changed = cases.assessment(changes=("the response is PD now, and was PR",))
    assert content(changed)["summary"] == [
        ["Response", ("Progressive disease (PD) on 2026-04-07 by RECIST 1.1, sum 43.00 mm, +7.5 % from baseline, "
                     "+43.3 % from the smallest sum before")],
        ["Recommendation", "Preferred: Transarterial chemoembolisation (TACE)"],
        ["Absorbed dose", "Y-90: T01 <right & left> mean 120.5 Gy, liver | all, $ mean 31.0 Gy"],
        ["Changed", "The response is PD now, and was PR."],
        ["Alerts", "test for pregnancy"],
    ]  # fmt: skip


def test_of_many_changes_the_first_five_are_told_after_what_they_are_compared_with():
    changes = ("Compared with the assessment of 2026-01-01:", *(f"Option {number} changed." for number in range(7)))
    (said,) = [text for name, text in content(cases.assessment(changes=changes))["summary"] if name == "Changed"]
    assert said == (
        "Compared with the assessment of 2026-01-01: Option 0 changed. Option 1 changed. Option 2 changed."
        " Option 3 changed. Option 4 changed. 2 more changes are in the structured report."
    )


@pytest.mark.parametrize(
    ("status", "options", "blocking", "expected"),
    [
        ("recommend", (made.option("preferred", ()), made.option("preferred", (), modality="RFA")), (),
         "Preferred: Transarterial chemoembolisation (TACE) or Radiofrequency ablation (RFA)"),
        ("cannot_decide", (made.option("cannot_decide", (), needs=("ecog_ps",)),), (),
         "Cannot decide: needs ECOG performance status"),
        ("cannot_decide", (made.option("cannot_decide", (), needs=("ecog_ps",)),), ("histology",),
         "Cannot decide: needs histology"),
        ("cannot_decide", (), (), "Cannot decide: facts are missing."),
        ("excluded_all", (made.option("excluded", ("R",)),), (), "Every locoregional treatment is excluded."),
        ("contradictory_data", (), (), "Facts contradict each other; nothing is preferred."),
    ],
)  # fmt: skip
def test_the_recommendation_in_short(status, options, blocking, expected):
    said = content(with_selection(status=status, options=options, blocking=blocking))
    assert dict(said["summary"])["Recommendation"] == expected


def test_without_a_complete_sum_no_number_is_given():
    last = (
        cases.response("NE")
        .visits[0]
        ._replace(
            sum_mm=None,
            nadir_mm=None,
            change_from_baseline_percent=None,
            change_from_nadir_percent=None,
            new_lesion="equivocal",
        )
    )
    first = made.course(1).visits[0]._replace(label="Baseline scan")
    said = content(cases.assessment(response=replace(cases.response("NE"), visits=(first, last))))
    assert dict(said["summary"])["Response"] == "Not evaluable (NE) on 2026-04-07 by RECIST 1.1, equivocal new lesion"
    assert said["response"]["rows"][1]["cells"] == ["2026-04-07", "not complete", "–", "–", "–"]  # noqa: RUF001
    assert said["response"]["rows"][0]["below"] == "Baseline scan, targets T01, T02, non-targets none"
    assert "not complete (NE)" in said["response"]["picture"]


@pytest.mark.parametrize(
    ("visits", "shown", "note"),
    [
        (AMPLE.visits, AMPLE.visits, ""),
        (
            AMPLE.visits + 2,
            AMPLE.visits,
            "2 visits after the baseline are in the reports of the earlier studies; the picture shows all.",
        ),
    ],
)
def test_of_many_visits_the_baseline_and_the_latest_are_shown(visits, shown, note):
    said = content(cases.assessment(response=made.course(visits)))["response"]
    assert len(said["rows"]) == shown
    assert said["rows"][0]["overall"] == "baseline"
    assert said["rows"][-1]["cells"][1] == f"{101 - visits} mm"
    assert said["note"] == note


def test_of_many_studies_the_latest_are_shown_and_the_assessed_one_is_marked():
    point = cases.assessment().time_points[-1]
    points = [
        replace(point, study_instance_uid=f"2.25.{n}", studied_on=point.studied_on - timedelta(days=n))
        for n in range(AMPLE.studies, 0, -1)
    ]
    said = content(cases.assessment(time_points=(*points, point)))["studies"]
    assert said["note"] == "1 earlier study is in the reports of the earlier studies."
    assert [row[1] for row in said["rows"]] == ["CT"] * (AMPLE.studies - 1) + ["CT (assessed)"]


def test_a_lesion_is_told_by_the_axis_that_counts():
    point = cases.assessment().time_points[-1]
    node = replace(cases.lesion(2), lymph_node=True, site="lymph_node")
    gone = cases.lesion(3, state=LesionState.ABSENT, long_axis_mm=None)
    said = content(cases.assessment(time_points=(replace(point, lesions=(cases.lesion(1), node, gone)),)))
    assert said["studies"]["rows"][0][3] == ("T01 liver 21.50 mm, T02 lymph node 14.0 mm short axis, T03 liver absent")


@pytest.mark.parametrize(
    ("option", "shown", "more", "why"),
    [
        (made.option("preferred", ("A", "B", "C", "D")), 3, "and 1 more rule", "three reasons for the preferred one"),
        (made.option("possible", ("A", "B", "C")), 1, "and 2 more rules", "one reason for another"),
        (made.option("excluded", ("RAI-MTC-NO", "SURG-BILOBAR-NO", "A")), 2, "and 1 more rule", "every objection"),
        (made.option("relative_contraindication", ("A", "SURG-BILOBAR-NO")), 1, "and 1 more rule", "objections"),
        (made.option("possible", ("FU-QOL", "FU-CT-PHASES")), 1, "and 1 more rule", "if nothing weighs, what speaks"),
        (made.option("cannot_decide", ("FU-QOL",), needs=("histology",)), 0, "", "what is needed says it all"),
    ],
)  # fmt: skip
def test_which_reasons_are_shown(option, shown, more, why):
    (said,) = content(with_selection(options=(option,)))["recommendation"]["options"]
    assert (len(said["because"]), said["more"]) == (shown, more), why


def test_an_objection_stands_first_and_is_cited():
    said = content(with_selection(options=(made.option("relative_contraindication", ("A", "SURG-BILOBAR-NO")),)))
    first = said["recommendation"]["options"][0]["because"][0]
    assert first["cite"] == "SURG-BILOBAR-NO; SOURCE_000, table 3"


def test_what_prefers_stands_before_what_indicates_and_the_special_before_the_general():
    rules = ("GEN-ELIG-PROG", "ABL-FEW", "TACE-BURDEN-30")
    said = content(with_selection(options=(made.option("preferred", rules),)))["recommendation"]["options"][0]
    order = [one["cite"].partition(";")[0] for one in said["because"]]
    assert order.index("ABL-FEW") < order.index("GEN-ELIG-PROG"), "fewer treatments"


def test_alerts_and_contradictions_are_never_cut():
    alerts = tuple(made.reason(f"ALERT-{n}", f"alert {n}") for n in range(40))
    said = content(with_selection(alerts=alerts, contradictions=("histology",)))
    assert len(said["recommendation"]["alerts"]) == 40
    assert "alert 39" in dict(said["summary"])["Alerts"]
    assert said["recommendation"]["contradictions"] == ["histology"]


def test_a_treatment_has_all_its_outcomes_or_none():
    harms = tuple(made.risk("TACE", f"harm_{n}") for n in range(AMPLE.risks - 1))
    said = content(with_selection(risks=(made.risk("RFA", "benefit"), made.risk("RFA", "harm"), *harms)))["evidence"]
    assert [(group["name"], len(group["rows"])) for group in said["groups"]] == [
        ("Transarterial chemoembolisation (TACE)", AMPLE.risks - 1)
    ], "the preferred one is first, and benefit without harm would mislead"
    assert said["note"] == "Numbers on Radiofrequency ablation (RFA) are in the structured report."
    assert said["groups"][0]["rows"][0] == ["harm 0", "12.1 % (3.4 to 28.2)", "33"]


def test_measures_and_visits_that_do_not_fit_are_counted():
    selection = cases.selection()
    measures = (made.reason("GEN-MDT-ENDO"),) * (AMPLE.measures + 1)
    said = content(with_selection(measures=measures, follow_up=selection.follow_up * 5))["care"]
    assert said["note"] == "1 more measure is in the structured report. 4 more visits are in the structured report."
    assert said["follow_up"][0] == ["CT of the liver", "2026-05-07", "FU-01; SOURCE_000, table 3"]
    assert said["follow_up"][1][1] == "every 3 months"


def test_the_facts_behind_the_reasons_have_value_and_day():
    option = replace(made.option("preferred", ()), because=(made.reason(facts=("histology", "ecog_ps", "inr")),))
    assessed = with_selection(options=(option,))
    disputed = replace(assessed, warnings=("record and images differ in ecog_ps: left out until a person decides",))
    known = made.record(histology="MTC", ecog_ps=0)
    assert content(assessed, record=known)["recommendation"]["facts"] == (
        "histology: MTC (2026-04-07); ECOG performance status: 0 (2026-04-07)"
    )
    assert "ECOG" not in content(disputed, record=known)["recommendation"]["facts"], "disputed facts were not used"
    assert content(assessed)["recommendation"]["facts"] == "", "nothing is known without a record"


def test_findings_are_cited_and_counted():
    findings = (Finding("adverse_event", "anaemia grade 2", made.SOURCE),) * (AMPLE.findings + 3)
    said = content(cases.assessment(findings=findings))["course"]
    assert said["findings"][0] == ["Anaemia grade 2", "(SOURCE_000, table 3)"]
    assert said["note"] == "3 more findings are in the structured report."


def test_the_dose_names_method_and_scale():
    assert content()["dose"]["method"] == (
        "Y-90, local deposition; activity as measured, 4.0 h from administration to the reference time (series). "
        "± is two standard uncertainties (edge of the region, calibration, constants, density of tissue)."
    )
    scaled = cases.assessment(dose=replace(cases.dose(), scale=1.25))
    assert "scaled by 1.25" in content(scaled)["dose"]["method"]


def test_versions_and_inputs_are_named():
    said = dict(content(cases.assessment(response=made.course(2)), record=made.record())["versions"]["rows"])
    assert said["Made by"] == "connector 1.0.0, rule set thyroid-metastases-2026.12"
    assert said["Inputs"] == f"5, each named in the record's Provenance; digest {'ab' * 32}"
    assert said["Response policies"] == "mRECIST asks for 5 mm of growth: no"
    assert said["Dose constants"] == "profile: seed"


def test_what_is_open_of_a_lesion_stands_among_the_remarks():
    assessed = cases.assessment()
    point = assessed.time_points[-1]
    odd = replace(point.lesions[0], flags=("long_axis_mm differs between two descriptions of this lesion: check",))
    changed = replace(assessed, time_points=(assessed.time_points[0], replace(point, lesions=(odd,))))
    remarks = content(changed)["response"]["flags"]
    assert remarks[-1] == f"{odd.tracking_id}: {odd.flags[0]}"


def test_options_of_which_the_same_is_said_share_a_row():
    same = {"rules": ("SURG-BILOBAR-NO", "A"), "verdict": "relative_contraindication"}
    options = (
        made.option("possible", ("A",), modality="TARE"),
        replace(made.option(modality="RFA", **same), rank=5),
        replace(made.option(modality="MWA", verdict=same["verdict"], rules=(*same["rules"], "B")), rank=6),
        replace(made.option("excluded", ("SURG-BILOBAR-NO",), modality="PEI"), rank=None),
    )
    first, second, third = content(with_selection(options=options))["recommendation"]["options"]
    assert (first["name"], third["name"]) == ("Radioembolisation (TARE)", "Percutaneous ethanol injection (PEI)")
    assert second["name"] == "Radiofrequency ablation (RFA): rank 5; Microwave ablation (MWA): rank 6"
    assert (second["rank"], second["more"]) == ("5 to 6", "and 1 to 2 more rules")


def test_two_preferred_options_stand_in_rows_of_their_own():
    options = (made.option("preferred", ("A",)), made.option("preferred", ("A",), modality="RFA"))
    assert len(content(with_selection(options=options))["recommendation"]["options"]) == 2


@pytest.mark.parametrize("room", ROOMS)
def test_what_a_patients_safety_hangs_on_is_never_cut_for_room(room):
    objections = ("RAI-MTC-NO", "SURG-BILOBAR-NO", "GEN-ABL-DIFFUSE-NO")
    own = tuple(made.reason("SYS-VEGF-HOLD", f"what the patient's facts call for {n}") for n in range(9))
    assessed = with_selection(
        measures=(made.reason("GEN-MDT-ENDO"), *own),
        alerts=tuple(made.reason(f"ALERT-{n}", f"alert {n}") for n in range(9)),
        contradictions=("histology", "inr"),
        options=(made.option("excluded", objections), made.option("cannot_decide", (), needs=("ecog_ps",))),
    )
    assessed = replace(assessed, warnings=tuple(f"warning {n}" for n in range(6)))
    said = board_content(made.request(assessed), room)
    chosen = said["recommendation"]
    assert (len(chosen["alerts"]), len(chosen["contradictions"])) == (9, 2)
    assert [len(option["because"]) for option in chosen["options"]] == [3, 0]
    assert chosen["options"][1]["needs"] == "ECOG performance status"
    assert [one["text"] for one in said["care"]["measures"]] == [one.text for one in own]
    assert len(said["versions"]["warnings"]) == 6
    assert said["dose"]["warnings"] == ["lung shunt is not known"]


def test_names_of_facts_are_words_and_a_label_is_said_once():
    assessed = cases.assessment(
        warnings=("record and images differ in liver_lesion_count: left out until a person decides",),
        worth_knowing=("Worth knowing: cirrhosis; TACE would be first if it is no",),
    )
    said = content(assessed)
    assert said["versions"]["warnings"] == [
        "record and images differ in liver lesion count: left out until a person decides"
    ]
    assert said["recommendation"]["worth_knowing"] == ["Cirrhosis; TACE would be first if it is no"]
