"""Several readers of one patient: each alone, and one answer by a named policy."""

import json

import pytest
from click.testing import CliRunner

from connector.cli.respond import respond

DAYS = ["2025-01-01", "2025-03-01", "2025-05-01"]
LESIONS = [{"id": name, "role": "target", "site": f"organ {name}", "lymph_node": False} for name in ("A", "B", "C")]


def visit(reader, day, **sizes):
    return {"date": DAYS[day], "reader": reader, "measurements": sizes, "new_lesion": "none"}


# By R1's own nadir of 60, 70 is stable; by R2's of 50 and another target, 62 is progression.
READ = [
    visit("R1", 0, A="60"), visit("R2", 0, A="58", B="20"),
    visit("R1", 1, A="65"), visit("R2", 1, A="40", B="10"),
    visit("R1", 2, A="70"), visit("R2", 2, A="50", B="12"),
]  # fmt: skip


def answer(visits, lesions=LESIONS, **readers):
    case = {"criteria": "recist-1.1", "treatment_start": DAYS[0], "lesions": lesions, "visits": visits}
    result = CliRunner().invoke(respond, ["-"], input=json.dumps(case | ({"readers": readers} if readers else {})))
    return json.loads(result.stdout) if result.exit_code == 0 else result.stderr.splitlines()[-1]


def overall(result):
    return [visit["overall_response"] for visit in result["visits"][1:]]


@pytest.mark.parametrize(
    ("readers", "answer_of", "needed", "why"),
    [
        ({"primary": "R1"}, "R1", False, "the primary reader stands, whatever the other says"),
        ({"primary": "R2"}, "R2", False, "whoever that is"),
        ({"primary": "R1", "policy": "adjudicator_on_disagreement"}, "R1", True, "they disagree, nobody has decided"),
        ({"primary": "R1", "policy": "adjudicator_on_disagreement", "adjudicated": "R2"}, "R2", False, "decided"),
        ({"primary": "R1", "policy": "primary_reader", "adjudicated": "R2"}, "R1", False, "not asked by this policy"),
    ],
)
def test_whose_answer_stands(readers, answer_of, needed, why):
    result = answer(READ, **readers)
    assert result["readers"]["answer_of"] == answer_of, why
    assert result["readers"]["adjudication_needed"] is needed, why
    assert overall(result) == overall(result["readers"]["results"][answer_of]), why


def test_a_nadir_is_never_taken_from_another_reader():
    results = answer(READ, primary="R1")["readers"]["results"]
    assert [visit["nadir_mm"] for visit in results["R1"]["visits"]] == [None, "60", "60"]
    assert [visit["nadir_mm"] for visit in results["R2"]["visits"]] == [None, "78", "50"]
    assert overall(results["R1"]) == ["SD", "SD"]
    assert overall(results["R2"]) == ["PR", "PD"]
    assert results["R1"]["target_ids"] == ["A"], "only what this reader has followed"


def test_disagreements_are_named():
    assert answer(READ, primary="R1")["readers"]["disagreements"] == [
        "overall_response on 2025-03-01: PR, SD",
        "overall_response on 2025-05-01: PD, SD",
        "best_overall_response: PR, SD",
    ]


def test_readers_who_agree_need_no_adjudicator():
    alike = [visit(reader, day, A=size) for day, size in enumerate(["60", "40"]) for reader in ("R1", "R2")]
    readers = answer(alike, primary="R1", policy="adjudicator_on_disagreement", adjudicated="R2")["readers"]
    assert (readers["answer_of"], readers["adjudication_needed"], readers["disagreements"]) == ("R1", False, [])


@pytest.mark.parametrize(
    ("visits", "lesions", "readers", "field", "why"),
    [
        (READ, LESIONS, {"primary": "R3"}, "readers.primary", "has read nothing"),
        (READ, LESIONS, {"primary": "R1", "adjudicated": "R3"}, "readers.adjudicated", "has read nothing"),
        ([visit(None, 0, A="60")], LESIONS, {"primary": "R1"}, "visits.0.reader", "whose visit is it"),
        ([], LESIONS, {"primary": "R1"}, "visits", "nothing was read"),
        ([*READ, visit("R2", 1, A="1")], LESIONS, {"primary": "R1"}, "visits.6.date", "the place in the whole case"),
        ([*READ, visit("R2", 2, X="1")], LESIONS, {"primary": "R1"}, "visits.6.measurements.X", "no such lesion"),
        ([visit("R1", 0, C="60")], [*LESIONS[:2], LESIONS[2] | {"axis": "short"}], {"primary": "R1"},
         "lesions.2.axis", "the place in the whole case"),
    ],
)  # fmt: skip
def test_refused(visits, lesions, readers, field, why):
    assert answer(visits, lesions, **readers).startswith(f"{field} ="), why


def test_a_date_that_is_nobodys_visit_keeps_its_name():
    case = {"criteria": "recist-1.1", "treatment_start": DAYS[0], "lesions": LESIONS, "visits": READ,
            "readers": {"primary": "R1"}, "death_date": "2025-02-01"}  # fmt: skip
    result = CliRunner().invoke(respond, ["-"], input=json.dumps(case))
    assert result.stderr.splitlines()[-1].startswith("death_date =")


def test_without_readers_nothing_changes():
    assert "readers" not in answer([visit("R1", 0, A="60"), visit("R1", 1, A="40")])
