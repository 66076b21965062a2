"""Which lesions of two studies may be the same when nobody has linked them: proposals for a person, never applied."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import dist

from connector.core.case import LesionMeasurement

# A choice, not a published limit: studies are not registered, and breathing alone moves the liver by centimetres.
FARTHEST_MM = 50.0
# The next candidate must be at least this much farther away than the nearest, or both are named.
CLEARLY_NEARER = 2.0


@dataclass(frozen=True, slots=True)
class ProposedMatch:
    """
    Two lesions, by tracking UID and label, that may be one.

    `distance_mm` is between their centroids as the scanners gave them, None when a centroid is not known. `doubts` are
    reasons to look twice; a proposal without doubts is one too.
    """

    before_uid: str
    before_label: str
    now_uid: str
    now_label: str
    distance_mm: float | None
    doubts: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One line for a person."""
        apart = "by organ alone" if self.distance_mm is None else f"{self.distance_mm:.0f} mm apart"
        doubts = "".join(f"; {doubt}" for doubt in self.doubts)
        return f"{self.now_label} may be {self.before_label} ({apart}{doubts})"


def propose_matches(before: Sequence[LesionMeasurement], now: Sequence[LesionMeasurement]) -> tuple[ProposedMatch, ...]:
    """
    Propose which lesions of two studies are the same, each at most once.

    Only lesions of one organ, and of one lobe when both are known. With centroids: two that are each other's nearest,
    at most FARTHEST_MM apart. Without: the only two of their kind. Positions are compared without registration, so a
    person decides, always; size is not looked at, because a change of size is what is to be found out.
    """
    candidates = [(one, other) for one, other in product(before, now) if _one_place(one, other)]
    return tuple(
        proposal
        for one, other in candidates
        if (proposal := _proposal(one, other, [pair for pair in candidates if one in pair or other in pair]))
    )


_Pair = tuple[LesionMeasurement, LesionMeasurement]


def _one_place(one: LesionMeasurement, other: LesionMeasurement) -> bool:
    lobes = {one.liver_lobe, other.liver_lobe} - {None}
    return one.site == other.site and one.lymph_node == other.lymph_node and len(lobes) <= 1


def _proposal(one: LesionMeasurement, other: LesionMeasurement, rivals: Iterable[_Pair]) -> ProposedMatch | None:
    apart_mm = _apart_mm((one, other))
    others = [pair for pair in rivals if pair != (one, other)]
    if apart_mm is None:
        if others:
            return None
        doubts: list[str] = ["no position known"]
    else:
        distances = [found for pair in others if (found := _apart_mm(pair)) is not None]
        if apart_mm > FARTHEST_MM or any(found < apart_mm for found in distances):
            return None
        doubts = list(_doubts(apart_mm, distances, unplaced=len(distances) < len(others)))
    return ProposedMatch(
        one.tracking_uid, one.tracking_id, other.tracking_uid, other.tracking_id, apart_mm, tuple(doubts)
    )


def _doubts(apart_mm: float, distances: Sequence[float], *, unplaced: bool) -> Iterator[str]:
    if any(found < CLEARLY_NEARER * apart_mm for found in distances):
        yield "another lesion is nearly as near"
    if unplaced:
        yield "a lesion of the same organ has no position"


def _apart_mm(pair: _Pair) -> float | None:
    one, other = pair[0].centroid_mm, pair[1].centroid_mm
    return None if one is None or other is None else dist(one, other)
