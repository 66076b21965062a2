"""A patient's folder: one time point a study, nothing lost, nothing of another patient, nothing of our own."""

from datetime import date
from decimal import Decimal

import image_case as case
import numpy as np
import pytest
from study_case import LESION, OUTSIDE, SOURCES, ct, long_axis, read, reasons, study

from connector.core.case import Identifier, LesionRole
from connector.core.errors import ImpossibleInput
from connector.core.geometry.grids import lattice_offset
from connector.dicom.identity import OUR_MANUFACTURER
from connector.dicom.read_study import DicomImaging


def test_an_object_that_names_no_source_where_it_should_costs_no_study(tmp_path):
    ct(tmp_path)
    screen = case.instance("1.2.840.10008.5.1.4.1.1.7", "1.2.3.99", SourceImageSequence=[case.item(PatientID="P1")])
    case.save(screen, tmp_path / "screen.dcm")
    found = read(tmp_path)
    assert len(found.time_points) == 1
    assert list(reasons(found)) == ["screen.dcm"]


def test_the_samples_made_for_this_project_are_one_patient():
    paths = [*(case.DATA / "synthetic-ct").iterdir(), *(case.DATA / "synthetic-y90-pet").iterdir()]
    found = DicomImaging().read(paths)
    (point,) = found.time_points
    (lesion,) = point.lesions
    assert (lesion.long_axis_mm, lesion.volume_ml, lesion.segment_number) == (Decimal(20), Decimal("6.4"), 1)
    assert lesion.slice_thickness_mm == 4, "the report is completed by the segment of the same lesion"
    assert found.activity.nuclide == "Y-90"
    assert [lattice_offset(found.activity.geometry, region.geometry) is None for region in found.regions] == [False]
    assert set(reasons(found)) == {"synthetic-ct/rd16_overview.dcm", "synthetic-ct/rrd.dcm"}


def test_the_sample_liver():
    (point,) = DicomImaging().read(list((case.DATA / "dcmqi-liver").iterdir())).time_points
    assert (point.liver_volume_ml, point.liver_tumour_volume_ml) == (Decimal("70.362"), None)


def test_studies_come_in_order_of_date(tmp_path):
    study(tmp_path, 2, "20260302", long_axis("14"))
    study(tmp_path, 1, "20260102", long_axis("20"))
    study(tmp_path, 3, "20260502")
    found = read(tmp_path)
    assert [point.study_instance_uid for point in found.time_points] == ["1.2.1", "1.2.2", "1.2.3"]
    assert [point.studied_on for point in found.time_points] == [
        date(2026, 1, 2), date(2026, 3, 2), date(2026, 5, 2),
    ]  # fmt: skip
    assert [[each.long_axis_mm for each in point.lesions] for point in found.time_points] == [[20], [14], []]


def test_a_named_study_has_no_later_ones(tmp_path):
    study(tmp_path, 1, "20260102", long_axis("20"))
    study(tmp_path, 2, "20260302", long_axis("14"))
    found = read(tmp_path, study_instance_uid="1.2.1")
    assert [point.study_instance_uid for point in found.time_points] == ["1.2.1"]
    assert reasons(found) == {"1.2.2": "the study is later than the assessed one: not used"}


def test_a_named_study_that_is_not_there_is_refused(tmp_path):
    study(tmp_path, 1, "20260102")
    with pytest.raises(ImpossibleInput, match="not among the files"):
        read(tmp_path, study_instance_uid="1.2.7")


def test_a_study_without_date_is_told(tmp_path):
    study(tmp_path, 1, "20260102")
    study(tmp_path, 2, "")
    found = read(tmp_path)
    assert len(found.time_points) == 1
    assert "has no date" in reasons(found)["1.2.2"]


def test_no_study_with_a_date_is_refused(tmp_path):
    study(tmp_path, 1, "")
    with pytest.raises(ImpossibleInput, match="no study has a date"):
        read(tmp_path)


