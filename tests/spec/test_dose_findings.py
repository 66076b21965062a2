"""How sure a region's dose is, the normal liver, and the map against the guideline's rows."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from dosimetry_phantoms import activity_of, region

from connector.core.assessment import RegionDose
from connector.core.dosimetry.constants import constants_for
from connector.core.dosimetry.map_findings import Situation, dose_findings, situation_of
from connector.core.dosimetry.map_report import RegionOptions
from connector.core.dosimetry.map_uncertainty import region_interval
from connector.core.dosimetry.radiobiology import LIVER, Tissue
from connector.core.dosimetry.voxel_map import local_deposition
from connector.core.errors import BadCase
from connector.core.evidence import Citation, Observed
from connector.core.geometry.crops import crop_of

SHAPE = (12, 12, 12)
BY_ALL = float(np.sqrt(0.05**2 + 0.0034**2 + (0.03 / 1.03) ** 2 / 3))
"""Calibration, constants and density: what every dose has."""


def cube(low, high):
    mask = np.zeros(SHAPE, bool)
    mask[low:high, low:high, low:high] = True
    return mask


def half_width(ends):
    return (ends[1] - ends[0]) / 2


# Intervals


def test_an_even_dose_has_no_uncertainty_by_its_edge():
    found = region_interval(np.full(SHAPE, 100, np.float32), crop_of(cube(4, 8)))
    assert half_width(found.mean_gy) == pytest.approx(2 * 100 * BY_ALL)


def test_a_steep_edge_adds_its_slope_times_the_uncertainty_of_an_outline():
    """Past one face the dose falls from 100 to 40 Gy: of the two neighbours only the larger one reaches there."""
    dose = np.full(SHAPE, 100, np.float32)
    dose[:, :, 8:] = 40
    crop = crop_of(cube(4, 8))
    found = region_interval(dose, crop, calibration_fraction=0)
    larger = 64 + 6 * 16
    mean_of_larger = (100 * (larger - 16) + 40 * 16) / larger
    by_edge = (100 - mean_of_larger) / (4 * 6**0.5)
    others = 100 * np.sqrt(BY_ALL**2 - 0.05**2)
    assert half_width(found.mean_gy) == pytest.approx(2 * np.hypot(by_edge, others))


def test_the_volume_of_a_cube_by_its_neighbouring_layers():
    found = region_interval(np.ones(SHAPE, np.float32), crop_of(cube(4, 8)))
    smaller, larger = 2**3, 64 + 6 * 16
    assert half_width(found.voxels) == pytest.approx(2 * (larger - smaller) / (4 * 6**0.5))
    assert sum(found.voxels) / 2 == pytest.approx(64)


def test_a_single_voxel_and_a_region_at_the_end_of_the_volume_have_an_interval():
    one = region_interval(np.ones(SHAPE, np.float32), crop_of(cube(4, 5)))
    assert one.voxels[0] == 0, "a volume is not below 0"
    whole = region_interval(np.full(SHAPE, 50, np.float32), crop_of(np.ones(SHAPE, bool)))
    assert half_width(whole.voxels) == 0, "what fills the volume has no edge in it"


@pytest.mark.parametrize("fraction", [-0.1, 1, 5])
def test_a_calibration_that_is_no_fraction_is_refused(fraction):
    with pytest.raises(BadCase, match="fraction"):
        region_interval(np.ones(SHAPE, np.float32), crop_of(cube(4, 8)), calibration_fraction=fraction)


# The map


def mapped(options):
    """A liver of 40 Gy with a tumour of 200 Gy."""
    liver, tumour = cube(2, 10), cube(5, 7)
    values = np.zeros(SHAPE)
    values[liver], values[tumour] = 40, 200
    activity = activity_of(values * 1e6 * 1.03 / 49.67)
    regions = [
        region(liver, activity.geometry, name="liver", kind="liver"),
        region(tumour, activity.geometry, name="T01", number=2),
    ]
    return local_deposition(activity, regions, constants=constants_for(), scale_to_gbq=None, options=options)


def test_normal_liver_is_the_liver_without_its_tumours():
    report = mapped(RegionOptions())
    assert report.normal_liver.mean_gy == pytest.approx(40, rel=1e-6)
    assert report.normal_liver.volume_ml == pytest.approx((512 - 8) * 0.048)
    assert report.regions[0].mean_gy == pytest.approx((504 * 40 + 8 * 200) / 512, rel=1e-6)
    assert (report.normal_liver.origin, report.normal_liver.number) == (None, None)


def test_a_liver_that_is_all_tumour_has_no_normal_part():
    activity = activity_of(np.ones(SHAPE))
    regions = [region(cube(2, 10), activity.geometry, name=kind, kind=kind) for kind in ("liver", "lesion")]
    report = local_deposition(activity, regions, constants=constants_for(), scale_to_gbq=None)
    assert report.normal_liver is None


def test_effects_of_the_dose():
    report = mapped(
        RegionOptions(tissue_of={"T01": Tissue(10, 1.5, -10, Citation("case", "as given"), alpha_per_gy=0.1)})
    )
    liver, tumour = report.regions
    bed = 200 * (1 + 200 * 1.5 / (1.5 + 64.1) / 10)
    assert tumour.bed_gy == pytest.approx(bed, rel=1e-6)
    assert tumour.eqd2_gy == pytest.approx(bed / 1.2, rel=1e-6)
    assert tumour.eubed_gy == pytest.approx(bed, rel=1e-6), "an even dose is its own equivalent"
    assert tumour.tissue_source == "case, as given"
    assert liver.eubed_gy is None, "no radiosensitivity is cited"
    assert liver.tissue_source == str(LIVER.source)


GLASS = Situation("glass", "bilobar", tumour_type="mCRC")


def test_a_map_against_the_rows():
    report = mapped(RegionOptions(situation=GLASS))
    found = {(each.region, each.compartment): each for each in report.findings}
    assert found["T01", "tumour"].met is True
    assert found["T01", "tumour"].recommended == ">= 189 Gy"
    assert found["normal liver", "whole_normal_liver"].met is True
    assert found["liver", "perfused"].met is False, "42.5 Gy is not 80 to 150 Gy"
    assert "EANM guideline 2022" in str(found["T01", "tumour"].source)
    assert mapped(RegionOptions()).findings == ()


def dose_of(mean_gy, interval=None):
    return RegionDose("T01", 1.0, mean_gy, *[mean_gy] * 7, {}, mean_interval_gy=interval)


@pytest.mark.parametrize(
    ("mean_gy", "interval", "met", "sure"),
    [
        (189, None, True, True),
        (188.99, None, False, True),
        (195, (190, 200), True, True),
        (195, (188, 202), True, False),
        (180, (170, 190), False, False),
    ],
)
def test_a_bound_within_the_interval_is_told(mean_gy, interval, met, sure):
    (finding,) = dose_findings(GLASS, tumours=[dose_of(mean_gy, interval)], normal_liver=None, perfused=None)
    assert finding.met is met
    assert ("cannot be told for sure" not in finding.text) is sure


def test_without_a_row_for_the_tumour_the_nearest_is_named():
    (finding,) = dose_findings(Situation("resin", "unilobar"), tumours=[dose_of(120)], normal_liver=None, perfused=None)
    assert "no row for metastases of thyroid cancer" in finding.text
    with pytest.raises(BadCase, match="use resin or glass"):
        dose_findings(Situation("gel", "unilobar"), tumours=[], normal_liver=None, perfused=None)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, None),
        ({"microsphere_type": "resin"}, Situation("resin", "bilobar")),
        (
            {
                "microsphere_type": "glass",
                "liver_lobes_involved": "unilobar",
                "bilirubin_total_umol_l": Decimal("17.104"),
            },
            Situation("glass", "unilobar", bilirubin_mg_dl=Decimal(1)),
        ),
    ],
    ids=["device not known", "the stricter where nothing is known", "all known"],
)
def test_the_situation_of_a_record(facts, expected):
    given = {name: Observed(value, "case", date(2026, 1, 2)) for name, value in facts.items()}
    assert situation_of(given) == expected
