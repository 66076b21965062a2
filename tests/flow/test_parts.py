"""A rule may want a part of an assessment only: the others are left out, told, and every document still made."""

import json
from pathlib import Path

import pytest

from connector.app import file_flow
from connector.core.assess import PARTS
from connector.demo.case import build
from connector.flow import Flow, Gathered, Subject, digest_of


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Flow, Gathered, list[Path]]:
    folder = tmp_path_factory.mktemp("case")
    case = build(folder)
    paths = sorted(path for path in folder.rglob("*") if path.suffix == ".dcm")
    flow = file_flow(json.loads(case.bundle.read_bytes()), case.patient_issuers)
    return flow, flow.gather(Subject(study_instance_uid=None, case_ref="case", paths=paths)), paths


@pytest.mark.parametrize("part", PARTS)
def test_one_part_is_assessed_and_the_others_are_told(made: tuple[Flow, Gathered, list[Path]], part: str) -> None:
    flow, gathered, paths = made
    day = gathered.case.time_points[-1].studied_on
    whole = flow.assess(gathered, today=day)
    assessment = flow.assess(gathered, today=day, parts=(part,))
    for name in PARTS:
        assert getattr(whole, name) is not None, "the demo's case has every part"
        assert (getattr(assessment, name) is not None) == (name == part)
    left_out = [each for each in assessment.warnings if "the routing rule of this study" in each]
    assert [each.split(" ")[0] for each in left_out] == [name for name in PARTS if name != part]
    kinds = {document.kind for document in flow.write(gathered, assessment, paths=paths)}
    assert {"sr", "fhir", "pdf"} <= kinds
    assert ("rtdose" in kinds) == (part == "dose")


def test_a_changed_rule_is_a_new_input(made: tuple[Flow, Gathered, list[Path]]) -> None:
    _, gathered, _ = made
    digests = {digest_of(gathered, parts) for parts in (PARTS, ("dose",), ("response",))}
    assert len(digests) == 3
    assert digest_of(gathered) == digest_of(gathered, PARTS)
