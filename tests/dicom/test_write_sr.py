"""The report says what the assessment says, of the right patient, with the same bytes for the same input."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
import written_cases as cases
from pydicom import dcmread
from sr_case import answers, read, said, with_lesion, write

from connector.core.assessment import Option
from connector.core.case import Code, Identifier, LesionState, PatientIdentity
from connector.core.errors import ImpossibleInput
from connector.dicom.headers import read_headers
from connector.dicom.identity import OUR_MANUFACTURER, series_uid
from connector.dicom.read_measurements import read_measurements
from connector.ports import Predecessor

COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"


@pytest.fixture
def paths(tmp_path):
    return cases.make_study(tmp_path)


class TestIdentity:
    def test_it_belongs_to_the_study_in_our_own_series(self, paths):
        document = write(cases.assessment(), paths)
        report = read(document)
        assert (document.kind, document.destination) == ("sr", "pacs")
        assert document.identity == report.SOPInstanceUID
        assert document.study_instance_uid == report.StudyInstanceUID == cases.STUDY
        assert document.series_instance_uid == report.SeriesInstanceUID == series_uid("sr", cases.STUDY)
        assert document.sop_class_uid == report.SOPClassUID == COMPREHENSIVE_3D_SR
        assert (report.PatientID, report.IssuerOfPatientID, report.AccessionNumber) == ("T-0001", "TEST_ISSUER", "A1")
        assert (report.VerificationFlag, report.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
        assert report.Manufacturer == OUR_MANUFACTURER

    def test_the_same_input_gives_the_same_bytes_in_any_order_of_files(self, paths):
        assert write(cases.assessment(), paths) == write(cases.assessment(), list(reversed(paths)))

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"ruleset": "rules-2"}, "another rule set may decide otherwise"),
            ({"assessed_on": date(2026, 4, 8)}, "the report carries its day"),
            ({"needs": ("a biopsy",)}, "another word is another report"),
        ],
    )
    def test_a_changed_result_is_a_new_instance_in_the_same_series(self, paths, changes, why):
        one, other = write(cases.assessment(), paths), write(cases.assessment(**changes), paths)
        assert one.identity != other.identity, why
        assert one.series_instance_uid == other.series_instance_uid

    def test_it_names_the_report_it_supersedes_and_only_reports(self, paths):
        earlier = [
            Predecessor("sr", "2.25.1", COMPREHENSIVE_3D_SR, "2.25.9"),
            Predecessor("rtdose", "2.25.2", "1.2.840.10008.5.1.4.1.1.481.2", "2.25.8"),
        ]
        report = read(write(cases.assessment(), paths, predecessors=earlier))
        (study,) = report.PredecessorDocumentsSequence
        (series,) = study.ReferencedSeriesSequence
        assert [item.ReferencedSOPInstanceUID for item in series.ReferencedSOPSequence] == ["2.25.1"]
        assert (study.StudyInstanceUID, series.SeriesInstanceUID) == (cases.STUDY, "2.25.9")
        assert report.InstanceNumber == 2

    def test_a_correction_taken_back_is_a_third_report_not_the_first_again(self, paths):
        first = write(cases.assessment(), paths)
        second = Predecessor("sr", "2.25.1", COMPREHENSIVE_3D_SR, first.series_instance_uid)
        third = write(cases.assessment(), paths, predecessors=[second])
        assert third.identity != first.identity, "else the archive would keep the wrong second one as the newest"

    def test_every_instance_of_the_study_is_evidence_but_not_our_own(self, paths, tmp_path):
        ours = tmp_path / "ours.dcm"
        ours.write_bytes(write(cases.assessment(), paths).content)
        (study,) = read(write(cases.assessment(), [*paths, ours])).CurrentRequestedProcedureEvidenceSequence
        named = [item for series in study.ReferencedSeriesSequence for item in series.ReferencedSOPSequence]
        expected = {str(dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in paths}
        assert {str(item.ReferencedSOPInstanceUID) for item in named} == expected


class TestPatient:
    @pytest.mark.parametrize(("keyword", "value"), [("PatientID", "T-0002"), ("IssuerOfPatientID", "OTHER")])
    def test_two_patients_in_one_study_are_refused(self, paths, keyword, value):
        image = dcmread(paths[1])
        image[keyword].value = value
        image.save_as(paths[1])
        with pytest.raises(ImpossibleInput, match="more than one patient"):
            write(cases.assessment(), paths)

    def test_a_file_that_names_no_patient_is_no_evidence(self, paths):
        image = dcmread(paths[1])
        image.PatientID = ""
        image.save_as(paths[1])
        (study,) = read(write(cases.assessment(), paths)).CurrentRequestedProcedureEvidenceSequence
        named = [item for series in study.ReferencedSeriesSequence for item in series.ReferencedSOPSequence]
        assert len(named) == len(paths) - 1

    def test_a_file_that_is_not_dicom_is_no_evidence(self, paths, tmp_path):
        broken = tmp_path / "notes.txt"
        broken.write_text("not DICOM")
        assert write(cases.assessment(), [*paths, broken]) == write(cases.assessment(), paths)

    def test_files_of_another_patient_than_the_assessed_one_are_refused(self, paths):
        other = PatientIdentity((Identifier("X-9", "TEST_ISSUER"),))
        with pytest.raises(ImpossibleInput, match="not one of the assessed patient"):
            write(cases.assessment(), paths, identity=other)

    def test_without_a_file_of_the_study_nothing_is_written(self, paths):
        with pytest.raises(ImpossibleInput, match="no file of the assessed study"):
            write(cases.assessment(study_instance_uid="2.25.5"), paths)

    @pytest.mark.parametrize(
        "keyword",
        ["StudyID", "AccessionNumber", "ReferringPhysicianName", "StudyDate", "StudyTime", "PatientBirthDate",
         "PatientSex", "PatientName", "StudyDescription", "IssuerOfPatientID"],
    )  # fmt: skip
    def test_what_the_images_lack_stays_empty(self, paths, keyword):
        for path in paths:
            image = dcmread(path)
            if keyword in image:
                del image[keyword]
            image.save_as(path)
        assert not read(write(cases.assessment(), paths)).get(keyword)

    @pytest.mark.parametrize("label", ["T01", "肝 S8"], ids=["an ASCII label", "a label that needs UTF-8"])
    def test_bytes_in_an_undeclared_character_set_are_passed_on_unchanged(self, paths, label):
        for path in paths[:3]:
            image = dcmread(path)
            image.SpecificCharacterSet, image.PatientName = "ISO_IR 100", "Müller^Jörg"
            image.save_as(path)
            path.write_bytes(path.read_bytes().replace(b"ISO_IR 100", b"          ", 1))
        report = read(write(with_lesion(tracking_id=label), paths))
        assert report.get_item("PatientName").value == "Müller^Jörg ".encode("latin-1")
        assert not report.get("SpecificCharacterSet"), "to declare one would invent what the bytes mean"


class TestLesions:
    @pytest.mark.parametrize(
        ("changes", "concept", "expected", "why"),
        [
            ({"site": "lung"}, "Finding Site", ["39607008 SCT"], "the organ's code"),
            ({"site": "other"}, "Finding Site", [], "an organ we have no code for is not invented"),
            ({"site_code": Code("10200005", "SCT", "Liver")}, "Finding Site", ["10200004 SCT"], "a wrong digit"),
            ({"site_code": Code("39607008", "SCT", "Lung")}, "Finding Site", ["39607008 SCT"], "the sender's code"),
            (
                {"site_code": Code("39607008", "http://snomed.info/sct", "Lung")},
                "Finding Site",
                ["39607008 SCT"],
                "URL",
            ),
            ({"site_code": Code("x" * 17, "SCT", "Long")}, "Finding Site", ["10200004 SCT"], "too long for a code"),
            ({"site": "thyroid_bed"}, "Finding", ["108369006 SCT"], "a local recurrence is no metastasis"),
            ({"site": "lymph_node"}, "Finding", ["14799000 SCT"], "a node with tumour is one"),
            ({"long_axis_mm": Decimal("23.45")}, "Long axis", ["23.45 mm"], "hundredths are kept"),
            ({"short_axis_mm": None}, "Short axis", [], "not measured is not zero"),
            ({"state": LesionState.ABSENT}, "State of the lesion", ["ABSENT 99IRTCONNECTOR"], "gone"),
            ({"liver_lobe": "left"}, "Lobe of the liver", ["LEFT_LOBE 99IRTCONNECTOR"], "left"),
            ({"liver_lobe": None}, "Lobe of the liver", [], "not known"),
            ({"role": None}, "Baseline Category", [], "not known"),
        ],
    )
    def test_what_is_known_of_a_lesion_is_said(self, paths, changes, concept, expected, why):
        assert answers(write(with_lesion(**changes), paths), concept) == expected, why

    def test_the_role_that_response_was_judged_by_wins(self, paths):
        assessed = with_lesion(role=None)
        judged = replace(assessed, response=replace(cases.response(), target_ids=("T01",)))
        assert answers(write(judged, paths), "Baseline Category") == ["112074 DCM"]

    def test_a_lesion_without_a_segment_of_this_study_is_no_volumetric_group(self, paths):
        report = read(write(with_lesion(origin="2.25.77", segment_number=1), paths))
        group = report.ContentSequence[8].ContentSequence[0]
        assert group.ContentTemplateSequence[0].TemplateIdentifier == "1501"

    def test_our_own_reader_finds_what_stands_beside_recist(self, paths, tmp_path):
        path = tmp_path / "report.dcm"
        assessed = cases.beside_recist()
        path.write_bytes(write(assessed, paths).content)
        (header,), _ = read_headers([path])
        (found,) = read_measurements(header, cases.TODAY)
        for one, other in zip(found.lesions, assessed.time_points[-1].lesions, strict=True):
            assert (one.viable_mm, one.viable_across_mm) == (other.viable_mm, other.viable_across_mm)
            assert (one.enhancement, one.uptake, one.long_axis_mm) == (
                other.enhancement, other.uptake, other.long_axis_mm,
            )  # fmt: skip

    def test_viable_tumour_never_shares_a_group_with_recist(self, paths):
        report = read(write(cases.beside_recist(), paths))
        groups = list(report.ContentSequence[8].ContentSequence)
        methods = [[value for concept, value in said(group) if concept == "Measurement Method"] for group in groups]
        assert methods == [[], [], ["126081 DCM"], ["MRECIST 99IRTCONNECTOR"]]
        assert [value for concept, value in said(groups[3]) if concept.endswith("by EASL")] == ["C18058 NCIt"]
        assert [value for concept, value in said(groups[0]) if concept.startswith("Viability")] == [
            "VIABLE 99IRTCONNECTOR"
        ]

    def test_our_own_reader_finds_the_same_lesions_and_only_those(self, paths, tmp_path):
        path = tmp_path / "report.dcm"
        path.write_bytes(write(cases.assessment(3, dose=cases.dose()), paths).content)
        (header,), _ = read_headers([path])
        (found,) = read_measurements(header, cases.TODAY)
        written = cases.assessment(3).time_points[1].lesions
        assert found.skipped == ()
        assert [(one.tracking_uid, one.tracking_id, one.role, one.state, one.site) for one in found.lesions] == [
            (one.tracking_uid, one.tracking_id, one.role, one.state, one.site) for one in written
        ]
        assert [one.long_axis_mm for one in found.lesions] == [one.long_axis_mm for one in written]


def test_each_site_whose_ranks_begin_anew_stands_before_its_options(paths):
    options = (
        Option("systemic_therapy", "possible", 2),
        Option("lung_RFA", "preferred", 1),
        Option("bone_embolisation", "preferred", 1),
        Option("cementoplasty", "excluded", None),
    )
    selection = replace(cases.selection(), options=options)
    told = answers(write(cases.assessment(1, selection=selection), paths), "Treatment option")
    assert [one.partition(" (")[0] for one in told] == [
        "lung and whole body: 1. lung RFA: preferred",
        "lung and whole body: 2. systemic therapy: possible",
        "bone: 1. bone embolisation: preferred",
        "bone: cementoplasty: excluded",
    ]