def test_a_study_is_as_old_as_its_acquisition_when_it_has_no_date(tmp_path):
    ct(tmp_path, StudyDate="", AcquisitionDate="20260105")
    assert read(tmp_path).time_points[0].studied_on == date(2026, 1, 5)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"PatientID": "P2"}, id="another number"),
        pytest.param({"PatientName": "OTHER^CASE"}, id="another name under one number"),
        pytest.param({"PatientBirthDate": "19610101"}, id="another birth date"),
        pytest.param({"PatientSex": "M"}, id="another sex"),
        pytest.param({"IssuerOfPatientID": "ELSEWHERE"}, id="one number of two hospitals"),
    ],
)
def test_two_patients_are_refused_without_a_word_about_them(tmp_path, other):
    ct(tmp_path / "a")
    ct(tmp_path / "b", series="1.2.3.8", **other)
    with pytest.raises(ImpossibleInput, match="more than one patient") as refused:
        read(tmp_path)
    assert not any(word in str(refused.value) for word in ("P1", "P2", "CASE", "1960", "HOSPITAL"))


def test_a_report_that_leaves_the_issuer_out_is_of_the_same_patient(tmp_path):
    ct(tmp_path)
    case.report(tmp_path, long_axis("20"), IssuerOfPatientID=case.ABSENT, PatientName="", PatientSex="")
    found = read(tmp_path)
    assert found.identity.identifiers == (Identifier("P1", "HOSPITAL"),)
    assert (found.identity.family_name, found.identity.sex) == ("TEST", "F")
    assert len(found.time_points[0].lesions) == 1


def test_no_usable_file_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ImpossibleInput, match="none of the 1 files can be used, the first because: not a DICOM file"):
        read(tmp_path)
    with pytest.raises(ImpossibleInput, match="there are none"):
        DicomImaging().read([])


def test_one_bad_file_of_each_kind_costs_only_itself(tmp_path):
    paths = ct(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "cut.dcm").write_bytes(paths[0].read_bytes()[:-7])
    case.report(tmp_path, long_axis_unit("64", "px"), long_axis("20", uid="1.9.2"), name="pixels.dcm")
    case.segmentation(tmp_path, {1: LESION}, [case.segment(1)], sources=["1.7.7"], name="orphan.dcm")
    case.save(case.instance("1.2.840.10008.5.1.4.1.1.88.59", "1.2.77", Modality="KO"), tmp_path / "key.dcm")
    case.save(
        case.instance(case.REPORT, "1.2.78", Modality="SR", ContentSequence=[case.item(ValueType="TEXT")]),
        tmp_path / "text.dcm",
    )
    found = read(tmp_path)
    assert [lesion.tracking_uid for lesion in found.time_points[0].lesions] == ["1.9.2"]
    told = reasons(found)
    assert set(told) == {"notes.txt", "cut.dcm", "pixels.dcm", "orphan.dcm", "key.dcm", "text.dcm"}
    assert told["orphan.dcm"].startswith("its source images are not among the files")
    assert "px" in told["pixels.dcm"]
    assert "Key Object" in told["key.dcm"]


def long_axis_unit(value, unit, **changes):
    return case.group(case.number(case.LONG, value, unit), **changes)


def test_the_report_goes_before_the_segments(tmp_path):
    ct(tmp_path)
    case.segmentation(tmp_path, {1: LESION, 2: OUTSIDE}, [case.segment(1), case.segment(2)], sources=SOURCES)
    case.report(tmp_path, long_axis("11.5"))
    (lesion,) = read(tmp_path).time_points[0].lesions
    assert (lesion.long_axis_mm, lesion.volume_ml) == (Decimal("11.5"), Decimal("0.480"))
    assert lesion.flags == (), "a caliper and a segmentation never quite agree"


