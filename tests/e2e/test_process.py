"""`connector process` on the bundled case and on everything a hospital may put into a folder by mistake."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import connector, connector_here, last_line, tree
from pydicom import dcmread
from pydicom.dataset import Dataset

from connector.demo.case import DemoCase


@pytest.fixture(scope="module")
def processed(demo_case: DemoCase, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    out = tmp_path_factory.mktemp("result") / "out"
    done = _process(demo_case, demo_case.dicom, demo_case.bundle, out)
    assert done.returncode == 0, done.stderr
    return out, json.loads(done.stdout)


def _process(case: DemoCase, dicom: Path, bundle: Path, out: Path, run: Callable = connector):
    arguments = ("process", "--dicom", dicom, "--fhir", bundle, "--out", out)
    return run(*arguments, patient_issuers=case.patient_issuers)


def test_the_case_gives_every_document_that_the_service_would_send(processed) -> None:
    out, summary = processed
    kinds = {document["kind"] for document in summary["documents"]}
    assert {"sr", "rtdose", "pdf", "report", "fhir", "CarePlan", "RiskAssessment", "Observation", "Provenance"} <= kinds
    assert "DocumentReference" in kinds
    assert (out / "report.pdf").read_bytes().startswith(b"%PDF-")
    assert all((out / document["path"]).is_file() for document in summary["documents"])
    assert json.loads((out / "summary.json").read_text()) == summary
    assert {dcmread(path).Modality for path in (out / "pacs").iterdir()} == {"SR", "RTDOSE", "DOC"}


def test_the_course_of_the_case_is_partial_response_and_then_progression(processed) -> None:
    _, summary = processed
    visits = summary["assessment"]["response"]["visits"]
    assert [visit["target_response"] for visit in visits[1:]] == ["PR", "PD"], "24+18 -> 15+12 -> 20+16 mm"
    assert visits[-1]["overall_response"] == "PD"


def test_every_output_is_a_draft(processed) -> None:
    out, _ = processed
    plan = json.loads(next((out / "ehr").glob("CarePlan*")).read_text())
    assert (plan["status"], plan["intent"]) == ("draft", "proposal")
    report = dcmread(next((out / "pacs").glob("sr-*")))
    assert report.VerificationFlag == "UNVERIFIED"


def test_the_same_input_gives_the_same_bytes(processed, demo_case: DemoCase, tmp_path: Path) -> None:
    out, _ = processed
    moved = tmp_path / "elsewhere"
    shutil.copytree(demo_case.dicom, moved)
    assert _process(demo_case, moved, demo_case.bundle, tmp_path / "again").returncode == 0
    assert tree(tmp_path / "again") == tree(out), "neither the clock, nor the path, nor the order of files enters"


def _edit(path: Path, change: Callable[[Dataset], None]) -> None:
    dataset = dcmread(path)
    change(dataset)
    dataset.save_as(path)


def _truncate(folder: Path) -> None:
    path = min((folder / "study-3/ct").iterdir())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _foreign_syntax(folder: Path) -> None:
    path = sorted((folder / "study-3/ct").iterdir())[1]
    path.write_bytes(
        path.read_bytes().replace(dcmread(path).file_meta.TransferSyntaxUID.encode(), b"1.2.840.10008.1.9.9", 1)
    )


def _no_dicom(folder: Path) -> None:
    (folder / "notes.txt").write_text("not DICOM")


def _no_source_images(folder: Path) -> None:
    shutil.rmtree(folder / "study-1/ct")


def _counts(folder: Path) -> None:
    for path in (folder / "study-3/pet").iterdir():
        _edit(path, lambda dataset: setattr(dataset, "Units", "CNTS"))


OF_FILES = [
    (_truncate, "study-3/ct", "truncated"),
    (_foreign_syntax, "study-3/ct", "ransfer"),
    (_no_dicom, "notes.txt", "DICOM"),
    (_no_source_images, "study-1/seg", "images"),
    (_counts, "study-3/pet", "counts"),
]
OF_OBSERVATIONS = [
    ("demo-bilirubin", {"valueQuantity": {"value": 1, "unit": "furlong", "code": "[fur_us]",
                                          "system": "http://unitsofmeasure.org"}}, "unit"),
    ("demo-albumin", {"status": "entered-in-error"}, "entered-in-error"),
]  # fmt: skip


@pytest.fixture(scope="module")
def spoiled(demo_case: DemoCase, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The summary of one run over everything that is wrong with single files and Observations, all at once."""
    folder = tmp_path_factory.mktemp("spoiled")
    shutil.copytree(demo_case.dicom, folder / "dicom")
    for spoil, _, _ in OF_FILES:
        spoil(folder / "dicom")
    record = json.loads(demo_case.bundle.read_text())
    changes = {name: change for name, change, _ in OF_OBSERVATIONS}
    for entry in record["entry"]:
        entry["resource"].update(changes.get(entry["resource"]["id"], {}))
    (folder / "record.json").write_text(json.dumps(record))
    done = _process(demo_case, folder / "dicom", folder / "record.json", folder / "out")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("where", "reason"),
    [(file, reason) for _, file, reason in OF_FILES] + [(name, reason) for name, _, reason in OF_OBSERVATIONS],
)
def test_what_cannot_be_used_is_named_with_its_reason(spoiled: dict, where: str, reason: str) -> None:
    reasons = [line["reason"] for line in spoiled["skipped"] if where in line["file"]]
    assert any(reason in one for one in reasons), spoiled["skipped"]


