"""The command `connector respond`: forms, exit codes, error sentences, lines, schema, and the tables of a trial."""

import csv
import json
from decimal import Decimal

import jsonschema
import pytest
from click.testing import CliRunner

from connector.cli.respond import respond, response
from connector.contract.reading import dumps
from connector.contract.respond import SCHEMAS, run

LESIONS = {
    "criteria": "recist-1.1",
    "treatment_start": "2025-01-02",
    "lesions": [
        {"id": "T01", "role": "target", "site": "liver", "lymph_node": False},
        {"id": "T02", "role": "target", "site": "lung", "lymph_node": False},
        {"id": "N01", "role": "non_target", "site": "lung", "lymph_node": False},
    ],
    "visits": [
        {"date": "2025-01-02", "measurements": {"T01": "21.0", "T02": 12, "N01": "present"}, "new_lesion": "none"},
        {"date": "2025-02-20", "reader": "R1", "new_lesion": "none",
         "measurements": {"T01": ["7.0", 3], "T02": "too_small", "N01": "absent"}},
        {"date": "2025-04-02", "label": "C4", "new_lesion": "equivocal",
         "measurements": {"T01": "merged:T02", "T02": 40}},
    ],
    "policies": {"confirm": True},
}  # fmt: skip
SUMS = {
    "criteria": "mrecist",
    "sums": {
        "baseline_mm": "30",
        "nadir_mm": "20",
        "current_mm": "24",
        "all_targets_measured": True,
        "all_targets_gone": False,
        "reappeared_after_complete_response": False,
    },
}
TABLE = {"criteria": "recist-1.1", "table": {"target": "SD", "non_target": "NON-CR/NON-PD", "new_lesion": "none"}}
ASSESSMENTS = {
    "criteria": "recist-1.1",
    "treatment_start": "2020-01-01",
    "assessments": [{"date": "2020-04-01", "response": "PR"}, {"date": "2020-02-15", "response": "PR"}],
}
BLANK_LINE = "the line is blank: give one case a line, or take the line out"
FORMS = {"lesions": LESIONS, "sums": SUMS, "table": TABLE, "assessments": ASSESSMENTS}


def changed(case, path, value):
    """A copy of the case with one field changed, by its dotted path; ... takes the field away."""
    copy = json.loads(json.dumps(case))
    *parents, last = (int(part) if part.isdecimal() else part for part in path.split("."))
    place = copy
    for part in parents:
        place = place[part]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return copy


def invoke(*arguments, text=None):
    return CliRunner().invoke(respond, arguments, input=text)


@pytest.mark.parametrize("name", FORMS)
def test_each_form_is_answered_as_its_schema_says(name):
    jsonschema.validate(FORMS[name], SCHEMAS["respond"])
    result = invoke("-", text=json.dumps(FORMS[name]))
    assert (result.exit_code, result.stderr) == (0, "")
    answer = json.loads(result.stdout)
    jsonschema.validate(answer, SCHEMAS["respond-result"])
    assert set(answer["versions"]) == {"connector", "ruleset"}


def test_the_answer_to_lesions():
    answer = json.loads(dumps(run(LESIONS)))
    first, second, third = answer["visits"]
    assert (first["sum_mm"], first["overall_response"], first["nadir_mm"]) == ("33.0", "NA", None)
    assert (second["sum_mm"], second["change_from_baseline_percent"], second["overall_response"]) == (
        "15.0",
        "-54.5",
        "PR",
    )
    assert (second["reader"], third["label"], third["non_target_response"]) == ("R1", "C4", "NE")
    assert (third["change_from_nadir_percent"], third["overall_response"]) == ("166.7", "PD")
    assert answer["best_overall_response"] == {"response": "PR", "date": "2025-02-20"}
    assert answer["confirmed_best_overall_response"] == {"response": "SD", "date": "2025-02-20"}
    assert answer["leads_with"] == "confirmed_best_overall_response"
    assert answer["progression_free_survival"] == {"days": 90, "event": True}
    assert answer["duration_of_response"] is None


def test_the_answer_to_assessments():
    answer = json.loads(dumps(run(ASSESSMENTS)))
    assert answer["confirmed_best_overall_response"] == {"response": "PR", "date": "2020-02-15"}
    assert answer["duration_of_response"] == {"days": 46, "event": False}
    assert (answer["flags"], answer["leads_with"]) == ([], "best_overall_response")
    early = changed(ASSESSMENTS, "treatment_start", "2020-03-01")
    assert run(early)["flags"] == ("before_treatment_start: 1 assessments; check their dates",)


