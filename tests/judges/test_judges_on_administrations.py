"""What outside judges say of the administration report, and when there is none."""

from dataclasses import replace
from io import BytesIO

import highdicom as hd
import image_case as case
import pytest
import written_cases as cases
from judge_dicom import dciodvfy, dsrdump, missing_judges, pixelmed
from pydicom import dcmread

from connector.core.case import PatientIdentity
from connector.dicom.write_rrdsr import AdministrationWriter

SAMPLES = {
    "Y-90 PET": sorted((case.DATA / "synthetic-y90-pet").iterdir()),
    "MAA SPECT": [case.DATA / "synthetic-maa" / "maa_spect.dcm"],
}
# The template of 2024 names the agent (349358000, SCT); this PixelMed knows the code that it replaced.
OLDER_AGENT_CODE = "Radiopharmaceutical agent"


def timed_spect(folder):
    """The SPECT sample with what its header lacks."""
    image = dcmread(SAMPLES["MAA SPECT"][0])
    item = image.RadiopharmaceuticalInformationSequence[0]
    item.RadiopharmaceuticalStartDateTime = "20260101083000"
    item.RadiopharmaceuticalCodeSequence = case.code("85693008", "SCT", "Technetium^99m^ macroaggregated albumin")
    image.save_as(folder / "spect.dcm")
    return [folder / "spect.dcm"]


def documents(paths):
    study = str(dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID)
    asked = cases.request(cases.assessment(0, study_instance_uid=study), paths)
    return AdministrationWriter().write(replace(asked, identity=PatientIdentity(identifiers=())))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    assert not missing_judges(), f"install these judges first: {missing_judges()}"
    folder = tmp_path_factory.mktemp("administrations")
    files = {}
    for name, sample in SAMPLES.items():
        (document,) = documents(timed_spect(folder) if name == "MAA SPECT" else sample)
        files[name] = folder / f"{name}.dcm"
        files[name].write_bytes(document.content)
    return files


@pytest.mark.parametrize("name", SAMPLES)
def test_dciodvfy_and_dcmtk_find_no_error(written, name, tmp_path):
    assert dciodvfy(written[name], tmp_path) == []
    assert dsrdump(written[name])[1] == []


def test_pixelmed_finds_the_template_kept(written):
    found = pixelmed(list(written.values()))
    assert sorted(found) == sorted(written.values())
    assert [each for errors in found.values() for each in errors if OLDER_AGENT_CODE not in each] == []


def test_highdicom_reads_its_content():
    (document,) = documents(SAMPLES["Y-90 PET"])
    content = hd.sr.ContentSequence.from_sequence(dcmread(BytesIO(document.content)).ContentSequence)
    assert {item.relationship_type for item in content} <= set(hd.sr.RelationshipTypeValues)
    assert [item.name.value for item in content if item.value_type == hd.sr.ValueTypeValues.CONTAINER] != []


def test_what_it_says():
    (document,) = documents(SAMPLES["Y-90 PET"])
    again = documents(list(reversed(SAMPLES["Y-90 PET"])))[0]
    assert document == again, "the order of the files does not matter"
    text = str(dcmread(BytesIO(document.content)))
    for said in ("2500", "230549.76", "14691008", "764678003", "58100008", "20260101100000", "262202000"):
        assert said in text, said


@pytest.mark.parametrize(
    ("missing", "why"),
    [
        ("RadiopharmaceuticalCodeSequence", "which agent?"),
        ("RadionuclideCodeSequence", "which nuclide?"),
        ("RadionuclideTotalDose", "how much?"),
        ("RadiopharmaceuticalStartDateTime", "when? a time without date is not enough"),
    ],
)
def test_without_a_part_there_is_no_report(tmp_path, missing, why):
    image = dcmread(SAMPLES["Y-90 PET"][0])
    del image.RadiopharmaceuticalInformationSequence[0][missing]
    image.save_as(tmp_path / "pet.dcm")
    assert documents([tmp_path / "pet.dcm"]) == [], why


def test_a_contradicting_nuclide_is_no_administration(tmp_path):
    image = dcmread(SAMPLES["Y-90 PET"][0])
    image.RadiopharmaceuticalInformationSequence[0].RadionuclideHalfLife = "6586.2"
    image.save_as(tmp_path / "pet.dcm")
    assert documents([tmp_path / "pet.dcm"]) == []
