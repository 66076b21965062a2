"""Every published response case, through the command, compared as numbers."""

import json
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pytest
from click.testing import CliRunner

from connector.cli.respond import respond

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "published" / "response.jsonl").read_text(encoding="utf-8").splitlines()
]


@pytest.fixture(scope="module")
def answers():
    lines = "".join(json.dumps(case["input"]) + "\n" for case in CASES)
    result = CliRunner().invoke(respond, ["--lines", "-"], input=lines)
    assert result.exit_code == 0
    return dict(zip([case["id"] for case in CASES], map(json.loads, result.stdout.splitlines()), strict=True))


def assert_equal(expected, answer, where):
    if isinstance(expected, dict):
        for name, value in expected.items():
            assert_equal(value, answer[name], f"{where}.{name}")
        return
    try:
        assert Decimal(answer) == Decimal(expected), where
    except InvalidOperation:
        assert answer == expected, where


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_published_case(case, answers):
    expected, answer = dict(case["expected"]), answers[case["id"]]
    by_label = {visit["label"]: visit for visit in answer.get("visits", ())}
    for label, visit in expected.pop("visits", {}).items():
        assert_equal(visit, by_label[label], f"{case['id']} {label}")
    assert_equal(expected, answer, case["id"])


def test_the_cases_of_a_file_are_answered_alike_one_by_one():
    case = json.dumps(CASES[0]["input"])
    alone = CliRunner().invoke(respond, ["-"], input=case)
    among = CliRunner().invoke(respond, ["--lines", "-"], input=case)
    assert json.loads(alone.stdout) == json.loads(among.stdout)
