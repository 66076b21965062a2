"""The report of the bundled case, as the PACS, the chart and the folder get it."""

import json
import os
import subprocess
import sys
from base64 import b64decode
from hashlib import sha1

import judge_pdf
import pytest
from judge_dicom import dciodvfy
from judge_fhir import findings
from pydicom import dcmread

from connector.app import file_flow
from connector.demo.case import build
from connector.process import process


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return build(tmp_path_factory.mktemp("case"))


@pytest.fixture(scope="module")
def made(case, tmp_path_factory):
    out = tmp_path_factory.mktemp("result") / "out"
    flow = file_flow(json.loads(case.bundle.read_bytes()), case.patient_issuers)
    return out, process(flow, dicom_dir=case.dicom, out=out, today=None)


def path_of(made, kind):
    out, summary = made
    (path,) = [out / row["path"] for row in summary["documents"] if row["kind"] == kind]
    return path


def test_two_pages_tell_the_story(made):
    first, second = judge_pdf.pages(path_of(made, "report"))
    for sentence in (
        "Fictitious, Demo",
        "DEMO-0001 (DEMO-HOSPITAL)",
        "1961-02-03 (65 years)",
        "Progressive disease (PD) on 2026-05-11 by RECIST 1.1, sum 37.23 mm",
        "Preferred: Transarterial chemoembolisation (TACE)",
        "an unequivocal new lesion",
        "Best overall response PR on 2026-02-09",
    ):
        assert sentence in first
    for part in ("Absorbed dose", "Published outcomes", "Measures and follow-up", "profile: seed"):
        assert part in second


def test_it_is_tagged_with_its_fonts_and_both_pictures(made):
    path = path_of(made, "report")
    assert judge_pdf.facts(path)["Tagged"] == "yes"
    assert {(embedded, copied) for _, embedded, copied in judge_pdf.fonts(path)} == {("yes", "yes")}
    assert judge_pdf.structure(path).count("Figure:") == 2


def test_the_pacs_gets_the_same_pages_and_dciodvfy_finds_no_error(made, tmp_path):
    path = path_of(made, "pdf")
    stored = dcmread(path)
    assert stored.EncapsulatedDocument[: stored.EncapsulatedDocumentLength] == path_of(made, "report").read_bytes()
    assert dciodvfy(path, tmp_path) == []


def test_the_chart_gets_the_same_pages_as_a_draft_and_the_judges_of_fhir_find_no_error(made):
    reference = json.loads(path_of(made, "DocumentReference").read_text())
    pdf = path_of(made, "report").read_bytes()
    attachment = reference["content"][0]["attachment"]
    assert b64decode(attachment["data"]) == pdf
    assert attachment["size"] == len(pdf)
    assert b64decode(attachment["hash"]) == sha1(pdf, usedforsecurity=False).digest()
    assert (reference["status"], reference["docStatus"]) == ("current", "preliminary")
    assert reference["type"]["coding"][0]["code"] == "85232-7"
    assert findings(json.loads((made[0] / "ehr/bundle.json").read_text())) == []


def test_another_process_draws_the_same_bytes(case, made, tmp_path):
    environment = {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "CONNECTOR_PATIENT_ISSUERS": case.patient_issuers}
    command = ("-m", "connector", "process", "--dicom", case.dicom, "--fhir", case.bundle, "--out", tmp_path / "out")
    subprocess.run(
        [sys.executable, *map(str, command)], check=True, capture_output=True, env={**os.environ, **environment}
    )
    assert (tmp_path / "out/report.pdf").read_bytes() == path_of(made, "report").read_bytes()
