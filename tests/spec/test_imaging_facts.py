"""What the images say of the liver, what they leave open, and what happens where the record says otherwise."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from connector.core.canonical import canonical
from connector.core.case import LesionMeasurement, LesionRole, LesionState, StructureGap, TimePoint
from connector.core.evidence import Observed
from connector.core.imaging_facts import gap_findings, imaging_facts, joined, nearness_facts

DAY = date(2026, 1, 31)


def _lesion(number: int, **values: object) -> LesionMeasurement:
    plain = {
        "tracking_uid": f"2.25.{number}",
        "tracking_id": f"T{number}",
        "site": "liver",
        "site_code": None,
        "lymph_node": False,
        "origin": "1.2",
        "observed_on": DAY,
        "segment_number": number,
        "long_axis_mm": Decimal(number),
    }
    return LesionMeasurement(**{**plain, **values})


def _values(*lesions: LesionMeasurement, today: date = DAY, **values: object) -> dict[str, object]:
    point = TimePoint("1.2.3", DAY, "CT", lesions, **values)
    return {name: observed.value for name, observed in imaging_facts(point, today=today).items()}


def test_nothing_is_counted_while_two_lesions_share_a_tracking_uid():
    twice = _lesion(24, conflicts=("segments 1 and 2 of one segmentation",))
    assert set(_values(_lesion(18), twice, liver_volume_ml=Decimal(1500))) == {"liver_imaging_age_days"}
    assert set(_values(_lesion(24, site="lung", conflicts=("in liver and in lung",)), liver_volume_ml=Decimal(1))) == {
        "liver_imaging_age_days"
    }, "one of the two may be in the liver"


@pytest.mark.parametrize(
    ("lesions", "name", "expected", "why"),
    [
        ([_lesion(18), _lesion(24)], "liver_lesion_count", 2, "each liver lesion counts"),
        ([_lesion(18), _lesion(24)], "liver_lesion_diameters_mm", (Decimal(24), Decimal(18)), "largest first"),
        ([_lesion(18), _lesion(24)], "liver_lesion_largest_diameter_mm", Decimal(24), "the largest"),
        ([_lesion(18), _lesion(24, site="lung")], "liver_lesion_count", 1, "a lung lesion is no liver lesion"),
        (
            [_lesion(18), _lesion(9, state=LesionState.ABSENT)],
            "liver_lesion_count",
            1,
            "what disappeared does not count",
        ),
        *(
            ([_lesion(18), _lesion(9, state=state, long_axis_mm=None)], "liver_lesion_count", 2, "seen, so it counts")
            for state in (LesionState.TOO_SMALL, LesionState.PRESENT, LesionState.UNEQUIVOCAL_PROGRESSION)
        ),
        ([_lesion(18, long_axis_mm=None)], "liver_lesion_largest_diameter_mm", None, "not measured is not known"),
        ([_lesion(18, liver_lobe="left"), _lesion(9, liver_lobe="right")], "liver_lobes_involved", "bilobar", "both"),
        ([_lesion(18, liver_lobe="left"), _lesion(9, liver_lobe="left")], "liver_lobes_involved", "unilobar", "one"),
        ([_lesion(18, liver_lobe="right")], "liver_lobes_involved", "unilobar", "the other one"),
        ([_lesion(18, liver_lobe="left"), _lesion(9)], "liver_lobes_involved", None, "one lesion's lobe is not known"),
        (
            [_lesion(18, segment_number=None)],
            "liver_lesion_count",
            1,
            "a report of one lesion has not reached its limit",
        ),
        (
            [_lesion(18, segment_number=None), _lesion(24, segment_number=None)],
            "liver_lesion_count",
            None,
            "a report of two may have left others out",
        ),
        (
            [_lesion(18, segment_number=None), _lesion(24, segment_number=None)],
            "liver_lesion_largest_diameter_mm",
            Decimal(24),
            "but not the largest",
        ),
        ([], "liver_lesion_count", None, "no segmentation says nothing of lesions"),
    ],
)
def test_liver_facts_of_a_time_point(lesions, name, expected, why) -> None:
    assert _values(*lesions).get(name) == expected, why


def test_a_segmented_liver_without_lesions_counts_zero() -> None:
    assert _values(liver_volume_ml=Decimal(1500))["liver_lesion_count"] == 0


def test_the_burden_is_tumour_over_the_whole_liver() -> None:
    volumes = {"liver_volume_ml": Decimal(1500), "liver_tumour_volume_ml": Decimal(150)}
    assert _values(_lesion(18), **volumes)["liver_tumour_burden_percent"] == Decimal(10)
    assert "liver_tumour_burden_percent" not in _values(_lesion(18), liver_volume_ml=Decimal(1500))


@pytest.mark.parametrize(("today", "expected"), [(DAY, 0), (date(2026, 3, 2), 30), (date(2026, 1, 30), None)])
def test_the_age_of_the_imaging_is_never_negative(today, expected) -> None:
    assert _values(_lesion(18), today=today).get("liver_imaging_age_days") == expected


def test_where_record_and_images_differ_a_person_decides() -> None:
    record = {"liver_lesion_count": Observed(3, "Observation/1"), "ecog_ps": Observed(1, "Observation/2")}
    images = {"liver_lesion_count": Observed(2, "1.2.3"), "liver_lobes_involved": Observed("unilobar", "1.2.3")}
    facts, disputed = joined(record, images)
    assert disputed == ("liver_lesion_count",)
    assert set(facts) == {"ecog_ps", "liver_lobes_involved"}
    same, none = joined(record, {"liver_lesion_count": Observed(3, "1.2.3")})
    assert none == ()
    assert same["liver_lesion_count"].origin == "Observation/1", "the record's word, since both agree"


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        (frozenset("ab"), frozenset("ba"), True),
        ({"a"}, frozenset("a"), True),
        (Decimal("3.0"), Decimal(3), True),
        (Decimal("3.01"), Decimal(3), False),
        ((1, 2), [1, 2], True),
        ((1, 2), (2, 1), False),
        (LesionRole.TARGET, LesionRole.TARGET, True),
        (np.zeros((2, 2), np.float32), np.zeros((2, 2), np.float32), True),
        (np.zeros((2, 2), np.float32), np.zeros((4, 1), np.float32), False),
        (Observed(1, "a"), Observed(1, "a"), True),
        (Observed(1, "a"), Observed(1, "b"), False),
        (None, "None", False),
    ],
)
def test_equal_values_have_one_text(one, other, equal) -> None:
    assert (canonical(one) == canonical(other)) is equal


@pytest.mark.parametrize(
    ("structure", "gap_mm", "expected", "why"),
    [
        ("bile duct", "0.00", {"liver_lesion_near_bile_duct": True}, "a zone that holds the lesion reaches the wall"),
        ("hilum", "0.00", {"liver_lesion_at_hilum": True}, "the same at the hilum"),
        ("large vessel", "0.00", {"liver_lesion_near_large_vessel": True}, "the same at a vessel that cools"),
        ("bile duct", "0.01", {}, "the papers give no distance: just apart is for the radiologist"),
        ("bile duct", "80.00", {}, "nor is far away a no: the duct may be segmented in part"),
    ],
)
def test_only_touching_settles_that_a_structure_is_near(structure, gap_mm, expected, why):
    gap = StructureGap(structure, "T1", Decimal(gap_mm), "1.2.9")
    facts = nearness_facts([gap], DAY)
    assert {name: observed.value for name, observed in facts.items()} == expected, why
    assert {observed.origin for observed in facts.values()} <= {"1.2.9"}
    (finding,) = gap_findings([gap])
    assert finding.kind == "anatomy"
    assert ("touches" in finding.text) is bool(expected)
    assert gap_mm == "0.00" or f"{gap_mm} mm" in finding.text, "the distance is told"


def test_a_record_that_denies_what_touches_is_left_to_a_person():
    touching = nearness_facts([StructureGap("bile duct", "T1", Decimal(0), "1.2.9")], DAY)
    denied = {"liver_lesion_near_bile_duct": Observed(False, "Observation/1", DAY)}
    assert joined(denied, touching) == ({}, ("liver_lesion_near_bile_duct",))


@pytest.mark.parametrize(
    ("lesions", "expected", "why"),
    [
        ((_lesion(24, site="lung"), _lesion(11, site="lung")),
         {"lung_lesion_count": 2, "lung_lesion_largest_diameter_mm": Decimal(24)}, "a segmentation shows each"),
        ((_lesion(24, site="lung", segment_number=None), _lesion(11, site="lung", segment_number=None)),
         {"lung_lesion_largest_diameter_mm": Decimal(24)}, "a report lists at most two (RECIST 1.1, 4.1.2)"),
        ((_lesion(24, site="lung"), _lesion(11, site="lung", long_axis_mm=None)), {"lung_lesion_count": 2},
         "the one without a size may be the largest"),
        ((_lesion(23, site="bone", segment_number=None),), {"bone_lesion_count": 1}, "one is one"),
        ((_lesion(9, site="lung", state=LesionState.ABSENT),), {}, "of the rest of the lungs it says nothing"),
        ((_lesion(9, site="lymph_node"),), {}, "no organ with options of its own"),
    ],
)  # fmt: skip
def test_lesions_of_lung_and_bone_put_their_organ_in_question(lesions, expected, why):
    found = _values(*lesions)
    found.pop("liver_imaging_age_days")
    assert found == expected, why
