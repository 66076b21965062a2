"""How much of each list the board report shows, so that it stays two pages; what is cut is counted, with its place."""

from dataclasses import dataclass

PAGES = 2


@dataclass(frozen=True, slots=True)
class Room:
    """
    The most items of each list that are shown.

    Alerts, contradictions, objections to a treatment, doses against recommendations, what a decision needs, and
    measures that the patient's own facts call for have no limit here: they are never cut for room.
    """

    studies: int = 5
    lesions: int = 8
    visits: int = 7
    flags: int = 6
    findings: int = 10
    beside: int = 6
    changes: int = 5
    reasons_of_preferred: int = 3
    reasons: int = 1
    missing: int = 10
    worth_knowing: int = 4
    facts: int = 12
    risks: int = 20
    measures: int = 8  # with those that hold of every patient
    follow_ups: int = 6
    warnings: int = 6
    regions: int = 12
    picture_percent: int = 90  # of the page's width, for the dose


AMPLE = Room()
# Tried in this order until the report fits. What the machine-readable result and the manual say as well goes first.
ROOMS = (
    AMPLE,
    Room(
        studies=3, lesions=6, visits=4, reasons_of_preferred=2, missing=6, facts=8, risks=12, measures=6, follow_ups=5,
    ),
    Room(
        studies=3, lesions=6, visits=4, reasons_of_preferred=1, missing=6, worth_knowing=2, facts=6, risks=10,
        measures=4, follow_ups=4, picture_percent=75,
    ),
    Room(
        studies=2, lesions=5, visits=3, changes=4, reasons_of_preferred=1, missing=5, worth_knowing=2, facts=5, risks=7,
        measures=4, follow_ups=3, picture_percent=75,
    ),
    Room(
        studies=2, lesions=4, visits=3, flags=3, beside=4, changes=3, reasons_of_preferred=1, missing=4,
        worth_knowing=1, facts=3, risks=1, measures=2, follow_ups=2, regions=8, picture_percent=60,
    ),
)  # fmt: skip
