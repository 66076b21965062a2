"""What tumour response is judged from: lesions, visits, and the policies a protocol may choose."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Literal, NamedTuple

from connector.core.case import LesionRole, LesionState

CriteriaName = Literal["recist-1.1", "mrecist"]
# The criteria by their name in a case, as people call them.
CRITERIA: Mapping[str, str] = {"recist-1.1": "RECIST 1.1", "mrecist": "mRECIST"}


class Response(StrEnum):
    """
    The words of a response.

    NA: there are no such lesions, or (at baseline) nothing to compare with yet. ND: the visit was not done; only in
    a given sequence of assessments, never in an answer about a visit.
    """

    CR = "CR"
    PR = "PR"
    SD = "SD"
    NON_CR_NON_PD = "NON-CR/NON-PD"
    PD = "PD"
    NE = "NE"
    NA = "NA"
    ND = "ND"


class NewLesion(StrEnum):
    """Whether a visit shows a lesion that was not there at baseline."""

    NONE = "none"
    EQUIVOCAL = "equivocal"
    UNEQUIVOCAL = "unequivocal"


class ContinuingResponse(StrEnum):
    """What a sum that drifts above 70 % of baseline means after a partial response, as long as it is not PD."""

    PER_VISIT = "per_visit"  # stable disease, as the guideline's definitions read
    CONFIRMED_PR = "confirmed_pr"  # still PR once the PR was confirmed (EORTC)
    ANY_PR = "any_pr"  # still PR after any PR


class AfterComplete(StrEnum):
    """What disease after a complete response means; RECIST_1_1 Table 3, note a, allows both readings."""

    PROGRESSION = "progression"
    RECLASSIFY = "reclassify"


class EquivocalConfirmed(StrEnum):
    """When an unequivocal new lesion is the equivocal one of an earlier visit, so that progression dates from then."""

    WHEN_STATED = "when_stated"  # when its visit says which visit showed it first
    ALWAYS = "always"
    NEVER = "never"  # progression stays at the visit that confirmed it


@dataclass(frozen=True, slots=True)
class Policies:
    """Choices that a protocol makes and RECIST leaves open; the defaults are the contract's."""

    confirm: bool = False
    confirm_days: int = 28
    min_sd_days: int = 42
    max_ne: int = 1
    accept_sd: bool = False
    continuing_response: ContinuingResponse = ContinuingResponse.PER_VISIT
    response_after_complete: AfterComplete = AfterComplete.PROGRESSION
    mrecist_5_mm: bool = False
    equivocal_confirmed: EquivocalConfirmed = EquivocalConfirmed.WHEN_STATED

    def as_text(self) -> dict[str, str]:
        """Every policy by name, as text for a report."""
        return {
            "confirm": "true" if self.confirm else "false",
            "confirm_days": str(self.confirm_days),
            "min_sd_days": str(self.min_sd_days),
            "max_ne": str(self.max_ne),
            "accept_sd": "true" if self.accept_sd else "false",
            "continuing_response": self.continuing_response.value,
            "response_after_complete": self.response_after_complete.value,
            "mrecist_5_mm": "true" if self.mrecist_5_mm else "false",
            "equivocal_confirmed": self.equivocal_confirmed.value,
        }


class Lesion(NamedTuple):
    """A lesion for life. `axis` is "long" or "short" when the reader said which one was measured."""

    id: str
    role: LesionRole
    site: str
    lymph_node: bool = False
    axis: str | None = None
    slice_thickness_mm: Decimal | None = None


TOO_SMALL_MM = Decimal(5)  # Eisenhauer 2009, section 4.3.2: a target too faint to measure, but there
PATHOLOGICAL_NODE_MM = Decimal(10)  # section 3.2: below this short axis a node is normal
LARGEST_DIAMETER_MM = Decimal(1000)  # more is a unit error, not a lesion
_ZERO_MM = Decimal(0)
_SPECIAL = frozenset({LesionState.UNEQUIVOCAL_PROGRESSION, LesionState.TREATED_LOCALLY})