def test_no_assessment_at_all_is_not_evaluable():
    answer = json.loads(dumps(run(changed(ASSESSMENTS, "assessments", []))))
    assert answer["best_overall_response"] == {"response": "NE", "date": None}


@pytest.mark.parametrize(
    ("form", "path", "value", "field"),
    [
        ("lesions", "criteria", "who", "criteria"),
        ("lesions", "criteria", ..., "criteria"),
        ("lesions", "surprise", 1, "surprise"),
        ("lesions", "treatment_start", "2025-01", "treatment_start"),
        ("lesions", "treatment_start", "20250102", "treatment_start"),
        ("lesions", "treatment_start", "2025-02-30", "treatment_start"),
        ("lesions", "treatment_start", ..., "treatment_start"),
        ("lesions", "lesions.1.id", "T01", "lesions.1.id"),
        ("lesions", "lesions.0.role", "main", "lesions.0.role"),
        ("lesions", "lesions.0.lymph_node", "no", "lesions.0.lymph_node"),
        ("lesions", "lesions.0.axis", "short", "lesions.0.axis"),
        ("lesions", "lesions.0.slice_thickness_mm", "5 mm", "lesions.0.slice_thickness_mm"),
        ("lesions", "visits.0.measurements.T01", "0", "visits.0.measurements.T01"),
        ("lesions", "visits.1.measurements.T01", "12mm", "visits.1.measurements.T01"),
        ("lesions", "visits.1.measurements.T01", "-3", "visits.1.measurements.T01"),
        ("lesions", "visits.1.measurements.T01", True, "visits.1.measurements.T01"),
        ("lesions", "visits.1.measurements.T01", ["12"], "visits.1.measurements.T01"),
        ("lesions", "visits.1.measurements.Q", "12", "visits.1.measurements.Q"),
        ("lesions", "visits.1.date", "2025-01-02", "visits.1.date"),
        ("lesions", "visits.1.new_lesion", "maybe", "visits.1.new_lesion"),
        ("lesions", "visits.1.new_lesion", ..., "visits.1.new_lesion"),
        ("lesions", "lesions.0.axis", "short_axis", "lesions.0.axis"),
        ("lesions", "policies.confirm", "yes", "policies.confirm"),
        ("lesions", "policies.confirm_days", -1, "policies.confirm_days"),
        ("lesions", "policies.max_ne", 1.5, "policies.max_ne"),
        ("lesions", "policies.continuing_response", "always", "policies.continuing_response"),
        ("sums", "sums.baseline_mm", 0, "sums.baseline_mm"),
        ("sums", "sums.baseline_mm", False, "sums.baseline_mm"),
        ("sums", "sums.current_mm", "-1", "sums.current_mm"),
        ("sums", "sums.nadir_mm", "31", "sums.nadir_mm"),
        ("sums", "sums.all_targets_gone", ..., "sums.all_targets_gone"),
        ("table", "table.target", "NON-CR/NON-PD", "table.target"),
        ("table", "table.non_target", "SD", "table.non_target"),
        ("assessments", "assessments.0.date", ..., "assessments.0.date"),
        ("assessments", "assessments.0.date", None, "assessments.0.date"),
        ("assessments", "assessments.1.date", "2020-04-01", "assessments.1.date"),
        ("assessments", "assessments.0.response", "iCR", "assessments.0.response"),
        ("assessments", "sums", {}, "(case)"),
        ("assessments", "assessments", ..., "(case)"),
    ],
)
def test_a_wrong_case_leaves_with_two_and_a_sentence(form, path, value, field):
    result = invoke("-", text=json.dumps(changed(FORMS[form], path, value)))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1].startswith(f"{field} = ")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("form", "path", "value", "sentence"),
    [
        ("lesions", "criteria", "who", "criteria = \"who\": write 'recist-1.1' or 'mrecist'"),
        ("lesions", "lesions.0", "T01", 'lesions.0 = "T01": write a JSON object, {…}'),
        ("lesions", "lesions", {}, "lesions = {}: write a JSON list, […]"),
        ("lesions", "lesions.0.id", 1, "lesions.0.id = 1: write text in quotes"),
        ("lesions", "lesions.0.lymph_node", "no", 'lesions.0.lymph_node = "no": write true or false, without quotes'),
        ("lesions", "visits.1.new_lesion", ..., "visits.1.new_lesion = null: is needed and missing: add it"),
        ("lesions", "policies.confirm_days", -1, "policies.confirm_days = -1: must be 0 or more"),
        (
            "lesions",
            "lesions.0.site",
            "li\0ver",
            'lesions.0.site = "li\\u0000ver": holds the control character U+0000: remove it',
        ),
        (
            "lesions",
            "visits.1.label",
            "cycle 2\n",
            'visits.1.label = "cycle 2\\n": holds the control character U+000A: remove it',
        ),
        ("sums", "sums.baseline_mm", 0, "sums.baseline_mm = 0: must be above 0"),
    ],
)
def test_the_sentence_says_what_to_write(form, path, value, sentence):
    result = invoke("-", text=json.dumps(changed(FORMS[form], path, value)))
    assert result.stderr.splitlines()[-1] == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "(case) ="),
        ("[]", "(case) = []: a case is one JSON object"),
        ('{"criteria": NaN}', 'criteria = "NaN": not a finite number'),
        ('{"criteria": 1, "criteria": 2}', "criteria = 2: is given twice"),
        ("[" * 100_000, "(case) ="),
        ('{"a": ' + "1" * 5000 + "}", "(case) ="),
        ('{"criteria": "recist-1.1", "sums": {"baseline_mm": 1e999999}}', "sums.baseline_mm ="),
    ],
)
def test_what_is_no_case_leaves_with_two(text, sentence):
    result = invoke("-", text=text)
    assert result.exit_code == 2
    assert result.stderr.startswith(sentence)


