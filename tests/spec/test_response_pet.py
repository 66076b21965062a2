"""SUVmax, functional volume and total lesion glycolysis, and how they changed."""

import numpy as np
import pytest

from connector.core.errors import ImpossibleInput
from connector.core.response.pet_metrics import PetMetrics, pet_change, pet_metrics

SUV = np.array([[1.0, 2.5, 4.0], [8.0, 20.0, 0.5]], dtype=np.float32)
TUMOUR = np.array([[True, True, True], [True, False, True]])


@pytest.mark.parametrize(
    ("threshold", "expected", "why"),
    [
        (4.0, (8.0, 6.0, 1.0, 6.0), "4 and 8 count: the threshold itself does"),
        (4.001, (8.0, 8.0, 0.5, 4.0), "just past it"),
        (0.1, (8.0, 3.2, 2.5, 8.0), "the whole mask, and not the 20 outside of it"),
        (9.0, (8.0, 0.0, 0.0, 0.0), "nothing reaches it"),
    ],
)
def test_metrics(threshold, expected, why):
    found = pet_metrics(SUV, TUMOUR, voxel_volume_ml=0.5, threshold_suv=threshold)
    answer = found.suv_max, found.suv_mean, found.functional_volume_ml, found.tlg_ml
    assert answer == pytest.approx(expected), why
    assert found.tlg_ml == pytest.approx(found.suv_mean * found.functional_volume_ml), "by definition"


@pytest.mark.parametrize(
    ("suv", "mask", "voxel_ml", "threshold", "why"),
    [
        (SUV, np.zeros_like(TUMOUR), 0.5, 4.0, "no voxel"),
        (np.full_like(SUV, np.nan), TUMOUR, 0.5, 4.0, "not a number"),
        (SUV, TUMOUR, 0.0, 4.0, "a voxel without volume"),
        (SUV, TUMOUR, 0.5, 0.0, "no threshold"),
        (SUV, TUMOUR, 0.5, float("nan"), "no threshold"),
    ],
)
def test_refused(suv, mask, voxel_ml, threshold, why):
    with pytest.raises(ImpossibleInput):
        pytest.fail(f"{why}: {pet_metrics(suv, mask, voxel_volume_ml=voxel_ml, threshold_suv=threshold)}")


def metrics(suv_max, volume, tlg, threshold=4.0):
    return PetMetrics(suv_max, 1.0, volume, tlg, threshold)


@pytest.mark.parametrize(
    ("before", "after", "expected", "flagged", "why"),
    [
        (metrics(10.0, 20.0, 100.0), metrics(5.0, 25.0, 100.0), ("-50.0", "25.0", "0.0"), False, "down, up, the same"),
        (metrics(10.0, 0.0, 0.0), metrics(5.0, 1.0, 5.0), ("-50.0", None, None), False, "from nothing: no percentage"),
        (metrics(10.0, 20.0, 100.0), metrics(0.0, 0.0, 0.0), ("-100.0", "-100.0", "-100.0"), False, "all gone"),
        (metrics(10.0, 20.0, 100.0), metrics(5.0, 10.0, 50.0, 3.0), ("-50.0",) * 3, True, "cut at another SUV"),
    ],
)
def test_change(before, after, expected, flagged, why):
    change = pet_change(before, after)
    assert (change.suv_max_percent, change.functional_volume_percent, change.tlg_percent) == expected, why
    assert bool(change.flags) is flagged, why
