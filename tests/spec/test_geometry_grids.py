"""Planes make a grid only when nothing is missing, tilted or doubled; places and indices go back and forth exactly."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.case import VolumeGeometry
from connector.core.errors import ImpossibleInput
from connector.core.geometry.grids import (
    bounding_box,
    indices_at,
    lattice_offset,
    places_mm,
    plane_normal,
    stack,
    subgrid,
)

AXIAL = {"row_cosines": (1.0, 0.0, 0.0), "column_cosines": (0.0, 1.0, 0.0)}


def grid(**changes):
    given = {
        "shape": (4, 5, 6), "origin_mm": (-10.0, 20.0, 5.0), "plane_direction": (0.0, 0.0, 1.0),
        "row_step_direction": (0.0, 1.0, 0.0), "column_step_direction": (1.0, 0.0, 0.0), "spacing_mm": (3.0, 0.7, 0.8),
        "frame_of_reference_uid": "1.2.3",
    }  # fmt: skip
    return VolumeGeometry(**{**given, **changes})


@pytest.mark.parametrize(
    ("heights", "order", "spacing", "why"),
    [
        ([0, 3, 6], (0, 1, 2), 3.0, "planes in order"),
        ([6, 0, 3], (1, 2, 0), 3.0, "sorted along the normal, not by number"),
        ([0, 3.01, 6], (0, 1, 2), 3.0, "rounding of written positions is forgiven"),
        ([0, 1.04, 2.0], (0, 1, 2), 1.0, "less than 5 % of a step is rounding"),
        ([7], (0,), None, "one plane has no step"),
    ],
)
def test_stacks(heights, order, spacing, why):
    found = stack([(1.0, 2.0, float(each)) for each in heights], **AXIAL)
    assert found.order == order, why
    assert found.spacing_mm == (None if spacing is None else pytest.approx(spacing)), why
    assert found.normal == (0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("places", "told"),
    [
        pytest.param([(0, 0, 0), (0, 0, 3), (0, 0, 9)], "widest after plane 2 of 3", id="a plane is missing"),
        pytest.param([(0, 0, 0), (0, 0, 0), (0, 0, 3)], "same plane", id="two phases in one series"),
        pytest.param([(0, 0, 0), (0, 1, 3), (0, 2, 6)], "slide sideways", id="tilted gantry"),
        pytest.param([(0, 0, 0), (0, 0, 1.06), (0, 0, 2.0)], "not evenly spaced", id="just past 5 % of a step"),
    ],
)
def test_stacks_refused(places, told):
    with pytest.raises(ImpossibleInput, match=told):
        stack(places, **AXIAL)


@pytest.mark.parametrize(
    ("row", "column"),
    [
        pytest.param((1.0, 0.0, 0.0), (1.0, 0.0, 0.0), id="parallel directions span no plane"),
        pytest.param((2.0, 0.0, 0.0), (0.0, 1.0, 0.0), id="not a unit vector"),
        pytest.param((1.0, 0.0, 0.0), (0.1, 0.995, 0.0), id="not perpendicular"),
    ],
)
def test_directions_refused(row, column):
    with pytest.raises(ImpossibleInput, match="perpendicular unit vectors"):
        plane_normal(row_cosines=row, column_cosines=column)


def test_the_normal_follows_the_right_hand():
    assert plane_normal(row_cosines=(0.0, 1.0, 0.0), column_cosines=(0.0, 0.0, -1.0)) == (-1.0, 0.0, 0.0)


@given(
    turn=st.floats(0, 2 * math.pi),
    index=st.tuples(st.integers(-50, 50), st.integers(-50, 50), st.integers(-50, 50)),
)
def test_there_and_back_again(turn, index):
    slanted = grid(
        column_step_direction=(math.cos(turn), 0.0, -math.sin(turn)),
        plane_direction=(math.sin(turn), 0.0, math.cos(turn)),
    )
    assert indices_at(slanted, places_mm(slanted, np.array([index])))[0] == pytest.approx(index, abs=1e-9)


def test_a_voxel_lies_where_dicom_says():
    assert places_mm(grid(), np.array([(2, 3, 4)]))[0] == pytest.approx((-10 + 4 * 0.8, 20 + 3 * 0.7, 5 + 2 * 3))


def test_a_part_of_a_grid_keeps_its_place():
    part = subgrid(grid(), start=(1, 2, 3), shape=(2, 2, 2))
    assert part.shape == (2, 2, 2)
    assert part.origin_mm == pytest.approx((-10 + 3 * 0.8, 20 + 2 * 0.7, 8))


@pytest.mark.parametrize(
    ("other", "expected", "why"),
    [
        (grid(), (0, 0, 0), "itself"),
        (subgrid(grid(), start=(1, 2, 3), shape=(1, 1, 1)), (1, 2, 3), "a crop"),
        (subgrid(grid(), start=(-1, 0, 7), shape=(9, 1, 1)), (-1, 0, 7), "a part that reaches beyond"),
        (grid(origin_mm=(-9.7, 20.0, 5.0)), None, "a fraction of a voxel aside"),
        (grid(spacing_mm=(3.0, 0.7, 0.9)), None, "another spacing"),
        (grid(frame_of_reference_uid="1.2.4"), None, "another space"),
    ],
)
def test_grids_on_one_lattice(other, expected, why):
    assert lattice_offset(grid(), other) == expected, why


def test_bounding_boxes():
    mask = np.zeros((4, 5, 6), dtype=bool)
    assert bounding_box(mask) is None
    mask[1, 2, 3] = mask[2, 4, 1] = True
    assert bounding_box(mask) == (slice(1, 3), slice(2, 5), slice(1, 4))
