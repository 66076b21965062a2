"""Lesions of one patient and visits six weeks apart, for the rows of a course."""

from datetime import date, timedelta
from decimal import Decimal

from connector.contract.respond_measurement import measurement
from connector.core.case import LesionRole
from connector.core.response.case import Lesion, ResponseCase, Visit

START = date(2025, 1, 1)
TARGET, NON_TARGET = LesionRole.TARGET, LesionRole.NON_TARGET
A, B = Lesion("A", TARGET, "liver"), Lesion("B", TARGET, "liver")
NODE = Lesion("K", TARGET, "neck", lymph_node=True)
X, Y = Lesion("X", NON_TARGET, "lung"), Lesion("Y", NON_TARGET, "lung")
NON_TARGET_NODE = Lesion("Z", NON_TARGET, "neck", lymph_node=True)
THICK_NODE = Lesion("K", TARGET, "neck", lymph_node=True, slice_thickness_mm=Decimal(8))
NO_SLICE = Lesion("A", TARGET, "liver", slice_thickness_mm=Decimal(0))


def visits(*rows, **extra):
    """Each row names the lesions' measurements, six weeks apart; `extra` gives a Visit field by visit number."""
    return tuple(
        Visit(
            on=START + timedelta(42 * number),
            measurements={lesion_id: measurement(value) for lesion_id, value in row.items()},
            **{name: by_visit[number] for name, by_visit in extra.items() if number in by_visit},
        )
        for number, row in enumerate(rows)
    )


def case(lesions, followed, **fields):
    return ResponseCase("recist-1.1", tuple(lesions), followed, START, **fields)
