"""A work-up scan: shunt and ratio from counts in masks, what is left out, the facts, and the case for a plan."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal

import image_case
import numpy as np
import planar_case
import pytest
from click.testing import CliRunner
from dosimetry_phantoms import activity_of, region

from connector.cli.dose import dose
from connector.contract import dose_plan
from connector.contract.dose_from_images import FromImages
from connector.core.case import TimePoint
from connector.core.catalogue import FACTS
from connector.core.dosimetry.work_up import work_up, work_up_facts
from connector.core.errors import ImpossibleInput
from connector.core.evidence import Observed

SHAPE = (16, 12, 12)
VOXEL_ML = Decimal("0.048")


def block(low, high):
    mask = np.zeros(SHAPE, bool)
    mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return mask


LIVER = block((1, 2, 2), (7, 10, 10))  # 384 voxels
TUMOUR = block((3, 4, 4), (5, 6, 6))  # 8 voxels
LUNG = block((8, 2, 2), (14, 10, 10))  # 384 voxels


def scan(*, lung=1, normal=20, tumour=100, outside=0, nuclide="Tc-99m", **more):
    counts = np.full(SHAPE, outside, float)
    counts[LUNG], counts[LIVER], counts[TUMOUR] = lung, normal, tumour
    return activity_of(counts, quantitative=False, nuclide=nuclide, sop_instance_uids=("1.2.3.4",), **more)


def regions(activity, *, liver=LIVER, tumour=TUMOUR, lung=LUNG, more=()):
    drawn = [("liver", "liver", liver), ("T01", "lesion", tumour), ("lungs", "lung", lung), *more]
    return [
        region(mask, activity.geometry, name=name, kind=kind, number=number)
        for number, (name, kind, mask) in enumerate(drawn, 1)
        if mask is not None
    ]


def test_shunt_ratio_volumes_and_masses():
    activity = scan()
    found = work_up(activity, regions(activity))
    in_liver = 376 * 20 + 8 * 100
    assert found.lung_shunt_fraction == pytest.approx(Decimal(384) / (384 + in_liver), abs=Decimal("1e-6"))
    assert found.tumour_to_normal_ratio == 5
    assert (found.liver_volume_ml, found.tumour_volume_ml) == (384 * VOXEL_ML, 8 * VOXEL_ML)
    assert (found.normal_liver_volume_ml, found.perfused_volume_ml) == (376 * VOXEL_ML, 384 * VOXEL_ML)
    assert found.lung_volume_ml == 384 * VOXEL_ML
    assert found.mass_kg(Decimal(1000)) == Decimal("1.03")
    assert found.extrahepatic_fraction == 0
    assert found.warnings == ("no perfused territory was named: the whole liver is taken as perfused",)


def test_a_liver_drawn_without_its_tumour_gives_the_same():
    activity = scan()
    assert work_up(activity, regions(activity, liver=LIVER & ~TUMOUR)) == work_up(activity, regions(activity))


def test_in_a_perfused_territory():
    activity = scan()
    half = block((1, 2, 2), (7, 10, 6))
    found = work_up(activity, regions(activity, more=[("right", "other", half)]), perfused="right")
    assert found.perfused_volume_ml == 192 * VOXEL_ML
    assert found.normal_liver_volume_ml == 184 * VOXEL_ML
    assert found.liver_volume_ml == 384 * VOXEL_ML
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("counts", "drawn", "words"),
    [
        ({}, {"lung": None}, "no lung among the regions"),
        ({}, {"tumour": None}, "the ratio is not known"),
        ({"normal": 0}, {}, "holds no counts"),
        ({"outside": 30}, {}, "free technetium"),
        ({}, {"lung": block((8, 2, 2), (16, 10, 10))}, "reach the end of the scan"),
        ({}, {"tumour": block((10, 4, 4), (12, 6, 6))}, "lesion 2 is not in the liver"),
        ({}, {"tumour": block((7, 2, 2), (11, 4, 4))}, "lesion 2 is not in the liver"),
        ({}, {"more": [("T02", "lesion", np.zeros(SHAPE, bool))]}, "no perfused territory"),
        ({}, {"lung": np.zeros(SHAPE, bool)}, "no lung among the regions"),
    ],
    ids=["no lungs", "no tumour", "cold liver", "stray counts", "lungs cut", "lesion of the lung", "lesion at the dome",
         "lesion outside the image", "lungs outside the image"],
)  # fmt: skip
def test_what_is_doubtful_is_told(counts, drawn, words):
    activity = scan(**counts)
    assert any(words in each for each in work_up(activity, regions(activity, **drawn)).warnings)


@pytest.mark.parametrize(
    ("drawn", "perfused", "words"),
    [
        ({"liver": None}, None, "no liver among the regions"),
        ({"liver": np.zeros(SHAPE, bool)}, None, "no liver among the regions"),
        ({}, "left", "no region is called 'left': the regions are T01, liver, lungs"),
    ],
)
def test_refused_with_what_to_send(drawn, perfused, words):
    activity = scan()
    with pytest.raises(ImpossibleInput, match=words):
        work_up(activity, regions(activity, **drawn), perfused=perfused)


def test_a_territory_outside_the_scan_holds_nothing():
    activity = scan()
    away = region(np.zeros(SHAPE, bool), activity.geometry, name="right", kind="other", number=9)
    assert work_up(activity, [*regions(activity), away], perfused="right").tumour_to_normal_ratio is None


def test_no_counts_at_all():
    activity = scan(lung=0, normal=0, tumour=0)
    with pytest.raises(ImpossibleInput, match="no counts in the liver"):
        work_up(activity, regions(activity))
    assert work_up(activity, regions(activity, lung=None)).extrahepatic_fraction == 0


# Facts

POINT = TimePoint(study_instance_uid="1.2.3", studied_on=date(2026, 1, 2), modality="NM")


def test_the_facts_of_a_work_up():
    activity = scan()
    told = work_up_facts(activity, regions(activity), POINT)
    facts = told.facts
    assert set(facts) == {
        "lung_shunt_fraction", "tn_ratio", "tumour_volume_ml", "liver_volume_total_ml", "target_liver_mass_kg",
        "tumour_mass_kg", "normal_liver_mass_kg",
    }  # fmt: skip
    assert set(facts) <= set(FACTS)
    assert facts["tn_ratio"].value == 5
    assert facts["normal_liver_mass_kg"].value == 376 * VOXEL_ML / 1000 * Decimal("1.03")
    assert {fact.origin for fact in facts.values()} == {"1.2.3.4"}
    assert {fact.observed_on for fact in facts.values()} == {date(2026, 1, 2)}
    assert told.warnings == ("work-up scan: no perfused territory was named: the whole liver is taken as perfused",)


def test_volumes_of_the_segmentation_are_preferred():
    activity = scan()
    point = TimePoint("1.2.3", date(2026, 1, 2), "CT", (), Decimal(1500), Decimal(200))
    facts = work_up_facts(activity, regions(activity), point).facts
    assert facts["tumour_volume_ml"].value == 200
    assert facts["normal_liver_mass_kg"].value == Decimal("1.339")


@pytest.mark.parametrize(
    ("activity", "drawn"),
    [
        (None, {}),
        (scan(nuclide="Y-90"), {}),
        (scan(), {"liver": None}),
        (scan(lung=0, normal=0, tumour=0), {}),
    ],
    ids=["no scan", "after treatment", "no liver", "no counts"],
)
def test_no_facts(activity, drawn):
    assert work_up_facts(activity, regions(activity or scan(), **drawn), POINT).facts == {}


def test_a_scan_that_cannot_be_measured_says_why():
    cold = scan(lung=0, normal=0, tumour=0)
    assert "no counts in the liver" in work_up_facts(cold, regions(cold), POINT).warnings[0]
    bare = work_up_facts(scan(), regions(scan(), liver=None), POINT)
    assert "no liver among the regions" in bare.warnings[0]
    assert work_up_facts(scan(nuclide="Y-90"), regions(scan()), POINT).warnings == ()


def test_the_mass_of_the_lungs_is_a_fact_of_any_scan():
    weighed = Observed(Decimal("0.91"), "1.7", date(2026, 1, 2))
    for activity in (None, scan(), scan(nuclide="Y-90")):
        facts = work_up_facts(activity, regions(activity or scan()), POINT, lung_mass=weighed).facts
        assert facts["lung_mass_kg"] == weighed


@pytest.mark.parametrize(
    ("planar", "taken", "by"),
    [("0.30", "0.30", "planar views"), ("0.04", "tomogram", "SPECT"), ("tomogram", "tomogram", "SPECT")],
    ids=["planar is larger", "SPECT is larger", "equal"],
)
def test_of_two_lung_shunts_the_larger_is_taken_and_both_are_told(planar, taken, by):
    activity = scan()
    alone = work_up_facts(activity, regions(activity), POINT).facts["lung_shunt_fraction"]
    value = alone.value if planar == "tomogram" else Decimal(planar)
    told = work_up_facts(
        activity, regions(activity), POINT, planar_shunt=Observed(value, "1.2.3.8.1", date(2026, 1, 2))
    )
    fact = told.facts["lung_shunt_fraction"]
    assert fact.value == (alone.value if taken == "tomogram" else Decimal(taken))
    assert fact.origin == ("1.2.3.4" if by == "SPECT" else "1.2.3.8.1")
    (said,) = [text for text in told.warnings if text.startswith("lung shunt")]
    assert said.endswith(f"that of {by} is taken, the stricter on the lungs")
    assert f"{value.normalize():f} from planar views" in said


@pytest.mark.parametrize("activity", [None, scan(nuclide="Y-90"), scan(lung=0, normal=0, tumour=0)])
def test_planar_views_speak_where_the_tomogram_does_not(activity):
    shunt = Observed(Decimal("0.12"), "1.2.3.8.1", date(2026, 1, 2))
    told = work_up_facts(activity, regions(activity or scan()), POINT, planar_shunt=shunt)
    assert told.facts == {"lung_shunt_fraction": shunt}
    assert told.warnings[-1] == "the lung shunt 0.12 is from planar views"


@pytest.mark.parametrize(("outside", "told"), [(0.15, False), (0.16, True)])
def test_lungs_that_are_cut_off_make_the_shunt_too_low(outside, told):
    activity = scan()
    drawn = [replace(each, outside_fraction=outside) if each.kind == "lung" else each for each in regions(activity)]
    assert any("of the lungs are in the field of view" in text for text in work_up(activity, drawn).warnings) is told


def test_what_is_not_known_is_no_fact():
    activity = scan()
    facts = work_up_facts(activity, regions(activity, tumour=None, lung=None), POINT).facts
    assert set(facts) == {"liver_volume_total_ml", "target_liver_mass_kg"}


# Command


@pytest.fixture
def study(tmp_path):
    planes = np.zeros(SHAPE, np.uint16)
    planes[LUNG], planes[LIVER], planes[TUMOUR] = 100, 2000, 10000
    image_case.pet(tmp_path / "pet", planes)
    described = [
        image_case.segment(1, image_case.LIVER, SegmentLabel="liver"),
        image_case.segment(2, SegmentLabel="metastasis"),
        image_case.segment(3, ("39607008", "SCT", "Lung"), SegmentLabel="lungs"),
    ]
    image_case.segmentation(tmp_path, {1: LIVER, 2: TUMOUR, 3: LUNG}, described)
    return tmp_path


def run(study, *more):
    arguments = ["from-images", "--activity", study / "pet", "--regions", study / "seg.dcm", *more]
    return CliRunner().invoke(dose, [str(each) for each in arguments])


def test_the_case_is_ready_for_a_plan(study):
    given = run(study, "--device", "glass", "--prescribed-dose-gy", "200", "--prescribed-to", "tumour")
    answer = json.loads(given.stdout)
    FromImages.model_validate(answer)
    assert answer["tumour_to_normal_ratio"] == pytest.approx(5, rel=1e-5)
    assert answer["needs"] == []
    planned = dose_plan.run(answer["case"])
    assert planned["absorbed_dose_gy"]["tumour"] == pytest.approx(200)


def test_what_the_case_still_needs(study):
    assert json.loads(run(study).stdout)["needs"] == ["device", "prescribed_dose_gy", "prescribed_to"]


def planar_views(study, *, frames=(), **changes):
    """Planar views in the folder of the tomogram, with the organs drawn on them; their shunt is known by hand."""
    planar_case.planar(study / "pet", **changes)
    drawn = frames or [(1, 1, planar_case.LUNG), (2, 1, planar_case.LIVER), (3, 1, planar_case.BACKGROUND)]
    return planar_case.drawn_on_planar(study, drawn)


# Geometric means of net counts by pixel, on regions of equal size: lung 120 and 100, liver 900 and 700.
PLANAR_SHUNT = (120 * 100) ** 0.5 / ((120 * 100) ** 0.5 + (900 * 700) ** 0.5)


def test_planar_views_beside_the_tomogram_and_the_larger_shunt_goes_into_the_case(study):
    alone = json.loads(run(study).stdout)
    assert (alone["lung_shunt_method"], alone["lung_shunt_fraction_planar"]) == ("tomographic", None)
    assert alone["lung_shunt_fraction"] == alone["lung_shunt_fraction_tomographic"] < PLANAR_SHUNT
    both = json.loads(run(study, "--regions", planar_views(study)).stdout)
    FromImages.model_validate(both)
    assert both["lung_shunt_fraction"] == both["lung_shunt_fraction_planar"] == pytest.approx(PLANAR_SHUNT, abs=1e-6)
    assert both["lung_shunt_fraction_tomographic"] == alone["lung_shunt_fraction"]
    assert both["case"]["lung_shunt_fraction"] == str(both["lung_shunt_fraction"])
    assert both["lung_shunt_method"] == "planar"
    assert any("planar views is taken, the stricter" in text for text in both["warnings"])
    assert both["tumour_to_normal_ratio"] == alone["tumour_to_normal_ratio"]


def test_planar_views_alone_give_the_shunt_and_say_what_is_missing(study):
    drawn = planar_views(study)
    for image in (study / "pet").iterdir():
        if image.name != "planar.dcm":
            image.unlink()
    arguments = ["from-images", "--activity", study / "pet", "--regions", drawn, "--device", "resin"]
    answer = json.loads(CliRunner().invoke(dose, [str(each) for each in arguments]).stdout)
    FromImages.model_validate(answer)
    assert answer["lung_shunt_fraction"] == pytest.approx(PLANAR_SHUNT, abs=1e-6)
    assert answer["case"] == {
        "method": "partition", "device": "resin", "lung_shunt_fraction": str(answer["lung_shunt_fraction"]),
    }  # fmt: skip
    assert answer["liver_volume_ml"] is None
    assert {"tumour_mass_kg", "normal_liver_mass_kg", "tumour_to_normal_ratio"} <= set(answer["needs"])


def test_views_that_give_no_shunt_are_told_beside_a_tomogram_and_refused_alone(study):
    drawn = planar_views(study, codes=("255549009", ""))
    beside = json.loads(run(study, "--regions", drawn).stdout)
    assert beside["lung_shunt_method"] == "tomographic"
    assert any("the planar views give no shunt" in text for text in beside["warnings"])
    for image in (study / "pet").iterdir():
        if image.name != "planar.dcm":
            image.unlink()
    alone = run(study, "--regions", drawn)
    assert alone.exit_code == 2
    assert "no frame is coded as the posterior view" in alone.stderr.splitlines()[-1]


def test_planar_views_of_another_patient_are_refused(study):
    drawn = planar_views(study, PatientID="P2")
    given = run(study, "--regions", drawn)
    assert given.exit_code == 2
    assert "the planar views and the tomogram are not of one patient" in given.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--prescribed-dose-gy", "0"), "--prescribed-dose-gy"),
        (("--perfused", "left"), "no region is called"),
        (("--regions", "nowhere.dcm"), "is not a file"),
    ],
)
def test_usage_is_exit_2(study, more, words):
    given = run(study, *more)
    assert given.exit_code == 2
    assert words in given.stderr.splitlines()[-1]