def test_two_reports_that_disagree_are_flagged(tmp_path):
    ct(tmp_path)
    case.report(tmp_path, long_axis("20"), name="a.dcm", ContentDate="20260103")
    case.report(tmp_path, long_axis("25"), name="b.dcm", SOPInstanceUID="1.2.3.6.2", ContentDate="20260104")
    (lesion,) = read(tmp_path).time_points[0].lesions
    assert lesion.long_axis_mm == 25, "the later report stands"
    assert any("long_axis_mm differs" in flag for flag in lesion.flags)


def evidence(study, *uids):
    references = [case.item(ReferencedSOPClassUID=case.CT, ReferencedSOPInstanceUID=uid) for uid in uids]
    series = case.item(SeriesInstanceUID=f"{study}.1", ReferencedSOPSequence=references)
    return case.item(StudyInstanceUID=study, ReferencedSeriesSequence=[series])


def measured_on(image, value, **changes):
    reference = case.item(ReferencedSOPClassUID=case.CT, ReferencedSOPInstanceUID=image)
    where = case.item(RelationshipType="SELECTED FROM", ValueType="IMAGE", ReferencedSOPSequence=[reference])
    drawn = case.item(RelationshipType="INFERRED FROM", ValueType="SCOORD", ContentSequence=[where])
    return case.group(case.number(case.LONG, value, ContentSequence=[drawn]), **changes)


def test_a_comparison_with_the_prior_is_not_a_measurement_of_today(tmp_path):
    study(tmp_path, 1, "20260102")
    both = {
        "CurrentRequestedProcedureEvidenceSequence": [evidence("1.2.2", "1.2.2.1.1")],
        "PertinentOtherEvidenceSequence": [evidence("1.2.1", "1.2.1.1.1")],
    }
    groups = measured_on("1.2.1.1.1", "30"), measured_on("1.2.2.1.1", "20", uid="1.9.2")
    study(tmp_path, 2, "20260302", *groups, **both)
    found = read(tmp_path)
    assert [[each.long_axis_mm for each in point.lesions] for point in found.time_points] == [[], [20]]
    assert "images of another study" in reasons(found)["2/report.dcm"]


@pytest.mark.parametrize("named", [None, "1.2.1", "1.2.8"])
def test_results_in_a_study_of_their_own_belong_to_their_images(tmp_path, named):
    study(tmp_path, 1, "20260102")
    alone = {"StudyInstanceUID": "1.2.8", "StudyDate": "20260404"}
    on = evidence("1.2.1", "1.2.1.1.1")
    case.report(tmp_path / "8", measured_on("1.2.1.1.1", "30"), CurrentRequestedProcedureEvidenceSequence=[on], **alone)
    case.segmentation(tmp_path / "8", {1: LESION}, [case.segment(1)], sources=["1.2.1.1.1"], **alone)
    found = read(tmp_path, study_instance_uid=named)
    (point,) = found.time_points
    assert (point.study_instance_uid, point.studied_on) == ("1.2.1", date(2026, 1, 2))
    assert [(each.long_axis_mm, each.observed_on) for each in point.lesions] == [(30, date(2026, 1, 2))]
    assert len(found.regions) == 1


OURS = {"Manufacturer": OUR_MANUFACTURER}


def test_our_own_report_is_no_evidence_for_its_study(tmp_path):
    ct(tmp_path)
    case.report(tmp_path, long_axis("20"), name="theirs.dcm")
    case.report(tmp_path, long_axis("25"), name="ours.dcm", SOPInstanceUID="1.2.3.6.2", **OURS)
    found = read(tmp_path)
    (lesion,) = found.time_points[0].lesions
    assert (lesion.long_axis_mm, lesion.flags) == (Decimal(20), ())
    assert "our own earlier document" in reasons(found)["ours.dcm"]


