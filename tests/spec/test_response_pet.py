"""SUVmax, SUVpeak, functional volume and total lesion glycolysis, and how they changed."""

from dataclasses import astuple

import numpy as np
import pytest

from connector.core.case import Uptake
from connector.core.errors import ImpossibleInput
from connector.core.response.pet_metrics import pet_change, pet_metrics

SUV = np.array([[[1.0, 2.5, 4.0], [8.0, 20.0, 0.5]]], dtype=np.float32)
TUMOUR = np.array([[[True, True, True], [True, False, True]]])
WIDE = (10.0, 50.0, 1.0)  # 0.5 mL a voxel; a sphere of 1 cm3 reaches along the row only
FAR = (50.0, 50.0, 50.0)  # a sphere of 1 cm3 holds one voxel


@pytest.mark.parametrize(
    ("threshold", "expected", "why"),
    [
        (4.0, (8.0, 6.0, 1.0, 6.0, "SUV 4"), "4 and 8 count: the threshold itself does"),
        (4.001, (8.0, 8.0, 0.5, 4.0, "SUV 4.001"), "just past it"),
        (0.1, (8.0, 3.2, 2.5, 8.0, "SUV 0.1"), "the whole mask, and not the 20 outside of it"),
        (9.0, (8.0, 0.0, 0.0, 0.0, "SUV 9"), "nothing reaches it"),
        (None, (8.0, 6.0, 1.0, 6.0, "41 % of SUVmax"), "41 % of 8 is 3.28"),
    ],
)
def test_metrics(threshold, expected, why):
    found = pet_metrics(SUV, TUMOUR, spacing_mm=WIDE, threshold_suv=threshold)
    answer = found.suv_max, found.suv_mean, found.functional_volume_ml, found.tlg_g
    assert answer == pytest.approx(expected[:4]), why
    assert found.functional_by == expected[4]
    assert found.tlg_g == pytest.approx(found.suv_mean * found.functional_volume_ml), "by definition"


@pytest.mark.parametrize(
    ("spacing", "expected", "why"),
    [
        (FAR, 8.0, "one voxel is the sphere: the peak is the maximum inside the tumour"),
        (WIDE, (8.0 + 20.0 + 0.5) / 3, "the row around 8 or 0.5, the image's edge left out, voxels outside counted"),
    ],
)
def test_the_peak_is_the_highest_mean_in_a_sphere_of_one_cubic_centimetre(spacing, expected, why):
    assert pet_metrics(SUV, TUMOUR, spacing_mm=spacing).suv_peak == pytest.approx(expected), why


def test_the_sphere_of_the_peak_holds_one_cubic_centimetre():
    """In a field that rises with the square of the distance, the mean over a ball of radius r is 3/5 r2."""
    places = np.indices((81, 81, 81)) - 40
    field = (np.sum(places**2, axis=0) * 0.25**2).astype(np.float32)
    centre = np.zeros(field.shape, dtype=bool)
    centre[40, 40, 40] = True
    peak = pet_metrics(field, centre, spacing_mm=(0.25, 0.25, 0.25)).suv_peak
    assert peak == pytest.approx(0.6 * 6.2035**2, rel=0.01)


@pytest.mark.parametrize(
    ("suv", "mask", "spacing", "threshold", "why"),
    [
        (SUV, np.zeros_like(TUMOUR), WIDE, 4.0, "no voxel"),
        (np.full_like(SUV, np.nan), TUMOUR, WIDE, 4.0, "not a number"),
        (SUV, TUMOUR, (0.0, 1.0, 1.0), 4.0, "a voxel without volume"),
        (SUV, TUMOUR, WIDE, 0.0, "no threshold"),
        (SUV, TUMOUR, WIDE, float("nan"), "no threshold"),
    ],
)
def test_refused(suv, mask, spacing, threshold, why):
    with pytest.raises(ImpossibleInput):
        pytest.fail(f"{why}: {pet_metrics(suv, mask, spacing_mm=spacing, threshold_suv=threshold)}")


def test_a_tumour_without_uptake_has_no_functional_volume():
    found = pet_metrics(np.zeros_like(SUV), TUMOUR, spacing_mm=WIDE)
    assert astuple(found)[:5] == (0.0, 0.0, 0.0, 0.0, 0.0)


def uptake(suv_max, volume, tlg, by="41 % of SUVmax"):
    return Uptake(suv_max, suv_max, 1.0, volume, tlg, by)


@pytest.mark.parametrize(
    ("before", "after", "expected", "flagged", "why"),
    [
        (uptake(10.0, 20.0, 100.0), uptake(5.0, 25.0, 100.0), ("-50.0", "25.0", "0.0"), False, "down, up, the same"),
        (uptake(10.0, 0.0, 0.0), uptake(5.0, 1.0, 5.0), ("-50.0", None, None), False, "from nothing: no percentage"),
        (uptake(10.0, 20.0, 100.0), uptake(0.0, 0.0, 0.0), ("-100.0", "-100.0", "-100.0"), False, "all gone"),
        (uptake(10.0, 20.0, 100.0), uptake(5.0, 10.0, 50.0, "SUV 4"), ("-50.0",) * 3, True, "cut in another way"),
        (uptake(10.0, None, None), uptake(5.0, 1.0, 5.0), ("-50.0", None, None), False, "a report told SUVmax only"),
    ],
)
def test_change(before, after, expected, flagged, why):
    change = pet_change(before, after)
    assert (change.suv_max_percent, change.functional_volume_percent, change.tlg_percent) == expected, why
    assert change.suv_peak_percent == change.suv_max_percent
    assert bool(change.flags) is flagged, why
