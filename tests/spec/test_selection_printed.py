"""What people read and scripts call: the manual, one rule explained, the drawing, the commands."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

import connector.core
from connector.cli.select import rules, select
from connector.contract.select import drawing_of, explain_rule, facts_catalogue, run, run_plain
from connector.core.errors import BadCase
from connector.core.selection.conflicts import CONFLICTS
from connector.core.selection.printed import manual
from connector.core.selection.registry import RULE, RULES

PUBLISHED = Path(__file__).parents[1] / "published" / "vignettes.json"
FACTS = {case["id"]: case["facts"] for case in json.loads(PUBLISHED.read_text())["vignettes"]}
CASE = {"today": "2026-01-31", "facts": FACTS["VIG-001"]}


def test_the_manual_in_the_package_is_the_one_the_rules_print():
    stored = Path(connector.core.__file__).parent / "RULES.md"
    assert stored.read_text(encoding="utf-8") == manual(), "print it again: connector rules > connector/core/RULES.md"


def test_the_manual_names_every_rule_fact_and_conflict():
    text = manual()
    ids = [rule.id for rule in RULES] + [row["fact"] for row in facts_catalogue()] + [one.id for one in CONFLICTS]
    assert [name for name in ids if f"`{name}`" not in text] == []
    assert {rule for conflict in CONFLICTS for rule in conflict.rules} <= set(RULE)


def test_a_rule_is_explained_with_its_source():
    told = explain_rule("TARE-REL-CPB7")
    assert told["when"] == "child_pugh_score > 7"
    assert told["source"]["short"] == "Anbari 2023"
    assert "higher than B7" in told["quote"]
    assert "CON-CPB7" in told["conflicts"]
    assert explain_rule("NO-SUCH-RULE") is None


@pytest.mark.parametrize(
    ("vignette", "says"),
    [
        ("VIG-001", "Proposed: TACE"),
        ("VIG-001", "draft for the tumour board; also offered: TARE, TAE"),
        ("VIG-019", "Proposed: decision of the board alone"),
        ("VIG-009", "Every local treatment is excluded: decision of the board alone"),
        ("VIG-080", "needs performance status class"),
        ("VIG-095", "contradict each other: liver lesion count"),
    ],
)
def test_the_decision_path_is_drawn(vignette, says):
    case = {**CASE, "facts": FACTS[vignette]}
    picture = drawing_of(case)
    texts = [node.text for node in ET.fromstring(picture).iter() if node.text and node.tag.endswith("text")]  # noqa: S314 - our own text
    assert any(text.startswith(says) for text in texts), texts
    assert all(len(text) <= 92 for text in texts)
    assert drawing_of(case) == picture, "the same case gives the same picture"


@pytest.mark.parametrize(
    ("case", "field", "says"),
    [
        ([], "(case)", "one JSON object"),
        ({"facts": {}}, "today", "missing"),
        ({"today": "2026-01-31"}, "facts", "missing"),
        ({"today": "31.1.2026", "facts": {}}, "today", "written YYYY-MM-DD"),
        ({"today": 20260131, "facts": {}}, "today", "written YYYY-MM-DD"),
        ({"today": "20260131", "facts": {}}, "today", "written YYYY-MM-DD"),
        ({"today": "2026-W05-6", "facts": {}}, "today", "written YYYY-MM-DD"),
        ({"today": "2026-02-29", "facts": {}}, "today", "not a day of the calendar"),
        ({"today": "2026-01-31", "facts": []}, "facts", "JSON object"),
        ({"today": "2026-01-31", "facts": {}, "patient": "x"}, "patient", "unknown field"),
        ({"today": "2026-01-31", "facts": {"lung_shunt_fraction": 15}}, "facts.lung_shunt_fraction", "percent"),
        ({"today": "2026-01-31", "facts": {"liver_lesions": 1}}, "facts.liver_lesions", "unknown fact"),
        ({"today": "2026-01-31", "facts": {"informed_consent": None}}, "facts.informed_consent", "leave the fact out"),
    ],
)
def test_a_bad_case_says_what_to_do(case, field, says):
    with pytest.raises(BadCase) as refused:
        run(case)
    assert refused.value.field == field
    assert says in refused.value.message


def test_an_unknown_pregnancy_is_not_no_pregnancy():
    facts = {name: value for name, value in CASE["facts"].items() if name != "pregnancy_status"}
    answer = run_plain({**CASE, "facts": facts})
    tare = next(option for option in answer["options"] if option["modality"] == "TARE")
    assert (tare["verdict"], tare["needs"]) == ("cannot_decide", ["pregnancy_status"])
    assert "what_would_change" not in answer


def test_an_absence_that_is_read_as_none_is_said():
    assert run_plain({"today": "2026-01-31", "facts": {"liver_symptoms": []}})["assumed"] == {
        "patient_declined_modalities": "none recorded",
        "prior_lrt_modalities": "none recorded",
    }


def call(command, *arguments, stdin=None):
    return CliRunner().invoke(command, arguments, input=stdin)


def test_select_answers_one_case_and_draws_it(tmp_path):
    picture = tmp_path / "path.svg"
    result = call(select, "-", "--graph", str(picture), stdin=json.dumps(CASE))
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["status"] == "recommend"
    assert answer["what_would_change"]
    assert picture.read_text().startswith("<svg")


def test_select_answers_line_by_line_and_goes_on_after_a_bad_one():
    lines = "\n".join(json.dumps(case) for case in (CASE, {**CASE, "facts": {"ecog_ps": 9}}, CASE))
    first, bad, last = (json.loads(line) for line in call(select, "-", "--lines", stdin=lines).stdout.splitlines())
    assert first == last
    assert bad["error"]["field"] == "facts.ecog_ps"
    slow = call(select, "-", "--lines", "--what-if", stdin=json.dumps(CASE)).stdout
    assert json.loads(slow)["what_would_change"]


def test_a_bad_case_leaves_with_2_and_one_sentence():
    result = call(select, "-", stdin=json.dumps({**CASE, "facts": {"lung_shunt_fraction": 15}}))
    assert result.exit_code == 2
    assert "facts.lung_shunt_fraction = 15" in result.stderr.splitlines()[-1]
    assert not result.stdout
    assert call(select, "-", "--lines", "--graph", "x.svg", stdin="").exit_code == 2


def test_rules_prints_explains_and_lists():
    assert call(rules).stdout == manual()
    assert json.loads(call(rules, "--explain", "GEN-DER-PHEO").stdout)["derived"] is True
    assert len(json.loads(call(rules, "--facts").stdout)) == 168
    unknown = call(rules, "--explain", "NO-SUCH-RULE")
    assert unknown.exit_code == 2
    assert "no rule has this id" in unknown.stderr
