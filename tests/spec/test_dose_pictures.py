"""The picture of a dose map: made for every volume, the same bytes each time, letters where people expect them."""

from dataclasses import replace

import numpy as np
import pytest
from dosimetry_phantoms import activity_of, grid, region
from matplotlib.figure import Figure

from connector.core.case import AnatomyImage
from connector.core.dosimetry.constants import constants_for
from connector.core.dosimetry.kernel_map import KERNEL_CONVOLUTION
from connector.core.dosimetry.voxel_map import local_deposition
from connector.core.geometry.crops import crop_of
from connector.report import dose_pictures


def scene(shape=(12, 14, 16), geometry=None, masks=((2, 9, 3, 10, 3, 11),)):
    values = np.zeros(shape)
    values[3:8, 4:9, 4:9] = 2e6
    activity = activity_of(values, geometry=geometry or grid(shape))
    regions = []
    for number, (a, b, c, d, e, f) in enumerate(masks, 1):
        mask = np.zeros(shape, bool)
        mask[a:b, c:d, e:f] = True
        regions.append(region(mask, activity.geometry, name=f"T{number:02}", number=number))
    report = local_deposition(activity, regions, constants=constants_for(), scale_to_gbq=None)
    return report, activity, regions


def size_of(png):
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


@pytest.mark.parametrize(
    ("masks", "why"),
    [
        (((2, 9, 3, 10, 3, 11),), "one region"),
        (((2, 9, 3, 10, 3, 11), (4, 5, 5, 6, 5, 6)), "one in the other"),
        ((), "no region: the whole volume is shown"),
        (((0, 0, 0, 0, 0, 0),), "an empty region"),
    ],
)
def test_a_picture_is_made(masks, why):
    png = dose_pictures.dose_picture(*scene(masks=masks))
    assert size_of(png) == (1650, 726), why
    bare = dose_pictures.dose_picture(*scene(masks=masks), arithmetic=False)
    assert size_of(bare) == (1664, 560), "without the sums it is smaller and denser: a page prints it at two thirds"


def test_over_a_ct_of_the_same_frame_of_reference():
    report, activity, regions = scene()
    place = report.geometry
    values = np.full((40, 60, 60), 50, np.float32)
    near = replace(place, shape=values.shape, spacing_mm=(1.0, 1.0, 1.0))
    over = dose_pictures.dose_picture(report, activity, regions, AnatomyImage(values, near, "1.9"))
    away = AnatomyImage(values, replace(near, frame_of_reference_uid="1.9.9"), "1.9")
    assert over != dose_pictures.dose_picture(report, activity, regions)
    assert dose_pictures.dose_picture(report, activity, regions, away) == dose_pictures.dose_picture(
        report, activity, regions
    ), "another frame of reference is not laid under the dose"


def test_the_ct_is_looked_up_at_the_places_of_the_cut():
    """A CT whose values are the x of its voxels: the cut shows x, whatever the two grids' steps."""
    report, activity, _ = scene()
    place = report.geometry
    x = np.arange(-20, 120, dtype=np.float32)
    near = replace(place, shape=(60, 90, len(x)), spacing_mm=(1.0, 1.0, 1.0), origin_mm=(-20.0, -20.0, -10.0))
    anatomy = AnatomyImage(np.broadcast_to(x, near.shape).copy(), near, "1.9")
    window = tuple(slice(0, size) for size in place.shape)
    cut = dose_pictures._ct_in_cut(
        anatomy, 0, dose_pictures.Scene(report, activity, anatomy, [], (5, 6, 6), window, [])
    )
    width = place.shape[2] * place.spacing_mm[2]
    assert cut[0, 0] == pytest.approx(-place.spacing_mm[2] / 2 + width / cut.shape[1] / 2, abs=1e-3)
    assert cut[0, -1] - cut[0, 0] == pytest.approx(width * (1 - 1 / cut.shape[1]), rel=1e-4)


