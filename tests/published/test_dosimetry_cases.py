"""Every published, tabulated or derived dosimetry case, through the contract or the core function it is of."""

import json
import math
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import dosimetry_lungs
import dosimetry_planning
import dosimetry_refusals
import dosimetry_voxels
import pytest
from dosimetry_cases import REMARKS

ANSWERS = dosimetry_planning.ANSWERS | dosimetry_lungs.ANSWERS | dosimetry_voxels.ANSWERS | dosimetry_refusals.ANSWERS
CASES = [
    json.loads(line)
    for line in (Path(__file__).parent / "dosimetry" / "cases.jsonl").read_text(encoding="utf-8").splitlines()
]


def plain(inputs):
    """Inputs without their unit objects; decimals as printed."""
    values = {
        name: each["value"] if isinstance(each, dict) and "value" in each else each for name, each in inputs.items()
    }
    return SimpleNamespace(**values)


def assert_close(actual, expected, where):
    if not isinstance(expected, dict):
        assert actual == expected, where
        return
    values = expected["value"] if isinstance(expected["value"], list) else [expected["value"]]
    given = actual if isinstance(actual, (list, tuple)) else [actual]
    assert len(given) == len(values), where
    for got, want in zip(given, values, strict=True):
        # A tolerance of 0 is meant for exact numbers; a float still has its last bit.
        assert math.isclose(
            float(got),
            float(want),
            rel_tol=max(expected.get("tol_rel", 0), 1e-12),
            abs_tol=expected.get("tol_abs_here", expected.get("tol_abs", 0)),
        ), f"{where}: {got} instead of {want}"


def test_there_are_as_many_cases_as_were_published():
    assert len(CASES) == 124
    assert len({case["id"] for case in CASES}) == 124


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_case(case):
    beginning = max((each for each in ANSWERS if case["id"].startswith(each)), key=len)
    answered = ANSWERS[beginning](plain(case["inputs"]), case["expected"])
    assert answered, "an answer compares something"
    for name, actual in answered.items():
        if callable(actual):
            assert actual(case["expected"].get(name)) is not False, f"{case['id']}.{name}"
        else:
            expected = case["expected"][name]
            assert_close(float(actual) if isinstance(actual, Decimal) else actual, expected, f"{case['id']}.{name}")
    unanswered = set(case["expected"]) - set(answered)
    assert unanswered <= REMARKS, f"{sorted(unanswered)} is not compared"
