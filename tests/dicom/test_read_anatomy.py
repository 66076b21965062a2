"""The CT beside an activity: which one, which part of it, and the mass of the lungs by its density."""

from decimal import Decimal

import image_case
import numpy as np
import pytest
from dosimetry_phantoms import grid, region

from connector.core.errors import ImpossibleInput
from connector.dicom.headers import read_headers
from connector.dicom.read_anatomy import read_anatomy
from connector.dicom.read_study import DicomImaging

SHAPE = (40, 30, 20)


def ct(folder, hounsfield, series="1.2.3.1", **changes):
    """A CT on the grid of `image_case.slices`, stored with the usual intercept."""
    stored = (np.asarray(hounsfield) + 1024).astype(np.int16)
    return image_case.slices(folder, stored, series=series, **{"RescaleIntercept": -1024, **changes})


def box(low, high, shape=SHAPE):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return mask


def on_ct(mask, name, kind):
    return region(mask, grid(mask.shape, (4.0, 2.0, 2.0), (-10.0, -20.0, 0.0), "1.2.9"), name=name, kind=kind)


LUNG, LIVER = box((20, 5, 5), (30, 15, 15)), box((8, 5, 5), (21, 15, 15))


def read(paths, regions):
    headers, skipped = read_headers(paths)
    assert not skipped
    return read_anatomy(headers, regions)


def test_lungs_are_weighed_by_their_density_and_the_liver_is_not_lung(tmp_path):
    """Nine planes of 100 voxels of lung at -700 HU (0.3 kg/L); the plane that liver shares is left out."""
    values = np.full(SHAPE, 40.0)
    values[LUNG & ~LIVER] = -700
    found = read(ct(tmp_path, values), [on_ct(LUNG, "lungs", "lung"), on_ct(LIVER, "liver", "liver")])
    assert found.lung_mass_kg == Decimal("0.004"), "900 voxels of 0.016 mL at 0.3 kg/L are 4.32 g"
    assert found.warnings == ()


def test_only_the_part_around_the_regions_is_kept(tmp_path):
    values = np.full(SHAPE, 40.0)
    values[25] = 100
    found = read(ct(tmp_path, values), [on_ct(box((24, 14, 9), (26, 16, 11)), "T01", "lesion")])
    assert found.image.geometry.shape == (22, 30, 20), "two planes and 10 on each side (40 mm)"
    assert found.image.geometry.origin_mm == pytest.approx((-10, -20, 4 * 14))
    assert (found.image.hounsfield[25 - 14] == 100).all()
    assert found.lung_mass_kg is None, "no lungs were drawn"


def test_the_longest_of_several_series_in_the_frame_is_taken_and_said(tmp_path):
    short = ct(tmp_path / "a", np.zeros((10, 30, 20)), series="1.2.3.7")
    long = ct(tmp_path / "b", np.full(SHAPE, 30.0), series="1.2.3.8")
    found = read([*short, *long], [on_ct(LIVER, "liver", "liver")])
    assert found.image.series_instance_uid == "1.2.3.8"
    assert "2 CT series" in found.warnings[0]


def test_a_ct_in_another_frame_or_away_from_the_regions_is_none(tmp_path):
    elsewhere = ct(tmp_path / "a", np.zeros(SHAPE), FrameOfReferenceUID="1.2.99")
    assert read(elsewhere, [on_ct(LIVER, "liver", "liver")]) is None
    here = ct(tmp_path / "b", np.zeros(SHAPE))
    far = region(np.ones((2, 2, 2), bool), grid((2, 2, 2), (4.0, 2.0, 2.0), (0.0, 0.0, 900.0), "1.2.9"))
    assert read(here, [far]) is None
    assert read(here, [on_ct(np.zeros(SHAPE, bool), "T01", "lesion")]) is None
    assert read(here, []) is None


def test_lungs_that_are_not_all_on_the_ct_are_told(tmp_path):
    values = np.full(SHAPE, -700.0)
    taller = np.zeros((60, 30, 20), bool)
    taller[20:60] = True
    found = read(ct(tmp_path, values), [on_ct(taller, "lungs", "lung")])
    assert "only 50% of the drawn lungs are on the CT" in found.warnings[0]
    all_liver = [on_ct(LUNG, "lungs", "lung"), on_ct(LUNG, "liver", "liver")]
    assert read(ct(tmp_path / "b", values), all_liver).lung_mass_kg is None


def test_a_ct_with_a_gap_is_refused(tmp_path):
    paths = ct(tmp_path, np.zeros(SHAPE))
    with pytest.raises(ImpossibleInput, match="not evenly spaced"):
        read([*paths[:15], *paths[17:]], [on_ct(LIVER, "liver", "liver")])


@pytest.fixture
def study(tmp_path):
    """A MAA SPECT, its CT and a segmentation of liver, lungs and a lesion, all on one grid."""
    shape = (16, 12, 12)
    lung, liver = box((8, 2, 2), (14, 10, 10), shape), box((1, 2, 2), (7, 10, 10), shape)
    tumour = box((3, 4, 4), (5, 6, 6), shape)
    counts = np.zeros(shape)
    counts[lung], counts[liver], counts[tumour] = 1, 20, 100
    hounsfield = np.full(shape, 40.0)
    hounsfield[lung] = -750
    image_case.spect(tmp_path, counts)
    ct(tmp_path / "ct", hounsfield)
    described = [
        image_case.segment(1, image_case.LIVER, SegmentLabel="liver"),
        image_case.segment(2, SegmentLabel="metastasis"),
        image_case.segment(3, ("39607008", "SCT", "Lung"), SegmentLabel="lungs"),
    ]
    image_case.segmentation(tmp_path, {1: liver, 2: tumour, 3: lung}, described)
    return tmp_path


def test_a_study_brings_its_ct_and_the_mass_of_the_lungs(study):
    found = DicomImaging().read(sorted(study.rglob("*.dcm")))
    assert found.lung_mass.value == Decimal("0.002"), "384 voxels of 0.016 mL at 0.25 kg/L"
    assert found.lung_mass.origin == "1.2.3.1"
    assert found.anatomy.geometry.frame_of_reference_uid == found.activity.geometry.frame_of_reference_uid


def test_a_study_whose_ct_cannot_be_read_goes_on_and_says_so(study):
    sorted((study / "ct").iterdir())[5].unlink()
    found = DicomImaging().read(sorted(study.rglob("*.dcm")))
    assert found.lung_mass is None
    assert any("the CT of the study is not used" in each.reason for each in found.skipped)


def test_a_study_without_activity_reads_no_ct(study):
    (study / "spect.dcm").unlink()
    found = DicomImaging().read(sorted(study.rglob("*.dcm")))
    assert (found.anatomy, found.lung_mass) == (None, None)
