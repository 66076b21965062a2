"""The tables of a trial and back: pharmaverse's test data say the same after the round trip as before it."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from connector.cli.respond import response
from connector.contract.reading import load
from connector.contract.respond import run

PUBLISHED = Path(__file__).parents[1] / "published" / "response.jsonl"
CASES = [json.loads(line) for line in PUBLISHED.read_text(encoding="utf-8").splitlines()]
OF_LESIONS = [case for case in CASES if "lesions" in case["input"]]
ODD = {
    "criteria": "recist-1.1",
    "treatment_start": "2025-01-01",
    "lesions": [
        {"id": "T1", "role": "target", "site": "liver", "lymph_node": False},
        {"id": "T2", "role": "target", "site": "neck", "lymph_node": True},
        {"id": "T3", "role": "target", "site": "liver", "lymph_node": False},
        {"id": "N1", "role": "non_target", "site": "lung", "lymph_node": False},
    ],
    "visits": [
        {"date": "2025-01-01", "measurements": {"T1": "30", "T2": "18", "T3": "12", "N1": "present"},
         "new_lesion": "none"},
        {"date": "2025-03-01", "measurements": {"T1": "too_small", "T2": "9", "T3": "merged:T1", "N1": "absent"},
         "new_lesion": "equivocal"},
        {"date": "2025-05-01", "measurements": {"T1": "treated_locally", "T2": "12", "T3": "0",
                                                "N1": "unequivocal_progression"}, "new_lesion": "unequivocal"},
    ],
}  # fmt: skip


def exported(case, folder):
    arguments = ["export", "--sdtm", "--study", "S", "--subject", "P", "--out", str(folder), "-"]
    result = CliRunner().invoke(response, arguments, input=json.dumps(case))
    assert result.exit_code == 0, result.stderr


def imported(folder, *more):
    return CliRunner().invoke(response, ["import", "--sdtm", str(folder), "--subject", "P", *more])


def said(case):
    answer = run(load(json.dumps(case)))
    visits = [
        {key: visit[key] for key in visit if key not in {"label", "reader", "flags"}} for visit in answer["visits"]
    ]
    return visits, answer["best_overall_response"], answer["progression_free_survival"]


@pytest.mark.parametrize("case", OF_LESIONS, ids=[case["id"] for case in OF_LESIONS])
def test_published_cases(case, tmp_path):
    exported(case["input"], tmp_path)
    result = imported(tmp_path, "--treatment-start", case["input"]["treatment_start"])
    assert said(json.loads(result.stdout)) == said(case["input"])


def test_states_that_are_no_diameter(tmp_path):
    exported(ODD, tmp_path)
    back = json.loads(imported(tmp_path).stdout)
    assert said(back) == said(ODD)
    assert [visit["measurements"] for visit in back["visits"]] == [
        visit["measurements"] | ({"T3": "0"} if number == 2 else {}) for number, visit in enumerate(ODD["visits"])
    ]
    assert [lesion["lymph_node"] for lesion in back["lesions"]] == [False, True, False, False]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda folder: (folder / "tr.csv").unlink(), "tr.csv"),
        (lambda folder: (folder / "tu.csv").write_text("USUBJID\nP\n"), "TULNKID"),
        (lambda folder: (folder / "tr.csv").write_text(
            (folder / "tr.csv").read_text().replace(",mm,", ",in,")), "no length in mm or cm"),
        (lambda folder: (folder / "tr.csv").write_text(
            (folder / "tr.csv").read_text().replace(",P,", ",Q,")), "no rows of this subject"),
        (lambda folder: (folder / "rs.csv").write_bytes(b"\xff\xfe\x00"), "not UTF-8"),
    ],
    ids=["no table", "no column", "inches", "no such subject", "not text"],
)  # fmt: skip
def test_tables_that_cannot_be_read_leave_with_two_and_a_sentence(tmp_path, spoil, told):
    exported(ODD, tmp_path)
    spoil(tmp_path)
    result = imported(tmp_path)
    assert result.exit_code == 2
    assert told in result.stderr.splitlines()[-1]


TU = "USUBJID,TULNKID,TUTESTCD,TUSTRESC,TULOC\nP,T01,TUMIDENT,TARGET,LIVER\n"
TR = "USUBJID,TRLNKID,TRTESTCD,TRORRES,TRORRESU,TRDTC\n"


def of_one_day(folder, *rows):
    """Import a lesion that several rows of one day speak of."""
    (folder / "tu.csv").write_text(TU)
    (folder / "tr.csv").write_text(TR + "".join(f"P,T01,{row},2025-03-01\n" for row in rows))
    return imported(folder)


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(
    ("rows", "taken"),
    [
        (("DIAMETER,30,mm", "TUMSTATE,PRESENT,"), "30"),
        (("DIAMETER,30,mm", "TUMSTATE,NOT EVALUABLE,"), "30"),
        (("DIAMETER,30,mm", "DIAMETER,30,mm"), "30"),
        (("DIAMETER,12,mm", "TUMSTATE,UNEQUIVOCAL PROGRESSION,"), "unequivocal_progression"),
        (("DIAMETER,0.0,mm", "TUMSTATE,ABSENT,"), "absent"),
        (("TUMSTATE,TOO SMALL TO MEASURE,", "TUMSTATE,PRESENT,"), "too_small"),
    ],
)
def test_of_two_rows_on_a_lesion_the_one_that_tells_more_is_taken(rows, taken, swapped, tmp_path):
    """A state beside a diameter must not hide a progression."""
    result = of_one_day(tmp_path, *(reversed(rows) if swapped else rows))
    assert json.loads(result.stdout)["visits"][0]["measurements"] == {"T01": taken}


@pytest.mark.parametrize(
    "rows",
    [
        ("DIAMETER,30,mm", "DIAMETER,31,mm"),
        ("DIAMETER,0,mm", "TUMSTATE,PRESENT,"),
        ("TUMSTATE,ABSENT,", "TUMSTATE,PRESENT,"),
        ("TUMSTATE,ABSENT,", "DIAMETER,8,mm"),
    ],
)
def test_two_rows_that_contradict_are_refused(rows, tmp_path):
    for ordered in (rows, rows[::-1]):
        result = of_one_day(tmp_path, *ordered)
        assert result.exit_code == 2
        assert "T01, 2025-03-01" in result.stderr


def tables(folder, rows, responses=()):
    """Two targets and a row of TR for each (lesion, mm, VISITNUM, VISIT, TRDTC); RS for each (test, result, ...)."""
    (folder / "tu.csv").write_text(
        "USUBJID,TULNKID,TUTESTCD,TUSTRESC,TULOC\n"
        + "".join(f"P,{one},TUMIDENT,TARGET,LIVER\n" for one in ("T1", "T2"))
    )
    (folder / "tr.csv").write_text(
        "USUBJID,TRLNKID,TRTESTCD,TRORRES,TRORRESU,VISITNUM,VISIT,TRDTC\n"
        + "".join(f"P,{lesion},LDIAM,{size},mm,{number},{visit},{on}\n" for lesion, size, number, visit, on in rows)
    )
    if responses:
        (folder / "rs.csv").write_text(
            "USUBJID,RSTESTCD,RSSTRESC,VISITNUM,VISIT,RSDTC\n"
            + "".join(f"P,{test},{said},{number},{visit},{on}\n" for test, said, number, visit, on in responses)
        )


BASELINE = [("T1", 30, 1, "SCREENING", "2025-01-01"), ("T2", 20, 1, "SCREENING", "2025-01-02")]


@pytest.mark.parametrize(
    ("rows", "responses", "dates", "why"),
    [
        ([("T1", 20, 2, "WEEK 8", "2025-03-01"), ("T2", 10, 2, "WEEK 8", "2025-03-03")], [],
         ["2025-01-01", "2025-03-01"], "two days of one number are one visit, dated by the first"),
        ([("T1", 20, 2, "WEEK 8", "2025-03-01"), ("T2", 10, 2, "WEEK 8", "2025-03-03")],
         [("OVRLRESP", "PR", 2, "WEEK 8", "2025-03-03")],
         ["2025-01-01", "2025-03-03"], "the day that RS gives to the response"),
        ([("T1", 20, "", "WEEK 8", "2025-03-01"), ("T2", 10, "", "WEEK 8", "2025-03-03")], [],
         ["2025-01-01", "2025-03-01"], "by name where there is no number"),
        ([("T1", 20, "", "", "2025-03-01"), ("T2", 10, "", "", "2025-03-01")], [],
         ["2025-01-01", "2025-03-01"], "by day where there is neither"),
        ([("T1", 20, 99, "UNSCHEDULED", "2025-03-01"), ("T2", 10, 99, "UNSCHEDULED", "2025-04-01")], [],
         ["2025-01-01", "2025-03-01", "2025-04-01"], "unscheduled visits are as many as their days"),
        ([("T1", 20, 2, "WEEK 8", "2025-03-01T09:30"), ("T2", 10, 2.1, "MRI", "2025-03-01")], [],
         ["2025-01-01", "2025-03-01"], "two numbers of one day are one visit, at whatever time"),
    ],
)  # fmt: skip
def test_a_visit_of_several_days_is_one(rows, responses, dates, why, tmp_path):
    tables(tmp_path, [*BASELINE, *rows], responses)
    case = json.loads(imported(tmp_path).stdout)
    assert [visit["date"] for visit in case["visits"]] == dates, why
    assert case["visits"][0]["measurements"] == {"T1": "30", "T2": "20"}
    if len(dates) == 2:
        assert case["visits"][1]["measurements"] == {"T1": "20", "T2": "10"}
        assert run(load(json.dumps(case)))["visits"][1]["overall_response"] == "PR", "30 of 50 mm, and not two NE"


def test_a_new_lesion_is_of_the_visit_whatever_the_day_of_its_row(tmp_path):
    rows = [*BASELINE, ("T1", 30, 2, "WEEK 8", "2025-03-01"), ("T2", 20, 2, "WEEK 8", "2025-03-03")]
    tables(tmp_path, rows, [("NEWLPROG", "UNEQUIVOCAL", 2, "WEEK 8", "2025-03-04")])
    case = json.loads(imported(tmp_path).stdout)
    assert [visit["new_lesion"] for visit in case["visits"]] == ["none", "unequivocal"]


@pytest.mark.parametrize(
    ("responses", "of_tumours", "new", "why"),
    [
        ([("NEWLPROG", "UNEQUIVOCAL", 2, "WEEK 8", "2025-03-01")], "", {"2025-03-01": "unequivocal"},
         "a visit at which nothing else was written is still one"),
        ([("NEWLPROG", "UNEQUIVOCAL", 9, "UNSCHEDULED", "2025-02-01")], "", {"2025-02-01": "unequivocal"},
         "so is one between the visits"),
        ([("NEWLPROG", word, 2, "WEEK 8", "2025-03-01") for word in ("UNEQUIVOCAL", "EQUIVOCAL")], "",
         {"2025-03-01": "unequivocal"}, "of two words the graver holds"),
        ([], "P,NEW01,TUMIDENT,NEW,BONE,2,WEEK 8,2025-03-01\n", {"2025-03-01": "unequivocal"},
         "named in TU alone, as a trial does that derives its responses later"),
        ([("NEWLPROG", "EQUIVOCAL", 2, "WEEK 8", "2025-03-01")],
         "P,NEW01,TUMIDENT,NEW,BONE,2,WEEK 8,2025-03-01\n", {"2025-03-01": "equivocal"}, "RS says which"),
    ],
)  # fmt: skip
def test_no_new_lesion_is_lost(responses, of_tumours, new, why, tmp_path):
    tables(tmp_path, [*BASELINE, ("T1", 30, 3, "WEEK 16", "2025-05-01"), ("T2", 20, 3, "WEEK 16", "2025-05-01")],
           responses)  # fmt: skip
    (tmp_path / "tu.csv").write_text(
        "USUBJID,TULNKID,TUTESTCD,TUSTRESC,TULOC,VISITNUM,VISIT,TUDTC\n"
        + "".join(f"P,{one},TUMIDENT,TARGET,LIVER,1,SCREENING,2025-01-01\n" for one in ("T1", "T2"))
        + of_tumours
    )
    case = json.loads(imported(tmp_path).stdout)
    assert {visit["date"]: visit["new_lesion"] for visit in case["visits"] if visit["new_lesion"] != "none"} == new, why
    expected = "PD" if "unequivocal" in new.values() else "NE"
    assert run(load(json.dumps(case)))["visits"][1]["overall_response"] == expected


def test_what_was_not_done_may_have_no_day(tmp_path):
    tables(tmp_path, [*BASELINE, ("T1", 20, 2, "WEEK 8", "2025-03-01"), ("T2", "", 2, "WEEK 8", "")])
    case = json.loads(imported(tmp_path).stdout)
    assert [visit["date"] for visit in case["visits"]] == ["2025-01-01", "2025-03-01"]
    assert case["visits"][1]["measurements"] == {"T1": "20", "T2": "not_evaluable"}


def test_two_sizes_of_one_lesion_at_one_visit_are_refused(tmp_path):
    tables(tmp_path, [*BASELINE, ("T1", 20, 2, "WEEK 8", "2025-03-01"), ("T1", 25, 2, "WEEK 8", "2025-03-20")])
    result = imported(tmp_path)
    assert result.exit_code == 2
    assert "says 20 and 25" in result.stderr


def test_readers_who_are_kept_apart_have_rows_of_their_own(tmp_path):
    sizes = {"A": [("2025-01-01", "30"), ("2025-03-01", "20")], "B": [("2025-01-02", "28"), ("2025-03-02", "26")]}
    visits = [
        {"date": on, "reader": reader, "measurements": {"T1": size}, "new_lesion": "none"}
        for reader, seen in sizes.items()
        for on, size in seen
    ]
    case = {**ODD, "lesions": ODD["lesions"][:1], "visits": visits, "readers": {"primary": "A"}}
    exported(case, tmp_path)
    for reader, response_then in (("A", "PR"), ("B", "SD")):
        back = json.loads(imported(tmp_path, "--evaluator", reader, "--treatment-start", "2025-01-01").stdout)
        assert [(visit["date"], visit["measurements"]["T1"]) for visit in back["visits"]] == sizes[reader]
        assert run(load(json.dumps(back)))["visits"][1]["overall_response"] == response_then
    best = [row for row in csv.DictReader((tmp_path / "rs.csv").open()) if row["RSTESTCD"] == "BESTRESP"]
    assert [(row["RSEVALID"], row["RSSTRESC"]) for row in best] == [("A", "PR"), ("B", "SD")]
