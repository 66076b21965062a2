"""mRECIST: the sum rule of RECIST 1.1 on the diameters of the viable, arterially enhancing part of each lesion."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from connector.core.case import LesionRole, LesionState
from connector.core.evidence import Citation
from connector.core.response.case import Lesion, NewLesion, Response, Visit
from connector.core.response.recist_1_1 import LEAST_GROWTH_MM, Criteria

MRECIST = "mrecist"
LENCIONI_2010 = Citation("Lencioni & Llovet 2010, mRECIST", "target lesions")
LEAST_NODULE_MM = Decimal(10)
LEAST_PORTAL_NODE_MM = Decimal(20)
_EFFUSIONS = ("ascites", "effusion")


def mrecist(*, require_5_mm: bool) -> Criteria:
    """
    Return the criteria for viable tumour.

    The 2010 paper has no least growth; some trials add the 5 mm of RECIST 1.1 (`require_5_mm`). Diameters are of the
    enhancing part and are never mixed with whole-lesion diameters. Made for hepatocellular carcinoma: for thyroid
    metastases it describes viable tumour beside RECIST 1.1 and does not replace it.
    Source: Korean J Radiol 2022, Table 11 (PMC9747269).
    """
    return Criteria(MRECIST, LEAST_GROWTH_MM if require_5_mm else Decimal(0), LENCIONI_2010)


class SeenNodule(NamedTuple):
    """A liver nodule that the baseline did not show: its longest diameter, 0 when absent, and its pattern."""

    size_mm: Decimal | None
    typical: bool


def new_nodule(course: Sequence[SeenNodule]) -> tuple[NewLesion, ...]:
    """
    Tell at each scan whether a liver nodule is a new lesion.

    It is one from 10 mm on when it enhances as viable tumour does, and, whatever its pattern, once it has grown by
    10 mm since it was first measured; it stays one. Until then it is equivocal: when it is called one at last,
    progression dates from the scan that first showed it. Source: LENCIONI_2010, new lesions.
    """
    return tuple(_calls(course))


def _calls(course: Sequence[SeenNodule]) -> Iterator[NewLesion]:
    first_mm: Decimal | None = None
    called = False
    for size_mm, typical in course:
        if size_mm == 0:
            yield NewLesion.NONE
            continue
        first_mm = size_mm if first_mm is None else first_mm
        if size_mm is not None and first_mm is not None:
            called = called or (typical and size_mm >= LEAST_NODULE_MM) or size_mm - first_mm >= LEAST_NODULE_MM
        yield NewLesion.UNEQUIVOCAL if called else NewLesion.EQUIVOCAL


def baseline_flags(lesions: Sequence[Lesion], baseline: Visit) -> Iterator[str]:
    """
    Name lesions that mRECIST counts otherwise than RECIST 1.1; a flag never changes a response.

    Malignant portal vein thrombus is not measurable, and a node at the porta hepatis is called malignant only from a
    short axis of 20 mm on. Source: LENCIONI_2010, non-target lesions.
    """
    for lesion in lesions:
        site = lesion.site.lower().replace("_", " ")
        if lesion.role is LesionRole.TARGET and "thrombus" in site:
            yield f"thrombus_is_not_measurable: {lesion.id} is followed as a non-target lesion"
        size_mm = baseline.of(lesion).total_mm
        if lesion.lymph_node and "porta" in site and size_mm is not None and size_mm < LEAST_PORTAL_NODE_MM:
            least = LEAST_PORTAL_NODE_MM
            yield f"portal_node_below_20_mm: {lesion.id} is {size_mm} mm, and malignant only from {least} mm on"


def visit_flags(lesions: Sequence[Lesion], visit: Visit, target: Response) -> Iterator[str]:
    """
    Say when a progression stands on fluid alone: effusion or ascites counts only with cytology.

    That is asked while the measured disease is stable or responds. Source: LENCIONI_2010, effusion and ascites.
    """
    if target not in {Response.CR, Response.PR, Response.SD}:
        return
    for lesion in lesions:
        fluid = any(word in lesion.site.lower() for word in _EFFUSIONS)
        if fluid and visit.of(lesion).state is LesionState.UNEQUIVOCAL_PROGRESSION:
            yield f"effusion_needs_cytology: {lesion.id} progresses while the targets do not; confirm malignant cells"
