"""The picture of a dose map: made for every volume, the same bytes each time, letters where people expect them."""

from dataclasses import replace

import numpy as np
import pytest
from dosimetry_phantoms import activity_of, grid, region
from matplotlib.figure import Figure

from connector.core.dosimetry.constants import constants_for
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
    assert size_of(png) == (1650, 594), why


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
