"""BED, EUBED, gEUD and dose-volume statistics against closed forms."""

import numpy as np
import pytest

from connector.core.dosimetry.dvh import DoseVolume, dose_volumes, joined_box
from connector.core.dosimetry.radiobiology import (
    KIDNEY,
    LIVER,
    TUMOUR,
    UNKNOWN_TISSUE,
    bed_gy,
    beds_gy,
    eqd2_gy,
    eubed_gy,
    geud_gy,
    tissue_of_kind,
)
from connector.core.geometry.crops import crop_of


def doses(*values):
    return np.array(values, np.float32)


def test_bed_of_an_even_dose_is_the_bed_of_its_mean():
    one = bed_gy(40, alpha_beta_gy=2.5, repair_half_time_h=2.5, effective_half_life_h=64.1)
    assert beds_gy(doses(40, 40, 40), tissue=LIVER, effective_half_life_h=64.1).mean() == pytest.approx(one)
    uneven = beds_gy(doses(0, 80), tissue=LIVER, effective_half_life_h=64.1).mean()
    assert uneven > one, "the square of the dose counts, so cold and hot do not cancel"


def test_no_bed_for_a_tissue_without_parameters():
    assert beds_gy(doses(40), tissue=UNKNOWN_TISSUE, effective_half_life_h=64.1) is None
    assert tissue_of_kind("liver") is LIVER
    assert tissue_of_kind("lesion") is TUMOUR
    assert tissue_of_kind("lung") is UNKNOWN_TISSUE
    assert KIDNEY.alpha_beta_gy == 2.6


def test_eqd2_of_two_gray_fractions_is_the_dose():
    assert eqd2_gy(60 * (1 + 2 / 10), alpha_beta_gy=10) == pytest.approx(60)


@pytest.mark.parametrize(
    ("beds", "expected", "why"),
    [
        ([30.0, 30.0], 30, "an even BED is its own equivalent"),
        ([0.0, 3000.0], np.log(2) / 0.3, "half of the cells live: the hot half counts for nothing"),
        ([0.0], 0, "nothing is killed"),
    ],
)
def test_eubed(beds, expected, why):
    assert eubed_gy(np.array(beds), alpha_per_gy=0.3) == pytest.approx(expected), why


@pytest.mark.parametrize(
    ("values", "exponent", "expected", "why"),
    [
        ((10, 30), 1, 20, "a = 1 is the mean"),
        ((0, 30), -10, 0, "a cold voxel lets the tumour live"),
        ((0, 0), 8, 0, "no dose at all"),
        ((0, 30), 2, 30 / 2**0.5, "a cold voxel is no hole for an organ"),
        ((50, 500), -400, 50 * 2 ** (1 / 400), "large exponents stay finite"),
        ((50, 500), 400, 500 * 0.5 ** (1 / 400), "in both directions"),
    ],
)
def test_geud(values, exponent, expected, why):
    assert geud_gy(doses(*values), exponent=exponent) == pytest.approx(expected, rel=1e-6), why


def test_geud_of_exponent_zero_is_refused():
    with pytest.raises(ValueError, match="a = 0"):
        geud_gy(doses(1), exponent=0)


@pytest.mark.parametrize(
    ("percent", "count", "rank"),
    [(95, 1, 1), (2, 49, 1), (2, 50, 1), (2, 51, 2), (70, 10, 7), (98, 100, 98), (100, 7, 7)],
)
def test_rank_of_the_hottest(percent, count, rank):
    volume = DoseVolume(np.arange(1, count + 1, dtype=np.float32))
    assert volume.dose_to_hottest_gy(percent) == count - rank + 1


@pytest.mark.parametrize("percent", [0, 101])
def test_percentages_beyond_the_volume_are_refused(percent):
    with pytest.raises(ValueError, match="from 1 to 100"):
        DoseVolume(doses(1)).dose_to_hottest_gy(percent)


@pytest.mark.parametrize(("level", "share"), [("0", 1), ("20.1", 0.5), ("20.2", 0), ("20.0999", 0.5)])
def test_a_voxel_that_holds_exactly_the_level_counts(level, share):
    assert DoseVolume(doses(10, 20.1)).volume_fraction_at(float(level)) == share


def test_two_levels_and_their_extremes():
    volume = DoseVolume(doses(0, 0, 0, 100))
    assert (volume.min_gy, volume.max_gy, volume.mean_gy) == (0, 100, 25)
    assert volume.dose_to_hottest_gy(25) == 100
    assert volume.dose_to_hottest_gy(26) == 0


def test_overlapping_regions_are_as_each_alone():
    random = np.random.default_rng(5)
    dose = random.random((9, 11, 13), np.float32)
    masks = [random.random(dose.shape) < share for share in (0.3, 0.3, 0.002)]
    for mask, volume in zip(masks, dose_volumes(dose, [crop_of(mask) for mask in masks]), strict=True):
        assert np.array_equal(volume.sorted_gy, np.sort(dose[mask]))


def test_empty_regions_have_no_volume():
    dose, empty = np.ones((3, 3, 3), np.float32), np.zeros((3, 3, 3), bool)
    assert dose_volumes(dose, [crop_of(empty)]) == [None]
    first, second = dose_volumes(dose, [crop_of(empty), crop_of(~empty)])
    assert first is None
    assert second.count == 27
    assert dose_volumes(dose, []) == []


def test_a_box_around_boxes():
    first, second = (slice(1, 3), slice(0, 2), slice(4, 5)), (slice(2, 6), slice(1, 2), slice(0, 9))
    assert joined_box([first, second]) == (slice(1, 6), slice(0, 2), slice(0, 9))
