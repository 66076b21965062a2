"""The bundled case is what it says: the same bytes every time, readable by ours and by others, and a whole story."""

import json
from datetime import date
from decimal import Decimal
from hashlib import sha256
from importlib.resources import files

import pytest
from fhir.resources.R4B.bundle import Bundle
from judge_dicom import dciodvfy
from pydicom import dcmread

from connector.core.case import Identifier
from connector.core.geometry.resampling import resample_nearest
from connector.demo.case import LAST_STUDY_ON, build
from connector.dicom.read_study import DicomImaging
from connector.fhir.read_bundle import BundleRecordSource


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return build(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def reading(case):
    return DicomImaging().read(sorted(case.dicom.rglob("*.dcm")))


def digest(folder):
    files_of = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(str(path.relative_to(folder)), sha256(path.read_bytes()).hexdigest()) for path in files_of]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("abdomen_ct.xz", "2d8452d678d67a2b98f02c97c0f08590697961343a71c766dfa440c0bfa85a6e"),
        ("liver.xz", "a36cc42fa88d21693f838f84930d20dd90ea95512e68573112abd82049adbaab"),
    ],
)
def test_the_bundled_pixels_are_those_of_the_readme(name, expected):
    assert sha256(files("connector.demo").joinpath("data", name).read_bytes()).hexdigest() == expected


def test_the_same_day_gives_the_same_bytes(case, tmp_path):
    build(tmp_path)
    assert digest(tmp_path) == digest(case.dicom.parent)


def test_another_day_gives_other_studies_of_the_same_lesions(tmp_path):
    moved = build(tmp_path, last_study_on=date(2027, 1, 31))
    reading = DicomImaging().read(sorted(moved.dicom.rglob("*.dcm")))
    assert reading.time_points[-1].studied_on == date(2027, 1, 31)
    first = reading.time_points[0].lesions
    assert {lesion.tracking_id for lesion in first} == {"T01", "T02"}


def test_every_kind_of_object_is_clean_to_dciodvfy(case, tmp_path):
    for path in (case.studies[2] / "ct" / "01.dcm", case.segmentation, case.pet / "01.dcm"):
        assert dciodvfy(path, tmp_path) == []


def test_our_reader_uses_every_file(case, reading):
    assert reading.skipped == ()
    assert [point.studied_on for point in reading.time_points][-1] == case.last_study_on == LAST_STUDY_ON


def test_lesions_answer_then_grow_and_a_new_one_appears(reading):
    sizes = [{lesion.tracking_id: lesion.long_axis_mm for lesion in point.lesions} for point in reading.time_points]
    sums = [one["T01"] + one["T02"] for one in sizes]
    assert sums[1] <= sums[0] * Decimal("0.7"), "a partial response"
    assert sums[2] >= sums[1] * Decimal("1.2"), "progression from the smallest sum"
    assert sums[2] - sums[1] >= 5
    assert ["N01" in one for one in sizes] == [False, False, True]
    assert {lesion.site for point in reading.time_points for lesion in point.lesions} == {"liver"}


def test_the_pet_is_quantitative_y_90_on_the_same_anatomy(reading):
    assert reading.activity.nuclide == "Y-90"
    assert reading.activity.quantitative
    assert reading.activity.decay_hours == pytest.approx(3.5)
    assert reading.activity.administered_activity_gbq == Decimal("1.6")
    liver = next(region for region in reading.regions if region.kind == "liver")
    lesion = next(region for region in reading.regions if region.name == "T01")
    concentration, grid = reading.activity.concentration_bq_per_ml, reading.activity.geometry
    in_lesion, in_liver = (
        concentration[resample_nearest(region.mask, region.geometry, grid).mask].mean() for region in (lesion, liver)
    )
    assert in_lesion > 3 * in_liver


def test_the_record_is_of_the_same_patient_who_does_not_exist(case, reading):
    issuer, _, system = case.patient_issuers.partition("=")
    assert reading.identity.identifiers == (Identifier(case.patient_id, issuer),)
    assert reading.identity.family_name == "Fictitious"
    bundle = json.loads(case.bundle.read_text(), parse_float=Decimal)
    record = BundleRecordSource(bundle).read([Identifier(case.patient_id, system)])
    assert record.identity.birth_date == reading.identity.birth_date
    assert record.identity.family_name == reading.identity.family_name
    assert record.facts["histology"].value == "MTC"
    assert record.facts["bilirubin_total_umol_l"].value == Decimal(11)
    assert [each.value for each in record.series["calcitonin_pg_ml"]] == [3900, 2100, 5200]


def test_the_record_is_r4(case):
    bundle = Bundle.model_validate_json(case.bundle.read_bytes())
    assert bundle.type == "collection"
    assert len({entry.fullUrl for entry in bundle.entry}) == len(bundle.entry)


def test_nothing_of_the_real_files_but_their_pixels_is_kept(case):
    for path in case.dicom.rglob("*.dcm"):
        content = path.read_bytes()
        assert b"JANCT" not in content
        assert b"03086212" not in content
        assert dcmread(path, stop_before_pixels=True).StudyDate > "20250101"
