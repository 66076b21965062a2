"""Which lesions may be targets at baseline, and which five to take when nobody has chosen."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from connector.core.response.case import Lesion, Visit
from connector.core.response.lesions import ZERO_MM

# Eisenhauer 2009, sections 3.1.1 and 3.2, Table of measurable disease on CT.
LEAST_DIAMETER_MM = Decimal(10)
LEAST_NODE_SHORT_AXIS_MM = Decimal(15)
THIN_SLICE_MM = Decimal(5)
MOST_TARGETS = 5
MOST_TARGETS_IN_ONE_ORGAN = 2

LYMPH_NODES = "lymph nodes"
# Paired organs are one organ (EORTC questions and clarifications on section 4.1). A site is matched by its stem, the
# first that fits: "adrenal" stands before the "renal" that it contains.
_PAIRED = (
    ("adrenal", "adrenal"),
    ("lung", "lung"),
    ("pulmon", "lung"),
    ("kidney", "kidney"),
    ("renal", "kidney"),
    ("pleura", "pleura"),
    ("breast", "breast"),
    ("ovar", "ovary"),
    ("testi", "testis"),
)
_SIDES = frozenset({"left", "right", "both", "bilateral"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A lesion at baseline; `diameter_mm` is the longest diameter, or the short axis of a node; None: not measured."""

    id: str
    site: str
    lymph_node: bool
    diameter_mm: Decimal | None
    slice_thickness_mm: Decimal | None = None


@lru_cache(maxsize=1024)
def organ(site: str, *, lymph_node: bool) -> str:
    """Name the organ that counts as one: all lymph nodes together, paired organs together, a side left out."""
    if lymph_node:
        return LYMPH_NODES
    words = site.lower().replace("_", " ").replace(",", " ").split()
    text = " ".join(word for word in words if word not in _SIDES)
    return next((name for stem, name in _PAIRED if stem in text), text)


def least_measurable_mm(*, lymph_node: bool, slice_thickness_mm: Decimal | None) -> Decimal:
    """
    Return the smallest diameter, in millimetres, that makes a lesion measurable on CT or MRI; it counts as reached.

    15 mm short axis for a node. Else 10 mm, or twice the slice when slices are thicker than 5 mm; an unknown thickness
    reads as thin. Whether the slice matters for nodes too is not settled: it is flagged, and does not decide.
    Source: RECIST_1_1, sections 3.1.1 and 3.2.
    """
    if lymph_node:
        return LEAST_NODE_SHORT_AXIS_MM
    if slice_thickness_mm is not None and slice_thickness_mm > THIN_SLICE_MM:
        return 2 * slice_thickness_mm
    return LEAST_DIAMETER_MM


def is_measurable(candidate: Candidate) -> bool:
    """Tell whether a lesion may be a target."""
    least = least_measurable_mm(lymph_node=candidate.lymph_node, slice_thickness_mm=candidate.slice_thickness_mm)
    return candidate.diameter_mm is not None and candidate.diameter_mm >= least


def choose_targets(candidates: Iterable[Candidate]) -> tuple[str, ...]:
    """
    Choose at most five measurable lesions, at most two in an organ, the largest first; ties go by id.

    Reproducibility, cysts and earlier irradiation are for a radiologist: a choice made here is a proposal.
    Source: RECIST_1_1, section 3.2.
    """
    measurable = [candidate for candidate in candidates if is_measurable(candidate)]
    measurable.sort(key=lambda candidate: (-(candidate.diameter_mm or ZERO_MM), candidate.id))
    in_organ: Counter[str] = Counter()
    chosen: list[str] = []
    for candidate in measurable:
        place = organ(candidate.site, lymph_node=candidate.lymph_node)
        if len(chosen) < MOST_TARGETS and in_organ[place] < MOST_TARGETS_IN_ONE_ORGAN:
            in_organ[place] += 1
            chosen.append(candidate.id)
    return tuple(chosen)


def baseline_flags(targets: Sequence[Lesion], baseline: Visit) -> tuple[str, ...]:
    """Name what a radiologist should look at in the choice of targets; nothing here changes a response."""
    flags = [flag for lesion in targets for flag in _size_flags(lesion, baseline)]
    if len(targets) > MOST_TARGETS:
        flags.append(f"too_many_targets: {len(targets)} targets, and at most {MOST_TARGETS} are allowed")
    flags.extend(
        f"too_many_targets_in_organ: {count} targets in {place}, and at most {MOST_TARGETS_IN_ONE_ORGAN} are allowed"
        for place, count in Counter(organ(lesion.site, lymph_node=lesion.lymph_node) for lesion in targets).items()
        if count > MOST_TARGETS_IN_ONE_ORGAN
    )
    return tuple(flags)


def _size_flags(lesion: Lesion, baseline: Visit) -> Sequence[str]:
    size = baseline.of(lesion).total_mm
    if size is None:
        return (f"baseline_incomplete: {lesion.id} has no diameter at baseline, so target response cannot be judged",)
    thickness = lesion.slice_thickness_mm
    least = least_measurable_mm(lymph_node=lesion.lymph_node, slice_thickness_mm=thickness)
    flags = []
    if size < least:
        flags.append(f"below_measurable_size: {lesion.id} is {size} mm at baseline, a target needs {least} mm")
    if lesion.lymph_node and thickness is not None and size < 2 * thickness:
        flags.append(
            f"thick_slices: {lesion.id} is smaller than two slices of {thickness} mm; check that it was measurable"
        )
    return flags