def test_what_can_be_used_is_used_all_the_same(spoiled: dict) -> None:
    kinds = {document["kind"] for document in spoiled["documents"]}
    assert {"sr", "pdf", "fhir", "CarePlan"} <= kinds
    assert "rtdose" not in kinds, "the PET says that it holds counts"
    assert len(spoiled["assessment"]["time_points"]) == 3


def _second_patient(folder: Path) -> None:
    path = next((folder / "study-2/ct").iterdir())
    _edit(path, lambda dataset: setattr(dataset, "PatientID", "SOMEBODY-ELSE"))


def _other_sex(folder: Path) -> None:
    for path in folder.rglob("*.dcm"):
        dataset = dcmread(path)
        dataset.PatientSex = "M" if dataset.PatientSex == "F" else "F"
        dataset.save_as(path)


def _unknown_issuer(folder: Path) -> None:
    for path in folder.rglob("*.dcm"):
        _edit(path, lambda dataset: setattr(dataset, "IssuerOfPatientID", "ANOTHER-HOSPITAL"))


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_second_patient, "more than one patient"),
        (_other_sex, "contradict in sex"),
        (_unknown_issuer, "CONNECTOR_PATIENT_ISSUERS"),
    ],
)
def test_a_doubtful_patient_leaves_with_exit_2_and_nothing_written(demo_case, tmp_path, spoil, sentence) -> None:
    folder = tmp_path / "dicom"
    shutil.copytree(demo_case.dicom, folder)
    spoil(folder)
    done = _process(demo_case, folder, demo_case.bundle, tmp_path / "out", connector_here)
    assert done.returncode == 2
    assert sentence in last_line(done.stderr)
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "out").exists()


_R5_PROCEDURE = '{"resourceType": "Procedure", "id": "1", "occurrenceDateTime": "2026-01-01"}'


@pytest.mark.parametrize(
    ("bundle", "sentence"),
    [
        ("{", "not JSON"),
        ("[]", "Bundle"),
        ('{"resourceType": "Patient"}', "Bundle"),
        (f'{{"resourceType": "Bundle", "type": "collection", "entry": [{{"resource": {_R5_PROCEDURE}}}]}}', "R4"),
    ],
)
def test_a_record_that_is_not_an_r4_bundle_leaves_with_exit_2(demo_case, tmp_path, bundle, sentence) -> None:
    path = tmp_path / "record.json"
    path.write_text(bundle)
    done = _process(demo_case, demo_case.dicom, path, tmp_path / "out", connector_here)
    assert done.returncode == 2
    assert sentence in last_line(done.stderr)
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_files_is_not_replaced(demo_case, tmp_path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    done = _process(demo_case, demo_case.dicom, demo_case.bundle, tmp_path, connector_here)
    assert done.returncode == 2
    assert "--out" in last_line(done.stderr)
    assert (tmp_path / "thesis.txt").exists()
