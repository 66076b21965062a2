"""What outside judges say of the reports we write: each judge finds faults that the others do not."""

from dataclasses import replace
from datetime import date
from io import BytesIO
from pathlib import Path

import highdicom as hd
import pytest
import written_cases as cases
from judge_dicom import dciodvfy, dsrdump, missing_judges, pixelmed, run
from pydicom import Dataset, dcmread

from connector.app import file_flow
from connector.contract.reading import load
from connector.demo.case import build
from connector.dicom.headers import read_header
from connector.dicom.read_measurements import read_measurements
from connector.dicom.write_pdf import encapsulate
from connector.dicom.write_sr import ReportWriter
from connector.ports import Predecessor
from connector.process import process

PREDECESSOR = Predecessor("sr", "2.25.1234", "1.2.840.10008.5.1.4.1.1.88.34", "2.25.99")

REPORTS = {
    "nothing to say": cases.assessment(0),
    "one lesion": cases.assessment(1),
    "three lesions and dose": cases.assessment(3, dose=cases.dose()),
    "corrected": cases.assessment(3),
    "viable tumour and uptake": cases.beside_recist(),
    "selection only": cases.assessment(0, selection=cases.selection(), needs=("a CT with slices of at most 5 mm",)),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    assert not missing_judges(), f"install these judges first: {missing_judges()}"
    folder = tmp_path_factory.mktemp("reports")
    paths = cases.make_study(folder)
    files = {}
    for number, (name, assessed) in enumerate(REPORTS.items()):
        predecessors = (PREDECESSOR,) if name == "corrected" else ()
        request = cases.request(assessed, paths, predecessors=predecessors)
        files[name] = folder / f"report{number}.dcm"
        files[name].write_bytes(ReportWriter().write(request)[0].content)
    return {**files, "the bundled case": processed(folder, "sr")}


def processed(folder, kind):
    """The document of a kind that the whole job makes of the bundled case."""
    case = build(folder / "case")
    flow = file_flow(load(case.bundle.read_bytes()), case.patient_issuers)
    summary = process(flow, dicom_dir=case.dicom, out=folder / "out", today=None)
    (path,) = [folder / "out" / row["path"] for row in summary["documents"] if row["kind"] == kind]
    return path


ALL = [*REPORTS, "the bundled case"]


@pytest.mark.parametrize("name", ALL)
def test_dciodvfy_and_dcmtk_find_no_error(written, name, tmp_path):
    assert dciodvfy(written[name], tmp_path) == []
    assert dsrdump(written[name])[1] == []


def test_pixelmed_finds_every_template_kept(written):
    assert {path.name: errors for path, errors in pixelmed(list(written.values())).items() if errors} == {}


@pytest.mark.parametrize("name", ALL)
def test_highdicom_reads_the_report_back(written, name):
    report = hd.sr.srread(written[name])
    assert isinstance(report, hd.sr.Comprehensive3DSR)


def test_highdicom_finds_each_lesion_by_its_tracking_uid(written):
    content = hd.sr.srread(written["three lesions and dose"]).content
    assert len(content.get_volumetric_roi_measurement_groups()) == 3, "two segmented lesions and the dose of one"
    tracked = content.get_volumetric_roi_measurement_groups(tracking_uid=cases.lesion(1).tracking_uid)
    assert {group.tracking_identifier for group in tracked} == {"T01"}
    segment = tracked[0].referenced_segment
    assert (segment.referenced_sop_instance_uid, list(segment.referenced_segment_numbers)) == (cases.SEG_UID, [1])


@pytest.mark.parametrize(
    "sentence",
    [
        'TEXT:(,,"Tracking Identifier")="Overall response"',
        'CODE:(,,"Measurement Method")=(126081,DCM,"RECIST 1.1")',
        'NUM:(,,"Measurement of Response")="46.8" (mm,UCUM,"mm")',
        'CODE:(,,"Current Response")=(C18058,NCIt,"Partial Response")',
        'CODE:(,,"Response of the target lesions")=(112042,DCM,"Target Lesion Partial Response")',
        'NUM:(,,"Long axis")="23.4" (mm,UCUM,"mm")',
        'NUM:(,,"Mean Absorbed Radiation Dose")="65.85" (Gy,UCUM,"Gy")',
        '"Conclusion")="Draft for the tumour board: preferred TARE"',
        '"Treatment option")="1. TARE: preferred; bilirubin is below 2 mg/dL (TARE-03) [CIRSE 2022, section 4.2]"',
        '"Treatment option")="surgery: cannot decide; needs performance status"',
        '"Reason for the response")="the sum fell by >= 30 % of the baseline sum"',
        "Verification Flag   : UNVERIFIED",
    ],
)
def test_a_person_reads_it_in_dcmtks_print(written, sentence):
    assert sentence in dsrdump(written["three lesions and dose"])[0]


def test_a_report_without_measurements_says_what_it_needs(written):
    said = dsrdump(written["nothing to say"])[0]
    assert "Cannot decide: needs lesion measurements, a quantitative activity map, or facts to select by" in said


def test_the_bundled_case_tells_its_story(written):
    said = dsrdump(written["the bundled case"])[0]
    for sentence in (
        'CODE:(,,"Current Response")=(C35571,NCIt,"Progressive Disease")',
        'CODE:(,,"New lesion")=(UNEQUIVOCAL_NEW,99IRTCONNECTOR,"Unequivocal new lesion")',
        'CODE:(,,"Best Overall Response")=(C18058,NCIt,"Partial Response")',
        '"Conclusion")="Draft for the tumour board: preferred',
    ):
        assert sentence in said


NAMES = [
    ("Müller^Jörg", "ISO_IR 100", "Latin-1"),
    ("Müller^Jörg", "ISO_IR 192", "UTF-8"),
    ("Yamada^Tarou=山田^太郎=やまだ^たろう", ["", "ISO 2022 IR 87"], "Japanese, PS3.5 annex H.3, example 1"),
    ("Wang^XiaoDong=王^小东", "GB18030", "Chinese"),
    ("Павлов^Иван", "ISO_IR 144", "Cyrillic"),
]


@pytest.mark.parametrize(("name", "character_set", "why"), NAMES, ids=[why for _, _, why in NAMES])
def test_names_keep_their_character_set(name, character_set, why, tmp_path):
    paths = cases.make_study(tmp_path, patient_name=name, character_set=character_set)
    written = tmp_path / "report.dcm"
    written.write_bytes(ReportWriter().write(cases.request(cases.assessment(1), paths))[0].content)
    assert str(dcmread(written).PatientName) == name, why
    assert dcmread(written).get_item("PatientName").value == dcmread(paths[0]).get_item("PatientName").value
    assert dcmread(written).SpecificCharacterSet == dcmread(paths[0]).SpecificCharacterSet
    assert dciodvfy(written, tmp_path) == []
    assert dsrdump(written)[1] == []
    assert "(0010,0010) PN" in run(["dcmdump", written])


def test_a_label_that_the_character_set_lacks_turns_the_report_to_utf8(tmp_path):
    paths = cases.make_study(tmp_path, patient_name="Müller^Jörg", character_set="ISO_IR 100")
    assessed = cases.assessment(1)
    now = assessed.time_points[1]
    labelled = replace(now, lesions=(replace(now.lesions[0], tracking_id="肝 S8"),))
    assessed = replace(assessed, time_points=(assessed.time_points[0], labelled))
    written = tmp_path / "report.dcm"
    written.write_bytes(ReportWriter().write(cases.request(assessed, paths))[0].content)
    assert dcmread(written).SpecificCharacterSet == "ISO_IR 192"
    assert str(dcmread(written).PatientName) == "Müller^Jörg"
    assert "肝 S8" in dsrdump(written)[0]
    assert dciodvfy(written, tmp_path) == []


def test_dciodvfy_accepts_the_encapsulated_pdf(tmp_path):
    paths = cases.make_study(tmp_path)
    written = Path(tmp_path / "report.dcm")
    written.write_bytes(encapsulate(b"%PDF-1.7 test", cases.request(cases.assessment(1), paths)).content)
    assert dciodvfy(written, tmp_path) == []


def test_readers_of_one_valid_document_are_kept_apart(tmp_path):
    """TID 1501 lets each group have its own observation context: our report, signed so, stays valid and is read so."""
    paths = cases.make_study(tmp_path)
    document = dcmread(BytesIO(ReportWriter().write(cases.request(cases.assessment(2), paths))[0].content))
    document.Manufacturer = "Another viewer"
    imaging = next(item for item in document.ContentSequence if code_of(item) == "126010")
    for number, group in enumerate(imaging.ContentSequence):
        kind, name = Dataset(), Dataset()
        kind.RelationshipType, kind.ValueType = "HAS OBS CONTEXT", "CODE"
        kind.ConceptNameCodeSequence = [hd.sr.CodedConcept("121005", "DCM", "Observer Type")]
        kind.ConceptCodeSequence = [hd.sr.CodedConcept("121006", "DCM", "Person")]
        name.RelationshipType, name.ValueType = "HAS OBS CONTEXT", "PNAME"
        name.PersonName = "Roe^Max" if number else "Doe^Jane"
        name.ConceptNameCodeSequence = [hd.sr.CodedConcept("121008", "DCM", "Person Observer Name")]
        group.ContentSequence = [kind, name, *group.ContentSequence]
    path = tmp_path / "two readers.dcm"
    document.save_as(path)
    assert dciodvfy(path, tmp_path) == []
    assert dsrdump(path)[1] == []
    first, second = read_measurements(read_header(path), date(2026, 1, 1))
    assert (first.observer, second.observer) == ("doe jane", "roe max")
    assert [one.tracking_id for one in first.lesions] == ["T01"]
    assert "T01" not in {one.tracking_id for one in second.lesions} != set()


def code_of(item: Dataset) -> str:
    return item.ConceptNameCodeSequence[0].CodeValue