def test_the_sentence_is_one_line_and_not_longer_than_a_screen():
    result = invoke("-", text=json.dumps(changed(LESIONS, "criteria", "a\nb" * 1000)))
    assert len(result.stderr.splitlines()) == 1
    assert len(result.stderr) < 400


def test_a_file_that_is_not_there(tmp_path):
    result = invoke(str(tmp_path / "none.json"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("CASE = ")


def test_a_case_from_a_file(tmp_path):
    path = tmp_path / "case.json"
    path.write_text(json.dumps(TABLE), encoding="utf-8")
    assert json.loads(invoke(str(path)).stdout)["overall_response"] == "SD"


def test_no_case_at_all_is_wrong_usage():
    assert invoke().exit_code == 2


def test_lines_are_answered_in_order_and_a_bad_one_stops_nothing():
    bad = changed(SUMS, "sums.current_mm", "-1")
    lines = [json.dumps(TABLE), "not json", json.dumps(bad), '{"sums": "\\ud800"}', json.dumps(ASSESSMENTS)]
    result = invoke("--lines", "-", text="\n".join(lines))
    assert result.exit_code == 0
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert answers[0]["overall_response"] == "SD"
    assert answers[1]["error"]["field"] == "(case)"
    assert answers[2]["error"]["field"] == "sums.current_mm"
    assert Decimal(answers[2]["error"]["value"]) == -1
    assert answers[2]["error"]["message"]
    assert answers[3]["error"]["field"] == "criteria"
    assert answers[4]["best_overall_response"]["response"] == "PR"


@pytest.mark.parametrize(
    ("text", "answered", "why"),
    [
        ("{table}\n\n{table}\n", ["SD", "blank", "SD"], "the third answer is that of the third line"),
        ("{table}\n \t\n", ["SD", "blank"], "a line of blanks is a line"),
        ("\n{table}", ["blank", "SD"], "also the first, and without a newline at the end"),
        ("{table}\r\n\r\n{table}\r\n", ["SD", "blank", "SD"], "and with the line ends of Windows"),
        ("{table}\n", ["SD"], "after the final newline there is no line"),
        ("", [], "no line, no answer"),
    ],
)
def test_a_blank_line_has_its_answer_too(text, answered, why):
    result = invoke("--lines", "-", text=text.replace("{table}", json.dumps(TABLE)))
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    blank = {"error": {"field": "(case)", "value": "", "message": BLANK_LINE}}
    assert [one.get("overall_response", "blank") for one in answers] == answered, why
    assert all(one == blank for one in answers if "error" in one)


def test_a_failure_of_ours_leaves_with_one_and_without_a_traceback(monkeypatch):
    def broken(_case):
        raise KeyError("secret")

    monkeypatch.setattr("connector.cli.respond.run", broken)
    result = invoke("-", text="{}")
    assert result.exit_code == 1
    assert "secret" not in result.stderr
    assert "Traceback" in invoke("--debug", "-", text="{}").stderr


def tables(tmp_path, case):
    arguments = ["export", "--sdtm", "--study", "S1", "--subject", "P1", "--out", str(tmp_path), "-"]
    result = CliRunner().invoke(response, arguments, input=json.dumps(case))
    assert result.exit_code == 0, result.stderr
    paths = json.loads(result.stdout)["written"]
    texts = [open(path, encoding="utf-8", newline="").read() for path in paths]  # noqa: PTH123, SIM115 - read as written
    return [list(csv.DictReader(text.splitlines())) for text in texts]


def test_the_tables_of_a_trial(tmp_path):
    tumours, results, responses = tables(tmp_path, LESIONS)
    assert [(row["TULNKID"], row["TUORRES"], row["TULOC"]) for row in tumours] == [
        ("T01", "TARGET", "LIVER"),
        ("T02", "TARGET", "LUNG"),
        ("N01", "NON-TARGET", "LUNG"),
    ]
    assert [row["TRSTRESN"] for row in results if row["TRTESTCD"] == "SUMDIAM"] == ["33.0", "15.0", "40"]
    last = {row["TRLNKID"]: row for row in results if row["VISIT"] == "C4"}
    assert (last["T01"]["TRSTAT"], last["T01"]["TRREASND"]) == ("NOT DONE", "MERGED INTO T02")
    assert (last["N01"]["TRTESTCD"], last["N01"]["TRREASND"]) == ("TUMSTATE", "NOT EVALUABLE")
    assert [row["RSORRES"] for row in responses if row["RSTESTCD"] == "OVRLRESP"] == ["PR", "PD"]
    assert [row["RSORRES"] for row in responses if row["RSTESTCD"] == "NEWLPROG"] == ["EQUIVOCAL"]
    best = responses[-1]
    assert (best["RSTESTCD"], best["RSORRES"], best["RSDTC"]) == ("BESTRESP", "SD", "2025-02-20")


def test_the_tables_name_what_was_not_measured(tmp_path):
    case = changed(LESIONS, "visits.2.measurements", {"T01": "10", "T02": "treated_locally", "N01": "merged:T01"})
    case["visits"][1]["measurements"]["N01"] = "12"
    del case["visits"][1]["measurements"]["T01"]
    _, results, responses = tables(tmp_path, case | {"visits": case["visits"], "policies": {}})
    reasons = {(row["VISIT"], row["TRLNKID"]): row["TRREASND"] for row in results if row["TRREASND"]}
    assert reasons == {
        ("VISIT 1", "T01"): "NOT EVALUABLE",
        ("C4", "T02"): "TREATED LOCALLY",
        ("C4", "N01"): "MERGED INTO T01",
    }
    assert responses[-1]["RSORRES"] == "NE"


def test_an_export_of_another_form_is_refused(tmp_path):
    arguments = ["export", "--sdtm", "--study", "S1", "--subject", "P1", "--out", str(tmp_path / "out"), "-"]
    result = CliRunner().invoke(response, arguments, input=json.dumps(TABLE))
    assert result.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_pictures_of_a_case_are_written_where_they_were_asked_for(tmp_path):
    case = {
        "criteria": "recist-1.1",
        "treatment_start": "2025-01-02",
        "new_therapy_date": "2025-03-10",
        "lesions": [{"id": "T01", "role": "target", "site": "liver", "lymph_node": False}],
        "visits": [
            {"date": "2025-01-02", "measurements": {"T01": "21.0"}, "new_lesion": "none"},
            {"date": "2025-03-01", "measurements": {"T01": "14.7"}, "new_lesion": "none"},
        ],
    }
    result = CliRunner().invoke(respond, ["--pictures", str(tmp_path / "new"), "-"], input=json.dumps(case))
    answer = json.loads(result.stdout)
    assert answer["best_overall_response"]["response"] == "PR"
    names = [f"{name}.{kind}" for kind in ("png", "svg") for name in ("spider", "waterfall", "swimmer")]
    assert answer["pictures"] == [str(tmp_path / "new" / name) for name in names]
    assert all((tmp_path / "new" / name).stat().st_size for name in names)
    refused = CliRunner().invoke(respond, ["--pictures", str(tmp_path), "--lines", "-"], input=json.dumps(case))
    assert refused.exit_code == 2
    no_lesions = {"criteria": "recist-1.1", "table": {"target": "PR", "non_target": "NE", "new_lesion": "none"}}
    refused = CliRunner().invoke(respond, ["--pictures", str(tmp_path), "-"], input=json.dumps(no_lesions))
    assert refused.exit_code == 2
    assert "lesions" in refused.stderr
