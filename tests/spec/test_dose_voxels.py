"""The voxel dose by local deposition and by kernel: closed forms, regions, scale, and what is refused."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from dosimetry_phantoms import activity_of, grid, region, uniform_activity

from connector.core.dosimetry.constants import constants_for
from connector.core.dosimetry.kernel_map import kernel_deposition
from connector.core.dosimetry.radiobiology import Tissue
from connector.core.dosimetry.shunt import PlanarCounts, lung_mass_kg, shunt_cautions, tomographic_shunt_fraction
from connector.core.dosimetry.voxel_map import RegionOptions, local_deposition
from connector.core.errors import ImpossibleInput
from connector.core.evidence import Citation

SEED = constants_for()
GY_PER_MBQ_ML = 49.67 / 1.03


def block(shape, low, high):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return mask


def local(activity, regions=(), scale=None, **more):
    scale = None if scale is None else Decimal(scale)
    return local_deposition(activity, regions, constants=SEED, scale_to_gbq=scale, **more)


def spread(activity, regions=(), **more):
    return kernel_deposition(activity, regions, constants=SEED, scale_to_gbq=None, **more)


# Local deposition


def test_dose_is_energy_over_mass():
    dose = local(uniform_activity(bq_per_ml=1e6))
    assert dose.dose_gy == pytest.approx(GY_PER_MBQ_ML, rel=2e-7)
    assert dose.scale == 1.0
    assert dose.constants["profile"] == "seed"
    assert dose.regions == ()


def test_the_map_is_at_the_administration_already_and_is_not_decayed_again():
    late = uniform_activity(bq_per_ml=1e6, decay_hours=22.0)
    assert local(late).dose_gy == pytest.approx(GY_PER_MBQ_ML, rel=2e-7)
    assert local(late).decay_hours == 22.0


def test_lung_has_its_own_density_and_liver_wins_where_both_are_drawn():
    activity = uniform_activity(bq_per_ml=1e6, shape=(4, 4, 8))
    geometry = activity.geometry
    lung = region(block(geometry.shape, (0, 0, 0), (4, 4, 5)), geometry, name="lungs", kind="lung")
    liver = region(block(geometry.shape, (0, 0, 4), (4, 4, 8)), geometry, name="liver", kind="liver", number=2)
    alone = local(activity, [lung]).regions[0]
    assert alone.mean_gy == pytest.approx(49.67 / 0.296, rel=1e-6)
    both = local(activity, [lung, liver])
    assert both.regions[1].max_gy == pytest.approx(GY_PER_MBQ_ML, rel=1e-6), "the shared voxels are liver"
    assert both.regions[0].min_gy == pytest.approx(GY_PER_MBQ_ML, rel=1e-6)
    assert both.regions[0].max_gy == pytest.approx(49.67 / 0.296, rel=1e-6)


def test_a_region_on_a_finer_grid_is_carried_over():
    activity = uniform_activity(bq_per_ml=1e6, shape=(6, 6, 6))
    fine = grid((36, 48, 48), (0.5, 0.5, 0.5), (-1.25, -1.75, -1.75))
    drawn = region(block(fine.shape, (6, 8, 8), (18, 24, 24)), fine, name="T01")
    found = local(activity, [drawn]).regions[0]
    assert found.volume_ml == pytest.approx(2 * 2 * 2 * 0.048)


def test_a_region_without_a_voxel_is_said_and_left_out():
    activity = uniform_activity(bq_per_ml=1e6)
    away = replace(activity.geometry, origin_mm=(900.0, 0.0, 0.0))
    lost = region(np.ones(away.shape, bool), away)
    report = local(activity, [lost])
    assert report.regions == ()
    assert any("region 1 has no voxel" in text for text in report.warnings)


def test_statistics_of_a_region():
    values = np.zeros((5, 5, 4))
    values.flat[:100] = np.arange(1, 101) / GY_PER_MBQ_ML * 1e6
    activity = activity_of(values)
    whole = region(np.ones(values.shape, bool), activity.geometry, kind="lesion")
    found = local(activity, [whole]).regions[0]
    assert (found.d2_gy, found.d50_gy, found.d98_gy) == pytest.approx((99, 51, 3))
    assert (found.d70_gy, found.d95_gy) == pytest.approx((31, 6))
    assert found.mean_gy == pytest.approx(50.5)
    assert found.v_fraction["50"] == pytest.approx(0.51, abs=0.011)
    assert found.bed_gy > found.mean_gy
    assert found.geud_gy < found.mean_gy


def test_options_of_a_region():
    activity = uniform_activity(bq_per_ml=1e6)
    whole = region(np.ones(activity.geometry.shape, bool), activity.geometry, name="spleen", kind="other")
    plain = local(activity, [whole]).regions[0]
    assert (plain.bed_gy, plain.geud_gy) == (None, None)
    tissue = Tissue(3.0, 1.5, 1.0, Citation("case", "as given"))
    options = RegionOptions(more_levels_of={"spleen": ("37.5",)}, tissue_of={"spleen": tissue})
    given = local(activity, [whole], options=options).regions[0]
    assert given.v_fraction["37.5"] == 1.0
    assert given.geud_gy == pytest.approx(GY_PER_MBQ_ML, rel=1e-6)
    assert given.bed_gy == pytest.approx(GY_PER_MBQ_ML * (1 + GY_PER_MBQ_ML * 1.5 / 65.6 / 3), rel=1e-6)


# Scale


def test_counts_become_dose_by_the_activity_in_the_liver():
    values = np.zeros((6, 6, 6))
    values[1:5, 1:5, 1:5], values[3, 3, 3] = 100, 900
    counts = activity_of(values, quantitative=False, nuclide="Tc-99m", decay_hours=5.0)
    liver = region(block(values.shape, (1, 1, 1), (5, 5, 5)), counts.geometry, name="liver", kind="liver")
    report = local(counts, [liver], scale="2.5")
    mass_kg = 64 * 0.048 * 1.03e-3
    assert report.regions[0].mean_gy == pytest.approx(49.67 * 2.5 / mass_kg, rel=1e-6)
    assert report.regions[0].max_gy == pytest.approx(9 * report.regions[0].min_gy, rel=1e-6)
    assert report.nuclide == "Y-90"
    assert report.warnings == ()


def test_the_perfused_liver_holds_the_scaled_activity():
    values = np.ones((6, 6, 6))
    activity = activity_of(values, quantitative=False)
    liver = region(block(values.shape, (0, 0, 0), (6, 6, 3)), activity.geometry, name="liver", kind="liver")
    lesion = region(block(values.shape, (0, 0, 2), (6, 6, 4)), activity.geometry, name="T01", number=2)
    whole_map = local(activity, [lesion], scale="1")
    assert whole_map.regions[0].mean_gy == pytest.approx(49.67 / (216 * 0.048 * 1.03e-3), rel=1e-6)
    perfused = local(activity, [liver, lesion], scale="1")
    assert perfused.regions[0].mean_gy == pytest.approx(49.67 / (144 * 0.048 * 1.03e-3), rel=1e-6)


@pytest.mark.parametrize(
    ("wanted", "warned"),
    [("0.8001", False), ("0.7999", True), ("1.2499", False), ("1.2501", True)],
)
def test_a_scale_that_is_implausible_is_told(wanted, warned):
    volume_ml = 64 * 0.048
    activity = uniform_activity(bq_per_ml=2**30 / volume_ml)
    gbq = float(activity.concentration_bq_per_ml[0, 0, 0]) * volume_ml * 1e-9
    report = local(activity, scale=f"{gbq * float(wanted):.12f}")
    assert report.scale == pytest.approx(float(wanted))
    assert any("check calibration" in text for text in report.warnings) is warned


@pytest.mark.parametrize(("given", "warned"), [("0.5", True), ("1", False), ("1.24", False), ("2", True)])
def test_an_image_that_holds_another_activity_than_was_given_is_told(given, warned):
    values = np.zeros((6, 6, 6))
    values[1:5, 1:5, 1:5] = 1e9 / (64 * 0.048)
    activity = activity_of(values, administered_activity_gbq=Decimal(given))
    report = local(activity)
    assert report.scale == 1.0, "told, and not changed"
    assert any("check calibration" in text for text in report.warnings) is warned


# Refused


@pytest.mark.parametrize(
    ("change", "scale", "words"),
    [
        ({"nuclide": "Tc-99m"}, None, "--scale-to-gbq"),
        ({"quantitative": False}, None, "BQML"),
        ({"nuclide": "Lu-177"}, None, "fit several time points"),
        ({"nuclide": "F-18"}, None, "does not tell an absorbed dose"),
        ({"nuclide": "Ho-166"}, None, "take those of the image"),
        ({}, "0", "above 0 GBq"),
        ({"geometry": grid((4, 4, 5))}, None, "read in part"),
        ({"concentration_bq_per_ml": np.full((4, 4, 4), np.nan, np.float32)}, None, "not a number"),
        ({"concentration_bq_per_ml": np.full((4, 4, 4), np.inf, np.float32)}, None, "not a number"),
        ({"concentration_bq_per_ml": np.zeros((4, 4, 4), np.float32)}, None, "no voxel holds an activity above 0"),
        ({"concentration_bq_per_ml": np.full((4, 4, 4), -1, np.float32)}, "1", "no voxel holds an activity above 0"),
    ],
)
def test_refused(change, scale, words):
    with pytest.raises(ImpossibleInput, match=words):
        local(replace(uniform_activity(bq_per_ml=1e6), **change), scale=scale)


def test_a_liver_without_activity_cannot_be_scaled():
    values = np.zeros((4, 4, 4))
    values[0] = 1e6
    activity = activity_of(values)
    liver = region(block((4, 4, 4), (2, 0, 0), (4, 4, 4)), activity.geometry, name="liver", kind="liver")
    with pytest.raises(ImpossibleInput, match="no activity to scale in the liver"):
        local(activity, [liver], scale="1")


def test_a_region_in_another_frame_of_reference_is_refused():
    activity = uniform_activity(bq_per_ml=1e6)
    other = grid(frame="1.9.9")
    with pytest.raises(ImpossibleInput, match="frame of reference"):
        local(activity, [region(np.ones(other.shape, bool), other)])


def test_holmium_has_local_deposition_and_no_kernel():
    activity = uniform_activity(bq_per_ml=1e6, nuclide="Ho-166")
    holmium = constants_for(nuclide_name="Ho-166")
    assert local_deposition(activity, [], constants=holmium, scale_to_gbq=None).dose_gy.max() == pytest.approx(
        15.08, 0.01
    )
    with pytest.raises(ImpossibleInput, match="Y-90 only"):
        kernel_deposition(activity, [], constants=holmium, scale_to_gbq=None)


# Kernel


# Kernel map


def test_inside_an_even_region_the_kernel_changes_nothing():
    activity = uniform_activity(bq_per_ml=1e6, shape=(24, 20, 20))
    inner = region(block(activity.geometry.shape, (10, 8, 8), (14, 12, 12)), activity.geometry)
    report = spread(activity, [inner])
    assert report.regions[0].min_gy == pytest.approx(GY_PER_MBQ_ML, rel=1e-6)
    assert report.regions[0].max_gy == pytest.approx(GY_PER_MBQ_ML, rel=1e-6)
    assert report.method == "kernel_convolution"
    assert "Graves" in report.constants["kernel"]


def test_half_of_the_dose_at_a_plane_edge():
    values = np.zeros((30, 24, 24))
    values[15:] = 1e6
    report = spread(activity_of(values))
    middle = report.dose_gy[:, 12, 12]
    assert middle[14] + middle[15] == pytest.approx(GY_PER_MBQ_ML, rel=1e-5), "what one side loses the other gains"
    assert 0 < middle[13] < middle[14] < middle[15] < middle[16]


def test_the_energy_stays_the_same_as_locally():
    values = np.zeros((30, 30, 30))
    values[10:20, 10:20, 10:20] = np.random.default_rng(2).random((10, 10, 10)) * 1e6
    activity = activity_of(values)
    everything = local(activity).dose_gy.sum(dtype=np.float64)
    assert spread(activity).dose_gy.sum(dtype=np.float64) == pytest.approx(everything, rel=1e-6)


def test_beyond_one_range_of_the_regions_the_dose_stays_local_and_says_so():
    activity = uniform_activity(bq_per_ml=1e6, shape=(40, 40, 40))
    activity.concentration_bq_per_ml[0, 0, 0] = 9e6
    inner = region(block(activity.geometry.shape, (20, 20, 20), (22, 22, 22)), activity.geometry)
    report = spread(activity, [inner])
    assert report.dose_gy[0, 0, 0] == pytest.approx(9 * GY_PER_MBQ_ML, rel=1e-6)
    assert any("beyond 10.7 mm around the regions" in text for text in report.warnings)
    assert not any("beyond" in text for text in spread(activity).warnings)


def test_lung_keeps_local_deposition_and_what_crosses_over_is_told():
    activity = uniform_activity(bq_per_ml=1e6, shape=(30, 30, 30))
    geometry = activity.geometry
    lung = region(block(geometry.shape, (15, 0, 0), (30, 30, 30)), geometry, name="lungs", kind="lung")
    liver = region(block(geometry.shape, (0, 0, 0), (15, 30, 30)), geometry, name="liver", kind="liver", number=2)
    report = spread(activity, [lung, liver])
    assert report.regions[0].min_gy == pytest.approx(49.67 / 0.296, rel=1e-6)
    assert report.regions[0].max_gy == pytest.approx(49.67 / 0.296, rel=1e-6)
    assert report.regions[1].mean_gy < GY_PER_MBQ_ML, "the lung's activity gives the liver nothing"
    assert any("crosses into lung" in text for text in report.warnings)


def test_an_empty_region_does_not_stop_the_kernel():
    activity = uniform_activity(bq_per_ml=1e6, shape=(12, 12, 12))
    empty = region(np.zeros(activity.geometry.shape, bool), activity.geometry)
    assert spread(activity, [empty]).regions == ()


# Shunt


def test_a_shunt_needs_both_organs_and_counts():
    counts = np.ones((3, 3, 3), np.float32)
    full, empty = np.ones(counts.shape, bool), np.zeros(counts.shape, bool)
    with pytest.raises(ImpossibleInput, match="hold no voxel"):
        tomographic_shunt_fraction(counts, lung=empty, liver=full)
    with pytest.raises(ImpossibleInput, match="no counts in the liver"):
        tomographic_shunt_fraction(0 * counts, lung=full, liver=full)
    with pytest.raises(ImpossibleInput, match="no counts in one view"):
        _ = PlanarCounts(Decimal(0), Decimal(5)).geometric_mean
    with pytest.raises(ImpossibleInput, match="no voxel on the CT"):
        lung_mass_kg(np.empty(0, np.float32), voxel_volume_ml=1.0)


@pytest.mark.parametrize(
    ("in_view", "outside", "count"), [(0.85, 0.20, 0), (0.849, 0.20, 1), (0.85, 0.201, 1), (None, None, 0)]
)
def test_a_doubtful_shunt_is_told(in_view, outside, count):
    assert len(list(shunt_cautions(lung_in_view_fraction=in_view, extrahepatic_fraction=outside))) == count
