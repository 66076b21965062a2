"""What outside judges say of the RT Dose we write: its header, its geometry, and its mean dose."""

import highdicom as hd
import numpy as np
import pytest
import written_cases as cases
from judge_dicom import dciodvfy, missing_judges, plastimatch_statistics, run
from pydicom import dcmread

from connector.core.case import Region
from connector.dicom.read_structures import STRUCTURE_SET
from connector.dicom.write_rtdose import DoseMapWriter

GRIDS = {
    "as the CT": cases.geometry(),
    "oblique": cases.geometry((7, 20, 24), oblique=True),
    "one plane": cases.geometry((1, 20, 24)),
}


def write(folder, grid, bits):
    assert not missing_judges(), f"install these judges first: {missing_judges()}"
    paths = cases.make_study(folder)
    random = np.random.default_rng(7)
    gray = random.gamma(2.0, 40.0, grid.shape).astype(np.float32)
    request = cases.request(cases.assessment(dose=cases.dose(grid, gray)), paths)
    path = folder / "dose.dcm"
    path.write_bytes(DoseMapWriter(bits).write(request)[0].content)
    return path, gray


@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_dciodvfy_finds_no_error(grid, bits, tmp_path):
    path, _ = write(tmp_path, grid, bits)
    assert dciodvfy(path, tmp_path) == []
    assert f"US {bits}" in run(["dcmdump", "+P", "BitsStored", path])


@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("name", ["as the CT", "oblique"])
def test_plastimatch_reads_the_same_mean_and_maximum(name, bits, tmp_path):
    path, gray = write(tmp_path, GRIDS[name], bits)
    read = plastimatch_statistics(path, tmp_path)
    assert read["AVE"] == pytest.approx(gray.mean(dtype=np.float64), rel=1e-3)
    assert read["MAX"] == pytest.approx(gray.max(), rel=1e-4)


@pytest.mark.parametrize("bits", [16, 32])
def test_highdicom_reads_the_same_dose(bits, tmp_path):
    path, gray = write(tmp_path, GRIDS["as the CT"], bits)
    image = hd.imread(path)
    step_gy = float(image.DoseGridScaling)
    assert np.abs(image.get_frames() * step_gy - gray).max() <= max(step_gy, gray.max() * 2**-23)


def test_dciodvfy_finds_no_error_in_a_plan_and_in_curves(tmp_path):
    """The dose of a study with a structure set: named plan, curves of its region, both without an error."""
    paths = cases.make_study(tmp_path)
    grid = cases.geometry()
    gray = np.random.default_rng(7).gamma(2.0, 40.0, grid.shape).astype(np.float32)
    structures = dcmread(paths[0], stop_before_pixels=True)
    structures.SOPClassUID, structures.SOPInstanceUID, structures.Modality = STRUCTURE_SET, "1.2.3.77", "RTSTRUCT"
    structures.file_meta.MediaStorageSOPClassUID = STRUCTURE_SET
    structures.file_meta.MediaStorageSOPInstanceUID = "1.2.3.77"
    structures.save_as(tmp_path / "rtstruct.dcm", enforce_file_format=True)
    region = Region("Liver", "liver", np.ones(grid.shape, bool), grid, "1.2.3.77", 4)
    request = cases.request(
        cases.assessment(dose=cases.dose(grid, gray)), [*paths, tmp_path / "rtstruct.dcm"], regions=[region]
    )
    for document in DoseMapWriter(plan=True).write(request):
        path = tmp_path / f"{document.kind}.dcm"
        path.write_bytes(document.content)
        assert dciodvfy(path, tmp_path) == [], document.kind
    assert len(dcmread(path).DVHSequence) == 1
