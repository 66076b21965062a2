"""A crop of a region on a grid is what resampling the whole grid would give, and nothing more."""

from dataclasses import replace

import numpy as np
import pytest

from connector.core.case import VolumeGeometry
from connector.core.errors import ImpossibleInput
from connector.core.geometry.crops import crop_of, crop_on_grid
from connector.core.geometry.grids import bounding_box, subgrid
from connector.core.geometry.resampling import resample_nearest

GRID = VolumeGeometry(
    (8, 20, 22), (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (2.0, 1.0, 1.0), "1"
)
TURNED = replace(
    GRID, shape=(9, 14, 14), row_step_direction=(0.6, 0.8, 0.0), column_step_direction=(0.8, -0.6, 0.0),
    origin_mm=(3.0, 4.0, 1.0), spacing_mm=(1.5, 1.3, 1.7),
)  # fmt: skip


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (GRID, "the grid itself"),
        (subgrid(GRID, start=(2, 3, 4), shape=(3, 5, 6)), "a part of it"),
        (subgrid(GRID, start=(-2, -3, 18), shape=(6, 9, 9)), "over an edge"),
        (subgrid(GRID, start=(-6, 0, 0), shape=(6, 5, 5)), "beside it"),
        (replace(GRID, spacing_mm=(1.0, 2.0, 3.0), shape=(9, 9, 9)), "other voxels"),
        (replace(GRID, spacing_mm=(1.0, 2.0, 3.0), shape=(9, 9, 9), origin_mm=(15.0, -9.0, 3.0)), "partly outside"),
        (replace(GRID, spacing_mm=(1.0, 2.0, 3.0), shape=(9, 9, 9), origin_mm=(500.0, 0.0, 0.0)), "far away"),
        (TURNED, "turned in the plane"),
    ],
)
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5])
def test_a_crop_is_the_resampled_mask(source, why, share):
    mask = np.random.default_rng(7).random(source.shape) < share
    expected = resample_nearest(mask, source, GRID)
    crop, outside_fraction = crop_on_grid(mask, source, GRID)
    assert outside_fraction == pytest.approx(expected.outside_fraction, abs=1e-12), why
    if not expected.mask.any():
        assert crop is None, why
        return
    assert crop.box == bounding_box(expected.mask), why
    assert np.array_equal(crop.mask, expected.mask[crop.box]), why
    assert crop.count == np.count_nonzero(expected.mask)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_another_frame_of_reference_is_refused(share):
    source = replace(GRID, frame_of_reference_uid="2")
    mask = np.full(source.shape, bool(share))
    with pytest.raises(ImpossibleInput, match="frame of reference"):
        crop_on_grid(mask, source, GRID)


def test_an_empty_mask_has_no_crop():
    assert crop_of(np.zeros((2, 2, 2), dtype=bool)) is None
