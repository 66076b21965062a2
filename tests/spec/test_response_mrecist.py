"""What mRECIST counts otherwise than RECIST 1.1: thrombus, nodes at the porta hepatis, and fluid, each as a flag."""

from datetime import date, timedelta

import pytest

from connector.contract.respond_measurement import measurement
from connector.core.case import LesionRole
from connector.core.response import assess_response
from connector.core.response.case import Lesion, ResponseCase, Visit

START = date(2025, 1, 1)
TARGET, NON_TARGET = LesionRole.TARGET, LesionRole.NON_TARGET
LIVER = Lesion("A", TARGET, "liver")


def report(other, baseline, later, *, target="30", criteria="mrecist"):
    rows = [{"A": "30", other.id: baseline}, {"A": target, other.id: later}]
    visits = tuple(
        Visit(START + timedelta(42 * number), {name: measurement(value) for name, value in row.items()})
        for number, row in enumerate(rows)
    )
    return assess_response(ResponseCase(criteria, (LIVER, other), visits, START))


def flagged(visit):
    return {flag.partition(":")[0] for flag in visit.flags} - {"below_measurable_size"}


@pytest.mark.parametrize(
    ("lesion", "size", "expected", "why"),
    [
        (Lesion("P", TARGET, "portal vein thrombus"), "20", {"thrombus_is_not_measurable"}, "it has no diameter"),
        (Lesion("P", NON_TARGET, "portal vein thrombus"), "present", set(), "followed without measuring"),
        (Lesion("K", NON_TARGET, "porta hepatis", True), "19.9", {"portal_node_below_20_mm"}, "not yet malignant"),
        (Lesion("K", NON_TARGET, "porta hepatis", True), "20", set(), "exactly 20 mm"),
        (Lesion("K", NON_TARGET, "neck", True), "15", set(), "a node elsewhere is as in RECIST"),
    ],
)
def test_at_baseline(lesion, size, expected, why):
    assert flagged(report(lesion, size, size).visits[0]) == expected, why
    assert flagged(report(lesion, size, size, criteria="recist-1.1").visits[0]) == set(), "RECIST 1.1 knows none of it"


ASCITES = Lesion("F", NON_TARGET, "ascites")


@pytest.mark.parametrize(
    ("lesion", "found", "target", "expected", "why"),
    [
        (ASCITES, "unequivocal_progression", "30", {"effusion_needs_cytology"}, "the targets are stable"),
        (ASCITES, "unequivocal_progression", "20", {"effusion_needs_cytology"}, "the targets respond"),
        (ASCITES, "unequivocal_progression", "40", set(), "the targets progress too"),
        (ASCITES, "present", "30", set(), "it does not progress"),
        (Lesion("F", NON_TARGET, "pleural effusion"), "unequivocal_progression", "30", {"effusion_needs_cytology"}, ""),
        (Lesion("F", NON_TARGET, "lung"), "unequivocal_progression", "30", set(), "no fluid"),
    ],
)
def test_fluid_alone_is_confirmed_by_cytology(lesion, found, target, expected, why):
    visit = report(lesion, "present", found, target=target).visits[1]
    assert flagged(visit) == expected, why
    assert (visit.overall_response == "PD") is ("progression" in found or target == "40"), "a flag changes nothing"