@dataclass(frozen=True, slots=True)
class Measurement:
    """
    One lesion at one visit.

    `diameters_mm` holds one diameter (node: short axis), or several when the lesion has split. A lesion that has grown
    into another is PRESENT and names it in `merged_into`: it is neither absent nor measured on its own. The rest
    follows from these, once and not at every visit: `total_mm` is 5 mm for one too small to measure, 0 for an absent
    one, None when it was not evaluable; `decade` is the power of ten below a total above zero; `disease` tells whether
    anything is there, `disease_in_node` whether a node is enlarged; `special` whether it says more than what is there
    now: that the lesion has grown into another, has unequivocally progressed, or was treated locally. Raises
    ValueError for a diameter that no lesion has.
    """

    state: LesionState
    diameters_mm: tuple[Decimal, ...] = ()
    merged_into: str | None = None
    total_mm: Decimal | None = field(init=False, compare=False)
    decade: int | None = field(init=False, compare=False)
    disease: bool = field(init=False, compare=False)
    disease_in_node: bool = field(init=False, compare=False)
    special: bool = field(init=False, compare=False)

    def __post_init__(self) -> None:
        for diameter in self.diameters_mm:
            if diameter < 0:
                raise ValueError("a diameter is not negative: correct it")
            if diameter > LARGEST_DIAMETER_MM:
                raise ValueError("no lesion is that large: give the diameter in millimetres")
        parts = {
            LesionState.MEASURED: self.diameters_mm,
            LesionState.TOO_SMALL: (TOO_SMALL_MM,),
            LesionState.ABSENT: (_ZERO_MM,),
        }.get(self.state, ())
        largest_mm = max(parts, default=_ZERO_MM)
        total_mm = sum(parts, _ZERO_MM) if parts else None
        object.__setattr__(self, "total_mm", total_mm)
        object.__setattr__(self, "decade", total_mm.adjusted() if total_mm else None)
        object.__setattr__(self, "disease", largest_mm > 0)
        object.__setattr__(self, "disease_in_node", largest_mm >= PATHOLOGICAL_NODE_MM)
        object.__setattr__(self, "special", self.merged_into is not None or self.state in _SPECIAL)


ABSENT = Measurement(LesionState.ABSENT)
NOT_EVALUABLE = Measurement(LesionState.NOT_EVALUABLE)


class Visit(NamedTuple):
    """One reading of one visit; a lesion without a measurement was not evaluable. `markers_normal` None: not known."""

    on: date
    measurements: Mapping[str, Measurement] = MappingProxyType({})
    new_lesion: NewLesion = NewLesion.NONE
    label: str | None = None
    reader: str | None = None
    markers_normal: bool | None = None
    confirms_equivocal_of: date | None = None  # the visit that first showed this new lesion, as equivocal

    def of(self, lesion: Lesion) -> Measurement:
        """Return what was found of the lesion; one that was left out was not evaluable."""
        return self.measurements.get(lesion.id, NOT_EVALUABLE)


@dataclass(frozen=True, slots=True)
class ResponseCase:
    """
    One patient's lesions over time; the first visit is the baseline.

    `treatment_start` None means not known: durations are then counted from the baseline, and flagged. Of the lesions,
    the diameters of `targets` are summed and `non_targets` are followed without measuring. `special` holds the special
    measurements of all visits, each with the number of its visit and the id of its lesion.
    """

    criteria: str  # a name of CRITERIA
    lesions: tuple[Lesion, ...]
    visits: tuple[Visit, ...]
    treatment_start: date | None = None
    policies: Policies = Policies()
    new_therapy_date: date | None = None
    death_date: date | None = None
    last_contact_date: date | None = None
    targets: tuple[Lesion, ...] = field(init=False, compare=False)
    non_targets: tuple[Lesion, ...] = field(init=False, compare=False)
    special: tuple[tuple[int, str, Measurement], ...] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        for name, role in (("targets", LesionRole.TARGET), ("non_targets", LesionRole.NON_TARGET)):
            object.__setattr__(self, name, tuple([lesion for lesion in self.lesions if lesion.role is role]))
        special = [
            (number, lesion_id, measurement)
            for number, visit in enumerate(self.visits)
            for lesion_id, measurement in visit.measurements.items()
            if measurement.special
        ]
        object.__setattr__(self, "special", tuple(special))
