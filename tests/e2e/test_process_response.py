"""Reports through `connector process`: several readers, a tracking UID used twice, a lesion in two organs."""

import json

import image_case as case
import numpy as np
import pytest
from click.testing import CliRunner
from pydicom import dcmread

from connector.cli.process import process

RECORD = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [
        {
            "resource": {
                "resourceType": "Patient",
                "id": "1",
                "identifier": [{"type": {"coding": [{"code": "MR"}]}, "system": "urn:h", "value": "P1"}],
                "name": [{"family": "Test", "given": ["Case"]}],
                "birthDate": "1960-01-01",
                "gender": "female",
            }
        }
    ],
}
LIVER, LUNG = ("10200004", "SCT", "Liver"), ("39607008", "SCT", "Lung")
TARGET = case.coded(("C2607943", "UMLS", "Baseline Category"), ("112074", "DCM", "Target Lesion at Baseline"))


def lesion(size_mm, *, site=LIVER, number=1, label=None):
    items = (case.coded(case.FINDING, case.LESION), case.coded(case.SITE, site), case.number(case.LONG, size_mm))
    return case.group(*items, label=label or f"T{number:02}", uid=f"1.9.{number}")


def study(folder, number, day, *reports):
    """A CT of its own, and one report for each (observers, groups)."""
    uids = {"StudyInstanceUID": f"1.2.{number}", "StudyDate": day}
    case.slices(folder, np.zeros((3, 4, 4), dtype=np.int16), series=f"1.2.{number}.1", **uids)
    for at, (observers, groups) in enumerate(reports):
        made = {"SOPInstanceUID": f"1.2.{number}.6.{at}", "ContentDate": day, "ContentTime": f"10{at}000"}
        case.report(folder, *groups, name=f"report-{number}-{at}.dcm", observers=observers, **uids, **made)


@pytest.fixture
def processed(tmp_path):
    """Run the command; returns the summary and every output as text."""

    def run():
        record = tmp_path / "record.json"
        record.write_text(json.dumps(RECORD))
        arguments = ["--dicom", tmp_path / "dicom", "--fhir", record, "--out", tmp_path / "out"]
        done = CliRunner().invoke(
            process, list(map(str, arguments)), env={"CONNECTOR_PATIENT_ISSUERS": "HOSPITAL=urn:h"}
        )
        assert done.exit_code == 0, done.output
        report = next((tmp_path / "out" / "pacs").glob("sr-*.dcm"))
        texts = {
            "summary": done.stdout,
            "fhir": (tmp_path / "out" / "ehr" / "bundle.json").read_text(),
            "sr": dcmread(report).to_json(),
        }
        return json.loads(done.stdout)["assessment"], texts

    return run


ANNA, BERT = ["Radiologist^Anna"], ["Reader^Bert"]


def test_two_readers_of_the_same_studies_are_judged_apart_and_the_difference_is_for_an_adjudicator(tmp_path, processed):
    study(tmp_path / "dicom", 1, "20260102", (ANNA, [lesion("30")]), (BERT, [lesion("28")]))
    study(tmp_path / "dicom", 2, "20260302", (BERT, [lesion("22")]), (["RADIOLOGIST^ANNA"], [lesion("20")]))
    assessment, texts = processed()
    baseline, visit = assessment["response"]["visits"]
    assert (baseline["sum_mm"], visit["sum_mm"]) == ("30", "20"), "the baseline and the visit of one reader"
    assert visit["overall_response"] == "PR", "20 of 30 mm; the other reader's 22 of 28 mm is SD"
    told = "readers_disagree: reader 1 PR, reader 2 SD; the response of reader 1 stands until an adjudicator decides"
    assert told in visit["flags"]
    assert any(need.startswith("response needs an adjudicator") for need in assessment["needs"])
    assert "differs between two descriptions" not in texts["summary"], "nothing was merged"
    for name, text in texts.items():
        assert "reader 1 PR, reader 2 SD" in text, name
        assert "anna" not in text.lower(), name
        assert "bert" not in text.lower(), name


def test_two_readers_who_agree_leave_no_word(tmp_path, processed):
    study(tmp_path / "dicom", 1, "20260102", (ANNA, [lesion("30")]), (BERT, [lesion("29")]))
    study(tmp_path / "dicom", 2, "20260302", (ANNA, [lesion("20")]), (BERT, [lesion("20")]))
    assessment, texts = processed()
    assert assessment["response"]["visits"][1]["overall_response"] == "PR"
    assert "readers_disagree" not in texts["summary"]
    assert not any("adjudicator" in need for need in assessment["needs"])


def test_readers_who_take_turns_are_one_course_and_the_change_is_flagged(tmp_path, processed):
    study(tmp_path / "dicom", 1, "20260102", (ANNA, [lesion("30")]))
    study(tmp_path / "dicom", 2, "20260302", (BERT, [lesion("20")]))
    assessment, _ = processed()
    visit = assessment["response"]["visits"][1]
    assert (visit["overall_response"], [flag.partition(":")[0] for flag in visit["flags"]]) == ("PR", ["other_reader"])


def test_a_second_reader_of_one_visit_only_is_told_and_changes_nothing(tmp_path, processed):
    study(tmp_path / "dicom", 1, "20260102", (ANNA, [lesion("30")]))
    study(tmp_path / "dicom", 2, "20260302", (ANNA, [lesion("20")]), (BERT, [lesion("45")]))
    assessment, _ = processed()
    assert assessment["response"]["visits"][1]["sum_mm"] == "20", "never a sum of both, nor the other's"
    (need,) = [need for need in assessment["needs"] if need.endswith("(as read by reader 2)")]
    assert need.startswith("response needs a follow-up: ")


def test_one_tracking_uid_for_two_lesions_gives_no_response_and_no_size(tmp_path, processed):
    study(tmp_path / "dicom", 1, "20260102", (ANNA, [lesion("30")]))
    study(tmp_path / "dicom", 2, "20260302", (ANNA, [lesion("20"), lesion("12")]))
    assessment, texts = processed()
    assert assessment["response"] is None
    (need,) = [need for need in assessment["needs"] if "response" in need]
    assert need == (
        "response cannot be decided without one lesion for a tracking UID: T01 on 2026-03-02 is there twice "
        "(long axis in mm 20 and 12); give each lesion its own, or correct the one that is wrong"
    )
    told = "its tracking UID is there twice: long axis in mm 20 and 12"
    assert told in texts["sr"]
    assert told in texts["fhir"] or "one lesion for a tracking UID" in texts["fhir"]
    sizes = [
        entry["resource"].get("valueQuantity", {}).get("value")
        for entry in json.loads(texts["fhir"])["entry"]
        if entry.get("resource", {}).get("resourceType") == "Observation"
    ]
    assert not {20, 12} & set(sizes), "neither is taken for the right one"


def test_a_lesion_that_changes_its_organ_gives_no_response(tmp_path, processed):
    study(tmp_path / "dicom", 1, "20260102", (ANNA, [lesion("30")]))
    study(tmp_path / "dicom", 2, "20260302", (ANNA, [lesion("20", site=LUNG)]))
    assessment, texts = processed()
    assert assessment["response"] is None
    told = "one site for a lesion: T01 is in liver on 2026-01-02 and in lung on 2026-03-02"
    for name, text in texts.items():
        assert told in text, name
