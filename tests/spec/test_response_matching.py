"""Proposals for lesions that nobody has linked: by organ, lobe and position, for a person to decide."""

from datetime import date
from decimal import Decimal

import pytest

from connector.core.case import LesionMeasurement, TimePoint
from connector.core.response import response_case
from connector.core.response.matching import FARTHEST_MM, propose_matches

DAYS = date(2025, 1, 1), date(2025, 3, 1)


def lesion(name, at=None, *, site="liver", lobe=None, node=False):
    """`at` is the place on one line, in millimetres."""
    return LesionMeasurement(
        tracking_uid=f"uid-{name}",
        tracking_id=name,
        site=site,
        site_code=None,
        lymph_node=node,
        origin="1.2",
        observed_on=DAYS[0],
        long_axis_mm=Decimal(20),
        liver_lobe=lobe,
        centroid_mm=None if at is None else (float(at), 0.0, 0.0),
    )


@pytest.mark.parametrize(
    ("before", "now", "expected", "why"),
    [
        ([lesion("A", 0)], [lesion("x", 8)], "x=A", "near, and the only one"),
        ([lesion("A", 0)], [lesion("x", FARTHEST_MM)], "x=A", "as far as may be"),
        ([lesion("A", 0)], [lesion("x", FARTHEST_MM + 0.1)], "", "too far"),
        ([lesion("A", 0), lesion("B", 40)], [lesion("x", 5), lesion("y", 44)], "x=A y=B", "each the other's nearest"),
        ([lesion("A", 0), lesion("B", 40)], [lesion("x", 5)], "x=A", "one is gone, or was not seen"),
        ([lesion("A", 0), lesion("B", 12)], [lesion("x", 5)], "x=A?", "nearly as near to another"),
        ([lesion("A", 0), lesion("B", 10)], [lesion("x", 5)], "x=A? x=B?", "in the middle: both are named"),
        ([lesion("A", 0, lobe="left")], [lesion("x", 1, lobe="right")], "", "another lobe"),
        ([lesion("A", 0, lobe="left")], [lesion("x", 1)], "x=A", "a lobe that is not known contradicts nothing"),
        ([lesion("A", 0)], [lesion("x", 1, site="lung")], "", "another organ"),
        ([lesion("A", 0)], [lesion("x", 1, node=True)], "", "a node is not a mass"),
        ([lesion("A")], [lesion("x")], "x=A?", "without positions, the only two of their kind"),
        ([lesion("A"), lesion("B")], [lesion("x")], "", "without positions, two of a kind cannot be told apart"),
        ([lesion("A", 0), lesion("B")], [lesion("x", 5)], "x=A?", "the other one has no position"),
        ([], [lesion("x", 5)], "", "nothing to compare with"),
    ],
)
def test_proposals(before, now, expected, why):
    proposed = propose_matches(before, now)
    short = [f"{one.now_label}={one.before_label}{'?' if one.doubts else ''}" for one in proposed]
    assert " ".join(sorted(short)) == expected, why


def test_a_proposal_is_shown_and_never_applied():
    studies = (
        TimePoint("1.2.1", DAYS[0], "CT", (lesion("A", 0),)),
        TimePoint("1.2.2", DAYS[1], "CT", (lesion("x", 8),)),
    )
    (need,) = response_case(studies, DAYS[0])
    assert need.startswith("linked lesions: ")
    assert need.endswith("To be checked by a person: x may be A (8 mm apart)")


def test_the_line_for_a_person_names_the_doubts():
    (proposed,) = propose_matches([lesion("A")], [lesion("x")])
    assert str(proposed) == "x may be A (by organ alone; no position known)"
