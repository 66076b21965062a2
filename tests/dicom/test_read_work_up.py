"""A study with planar views of its work-up: their lung shunt, beside the tomogram's, and what costs only itself."""

from decimal import Decimal

import image_case as case
import numpy as np
import pytest
from planar_case import BEHIND, EXPECTED, IN_FRONT, drawn_on_planar, planar

from connector.dicom.read_study import DicomImaging


def read(folder):
    return DicomImaging().read([path for path in folder.rglob("*") if path.is_file()])


def test_planar_views_of_a_study_tell_a_shunt(tmp_path):
    planar(tmp_path)
    drawn_on_planar(tmp_path, [*IN_FRONT, *BEHIND])
    found = read(tmp_path)
    assert float(found.planar_lung_shunt.value) == pytest.approx(EXPECTED, abs=5e-7)
    assert found.planar_lung_shunt.origin == "1.2.3.8.1"
    assert found.planar_lung_shunt.observed_on.isoformat() == "2026-01-02"
    assert found.activity is None, "a view has no depth"
    assert found.regions == (), "nor has what is drawn on it"
    assert found.skipped == ()
    assert found.warnings == (
        "planar views: a planar shunt is not corrected for attenuation and scatter: SPECT/CT is preferred",
    )


def test_a_tomogram_beside_the_views_is_read_as_before(tmp_path):
    planar(tmp_path)
    drawn_on_planar(tmp_path, IN_FRONT)
    case.spect(tmp_path, np.ones((2, 3, 3)))
    found = read(tmp_path)
    assert found.activity.nuclide == "Tc-99m"
    assert found.planar_lung_shunt is not None
    assert any("mirrored into the posterior" in text for text in found.warnings)


@pytest.mark.parametrize(
    ("image", "frames", "words"),
    [
        ({}, None, "0 segmentations are drawn on the planar views"),
        ({}, IN_FRONT[:1], "the planar views give no shunt: the liver is not drawn"),
        ({"codes": ("255549009", "")}, IN_FRONT, "no frame is coded as the posterior view"),
    ],
)
def test_views_that_give_no_shunt_say_why(tmp_path, image, frames, words):
    planar(tmp_path, **image)
    if frames:
        drawn_on_planar(tmp_path, frames)
    found = read(tmp_path)
    assert found.planar_lung_shunt is None
    assert [words in each.reason for each in found.skipped] == [True]


def test_two_drawings_on_one_pair_of_views_are_ambiguous(tmp_path):
    planar(tmp_path)
    for number in (1, 2):
        folder = tmp_path / str(number)
        drawn_on_planar(folder, IN_FRONT, SOPInstanceUID=f"1.2.3.9.{number}")
    assert "2 segmentations" in read(tmp_path).skipped[0].reason


@pytest.mark.parametrize(
    "drug", [[case.item(Radiopharmaceutical="Tc-99m MDP")], []], ids=["a bone scan", "nothing named"]
)
def test_views_of_something_else_tell_no_shunt(tmp_path, drug):
    planar(tmp_path, RadiopharmaceuticalInformationSequence=drug)
    drawn_on_planar(tmp_path, IN_FRONT)
    found = read(tmp_path)
    assert found.planar_lung_shunt is None
    assert len(found.skipped) == 2


def test_a_malformed_drawing_costs_only_the_shunt(tmp_path):
    planar(tmp_path)
    drawn_on_planar(tmp_path, IN_FRONT, SegmentSequence=[case.item(SegmentLabel="lungs")])
    found = read(tmp_path)
    assert found.planar_lung_shunt is None
    assert any("missing or malformed" in each.reason for each in found.skipped)
    assert found.time_points[0].modality == "NM"


def test_the_shunt_has_as_many_digits_as_counts_can_tell(tmp_path):
    planar(tmp_path)
    drawn_on_planar(tmp_path, IN_FRONT)
    assert read(tmp_path).planar_lung_shunt.value == Decimal("0.121276")
