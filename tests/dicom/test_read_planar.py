"""The lung shunt of planar views: from counts by hand, and from NM images with a segmentation drawn on them."""

import json
from decimal import Decimal

import image_case
import numpy as np
import pytest
from click.testing import CliRunner
from image_case import item
from planar_case import (
    BACKGROUND,
    BEHIND,
    EXPECTED,
    IN_FRONT,
    LIVER,
    LUNG,
    SHAPE,
    block,
    counts,
    drawn_on_planar,
    planar,
)

from connector.cli.dose import dose
from connector.core.dosimetry.planar import View, planar_shunt
from connector.core.errors import ImpossibleInput
from connector.dicom.read_planar import read_planar


def view(in_lung, in_liver, level=0, **drawn):
    regions = {"lung": LUNG, "liver": LIVER, "background": BACKGROUND, **drawn}
    made = counts(lung=in_lung, liver=in_liver, background=level)
    return View(made, {kind: mask for kind, mask in regions.items() if mask is not None})


# From counts


def test_geometric_means_of_the_published_counts():
    """Lung 12 000 and 10 000, liver 90 000 and 70 000: 0.121276, and not 0.121324, the mean of the two views."""
    found = planar_shunt(anterior=view(120, 900), posterior=view(100, 700))
    assert found.lung_shunt_fraction == pytest.approx(Decimal("0.12127550239018872"))


def test_background_is_taken_off_pixel_by_pixel():
    clean = planar_shunt(anterior=view(120, 900), posterior=view(100, 700))
    found = planar_shunt(anterior=view(120, 900, 8), posterior=view(100, 700, 8))
    assert found.lung_shunt_fraction == pytest.approx(clean.lung_shunt_fraction)
    without = planar_shunt(anterior=view(120, 900, 8), posterior=view(100, 700, 8, background=None))
    assert without.lung_shunt_fraction > clean.lung_shunt_fraction
    assert any("no background was drawn" in text for text in without.warnings)


def test_a_pixel_of_both_is_liver():
    wide = LUNG | block((14, 4), (16, 14))
    found = planar_shunt(anterior=view(120, 900, lung=wide), posterior=view(100, 700, lung=wide))
    assert found.lung.anterior == 12000
    assert found.liver.anterior == 90000


def test_free_technetium_is_told():
    anterior = view(120, 900)
    stray = anterior.counts.copy()
    stray[35:39, 2:6] = 3000
    found = planar_shunt(anterior=View(stray, anterior.regions), posterior=view(100, 700))
    assert any("free technetium" in text for text in found.warnings)
    usual = planar_shunt(anterior=view(120, 900), posterior=view(100, 700))
    assert usual.warnings == ("a planar shunt is not corrected for attenuation and scatter: SPECT/CT is preferred",)


@pytest.mark.parametrize(
    ("anterior", "words"),
    [
        ({"lung": None}, "the lung is not drawn"),
        ({"liver": np.zeros(SHAPE, bool)}, "the liver is not drawn"),
    ],
)
def test_what_is_not_drawn_is_named(anterior, words):
    with pytest.raises(ImpossibleInput, match=words):
        planar_shunt(anterior=view(120, 900, **anterior), posterior=view(100, 700))


def test_a_view_without_counts_above_background_is_refused():
    with pytest.raises(ImpossibleInput, match="no counts in one view"):
        planar_shunt(anterior=view(0, 900), posterior=view(100, 700))
    assert View(np.zeros(SHAPE, np.float32), {"lung": LUNG, "liver": LIVER}).stray_fraction() == 0


# From files


def shunt(tmp_path):
    arguments = ["shunt", "--planar", tmp_path / "planar.dcm", "--regions", tmp_path / "organs.dcm"]
    return CliRunner().invoke(dose, [str(each) for each in arguments])


@pytest.mark.parametrize(("frames", "mirrored"), [([*IN_FRONT, *BEHIND], False), (IN_FRONT, True)])
def test_the_shunt_of_a_file_on_the_command_line(tmp_path, frames, mirrored):
    planar(tmp_path)
    drawn_on_planar(tmp_path, [*frames, (4, 1, BACKGROUND)])
    answer = json.loads(shunt(tmp_path).stdout)
    assert answer["lung_shunt_fraction"] == pytest.approx(EXPECTED)
    assert answer["lung_counts"] == {"anterior": 12000, "posterior": 10000}
    assert answer["lung_shunt_method"] == "planar"
    assert any("mirrored" in text for text in answer["warnings"]) is mirrored
    assert answer["origins"] == ["1.2.3.8.1", "1.2.3.9.1"]


@pytest.mark.parametrize(
    ("change", "frames", "words"),
    [
        ({"codes": ("255549009", "")}, IN_FRONT, "no frame is coded as the posterior view"),
        ({"codes": ("255549009", "255549009")}, IN_FRONT, "two anterior views"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]}, IN_FRONT, "reconstructed"),
        ({"PatientID": "P2"}, IN_FRONT, "not of one patient"),
        ({}, [(1, None, LUNG)], "does not name the planar frame"),
        ({}, [(1, 1, LUNG[:20])], "different sizes"),
        ({}, [(1, 1, LUNG)], "the liver is not drawn"),
        ({"SOPClassUID": image_case.CT}, IN_FRONT, "planar NM images and one segmentation"),
        ({"DetectorVector": [1, 9]}, IN_FRONT, "no frame is coded as the posterior view"),
    ],
)  # fmt: skip
def test_refused_with_what_to_do(tmp_path, change, frames, words):
    planar(tmp_path, **change)
    drawn_on_planar(tmp_path, frames)
    given = shunt(tmp_path)
    assert given.exit_code == 2
    assert words in given.stderr.splitlines()[-1]


def test_views_of_two_sizes_and_unreadable_files_are_refused(tmp_path):
    image = planar(tmp_path, views=[counts(lung=1, liver=1)], codes=("255549009",))
    other = planar(
        tmp_path, views=[np.ones((20, 30))], codes=("255551008",), name="back.dcm", SOPInstanceUID="1.2.3.8.2"
    )
    regions = drawn_on_planar(tmp_path, IN_FRONT)
    with pytest.raises(ImpossibleInput, match="two views have different sizes"):
        read_planar([image, other], regions)
    (tmp_path / "text.dcm").write_text("no image")
    with pytest.raises(ImpossibleInput, match="cannot be used"):
        read_planar([tmp_path / "text.dcm"], regions)
    missing = CliRunner().invoke(dose, ["shunt", "--planar", "nowhere.dcm", "--regions", str(regions)])
    assert "is not a file" in missing.stderr


def test_a_scan_of_something_else_is_told(tmp_path):
    image = planar(tmp_path, RadiopharmaceuticalInformationSequence=[item(Radiopharmaceutical="Tc-99m MDP")])
    found = read_planar([image], drawn_on_planar(tmp_path, [*IN_FRONT, *BEHIND]))
    assert any("not named as aggregated albumin" in text for text in found.warnings)