def test_our_report_of_a_prior_speaks_where_no_other_does(tmp_path):
    target = case.coded(case.CATEGORY, ("112074", "DCM", "Target"))
    study(tmp_path, 1, "20260102", case.group(case.number(case.LONG, "20"), target), **OURS)
    study(tmp_path, 2, "20260302", long_axis("14"))
    prior, latest = read(tmp_path).time_points
    assert (prior.lesions[0].long_axis_mm, prior.lesions[0].role) == (Decimal(20), LesionRole.TARGET)
    assert latest.lesions[0].long_axis_mm == 14


def test_our_report_of_a_prior_completes_others_and_never_overrules_them(tmp_path):
    target = case.coded(case.CATEGORY, ("112074", "DCM", "Target"))
    stale = long_axis("9", uid="1.9.7")
    study(tmp_path, 1, "20260102", long_axis("20"))
    case.report(
        tmp_path / "1", case.group(case.number(case.LONG, "25"), target), stale, name="ours.dcm",
        SOPInstanceUID="1.2.1.5", StudyInstanceUID="1.2.1", StudyDate="20260102", **OURS,
    )  # fmt: skip
    study(tmp_path, 2, "20260302")
    (lesion,) = read(tmp_path).time_points[0].lesions
    assert (lesion.long_axis_mm, lesion.role, lesion.flags) == (Decimal(20), LesionRole.TARGET, ())


@pytest.mark.parametrize(
    ("made", "nuclide", "told"),
    [
        pytest.param(case.pet, "Y-90", None, id="one PET"),
        pytest.param(
            lambda folder: case.pet(folder, drug={
                "RadionuclideCodeSequence": case.code("77004003", "SCT", "F"), "RadionuclideHalfLife": "6586.2",
            }), None, "F-18 is not a nuclide of treatment", id="FDG",
        ),
        pytest.param(lambda folder: case.pet(folder, Units="CNTS"), None, "without the scanner's factor", id="counts"),
        pytest.param(lambda folder: case.spect(folder, np.ones((2, 3, 3))), "Tc-99m", None, id="MAA SPECT"),
        pytest.param(
            lambda folder: case.spect(folder, np.ones((2, 3, 3)), RadiopharmaceuticalInformationSequence=[
                case.item(RadionuclideCodeSequence=case.code("72454006", "SCT", "Tc"), Radiopharmaceutical="MDP"),
            ]), None, "other than aggregated albumin", id="bone scan",
        ),
        pytest.param(
            lambda folder: (case.pet(folder), case.spect(folder, np.ones((2, 3, 3)))), "Y-90", None,
            id="PET goes before counts",
        ),
        pytest.param(
            lambda folder: (
                case.pet(folder / "a"),
                case.pet(folder / "b", SeriesInstanceUID="1.2.3.9", SOPInstanceUID=lambda plane: f"1.2.3.9.{plane}"),
            ), None, "several series could be the activity map", id="two reconstructions",
        ),
    ],
)  # fmt: skip
def test_the_activity_series(tmp_path, made, nuclide, told):
    made(tmp_path)
    found = read(tmp_path)
    assert (found.activity.nuclide if found.activity else None) == nuclide
    assert told is None or any(told in each.reason for each in found.skipped)


def test_a_malformed_attribute_costs_only_its_file(tmp_path):
    ct(tmp_path)
    case.segmentation(tmp_path, {1: LESION}, [case.segment(1)], sources=SOURCES, NumberOfFrames=case.ABSENT)
    case.report(tmp_path, long_axis("20"))
    found = read(tmp_path)
    assert len(found.time_points[0].lesions) == 1
    assert "seg.dcm" in reasons(found)


def test_the_same_files_in_any_order_read_the_same(tmp_path):
    ct(tmp_path)
    case.segmentation(tmp_path, {1: LESION, 2: OUTSIDE}, [case.segment(1), case.segment(2)], sources=SOURCES)
    case.report(tmp_path, long_axis("20"))
    paths = [path for path in tmp_path.rglob("*") if path.is_file()]
    there, back = DicomImaging().read(paths), DicomImaging().read(paths[::-1])
    assert there.time_points == back.time_points
    assert there.skipped == back.skipped