def test_the_arithmetic_is_energy_over_mass():
    """392 voxels of 0.048 mL, 125 of them with 2 MBq/mL: 0.012 GBq in 19.38 g."""
    report, _, regions = scene()
    first, line = dose_pictures._arithmetic(report, regions)[:2]
    assert "k = 49.67 J/GBq (seed)" in first
    assert line.startswith("T01: 0.012 GBq x 49.67 J/GBq / 0.01938 kg = 30.8 Gy")


def test_the_arithmetic_of_lung_and_of_a_kernel():
    """Lung weighs 0.296 kg/L; energy comes into a region by the kernel too, so that none of its activity is told."""
    report, _, regions = scene()
    (line,) = dose_pictures._arithmetic(report, [replace(regions[0], kind="lung")])[1:]
    assert line.startswith("T01: 0.003449 GBq x 49.67 J/GBq / 0.00557 kg = 30.8 Gy")
    first, line = dose_pictures._arithmetic(replace(report, method=KERNEL_CONVOLUTION), regions)
    assert "spread by the point kernel" in first
    assert line.startswith("T01: 0.596 J / 0.01938 kg = 30.8 Gy")


def test_a_liver_is_not_weighed_as_lung_because_another_file_numbers_the_lungs_alike():
    """Lungs and liver in a file of their own are both number 1."""
    report, _, regions = scene()
    lungs = replace(regions[0], name="lungs", kind="lung", origin="1.2.99")
    line = dose_pictures._arithmetic(report, [*regions, lungs])[1]
    assert line.startswith("T01: 0.012 GBq x 49.67 J/GBq / 0.01938 kg = 30.8 Gy")


def test_a_cut_without_activity_is_drawn():
    report, activity, regions = scene()
    below = replace(activity, concentration_bq_per_ml=np.full_like(activity.concentration_bq_per_ml, -5))
    assert dose_pictures.dose_picture(report, below, regions)


def test_the_same_picture_has_the_same_bytes():
    assert dose_pictures.dose_picture(*scene()) == dose_pictures.dose_picture(*scene())


def test_a_map_without_dose_has_no_isodoses():
    report, activity, regions = scene()
    cold = replace(report, dose_gy=np.zeros_like(report.dose_gy))
    assert dose_pictures.dose_picture(cold, activity, regions)


def test_a_single_plane_has_no_lines_and_is_drawn():
    values = np.full((1, 9, 9), 2e6)
    activity = activity_of(values)
    whole = region(np.ones(values.shape, bool), activity.geometry)
    report = local_deposition(activity, [whole], constants=constants_for(), scale_to_gbq=None)
    assert dose_pictures.dose_picture(report, activity, [whole])


@pytest.mark.parametrize(
    ("plane_direction", "head_up", "ends"),
    [((0.0, 0.0, 1.0), True, ("I", "S")), ((0.0, 0.0, -1.0), False, ("S", "I"))],
)
def test_the_head_is_up_whatever_the_order_of_the_planes(plane_direction, head_up, ends):
    geometry = replace(grid((12, 14, 16)), plane_direction=plane_direction)
    report, activity, regions = scene(geometry=geometry)
    assert dose_pictures.dose_picture(report, activity, regions)
    axes = Figure().subplots()
    axes.imshow(np.zeros((12, 16)))
    if dose_pictures._is_head_up(geometry, 0):
        axes.invert_yaxis()
    dose_pictures._letters(axes, geometry, 0, 2)
    letters = [text.get_text() for text in axes.texts]
    assert dose_pictures._is_head_up(geometry, 0) is head_up
    assert dose_pictures._ends_of(geometry, 0) == ends
    assert letters == ["R", "L", "S", "I"]


def test_the_cut_goes_through_the_middle_of_the_hottest():
    report, _, regions = scene()
    assert dose_pictures._hottest(report.dose_gy, crop_of(regions[0].mask)) == (5, 6, 6)
    assert dose_pictures._position(report.geometry, 0, (5, 6, 6)) == "z = 15.0 mm"
