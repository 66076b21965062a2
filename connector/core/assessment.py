"""What an assessment says: response, absorbed dose, selection, what is missing, and the inputs it came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from connector.core.case import TimePoint, VolumeGeometry
from connector.core.evidence import Citation
from connector.core.lesion_reports import TreatedLesionReport, UptakeReport


class VisitResponse(NamedTuple):
    """
    Response at one visit.

    Responses are CR, PR, SD, PD, NE, NON-CR/NON-PD or NA (no such lesions). Percentages are decimal strings rounded for
    reading only; no threshold is decided on them.
    """

    on: date
    sum_mm: Decimal | None
    nadir_mm: Decimal | None
    change_from_baseline_percent: str | None
    change_from_nadir_percent: str | None
    target_response: str
    non_target_response: str
    overall_response: str
    reasons: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    label: str | None = None
    new_lesion: str | None = None  # none, equivocal, unequivocal; None at baseline, which has no new lesions


@dataclass(frozen=True, slots=True)
class DatedResponse:
    """A best response and the visit that earned it."""

    response: str
    on: date | None


@dataclass(frozen=True, slots=True)
class TimeToEvent:
    """Days as a plain date difference; `event` is False when censored."""

    days: int
    event: bool


@dataclass(frozen=True, slots=True)
class ResponseReport:
    """Tumour response over all visits by one set of criteria, with the policies it was judged by."""

    criteria: str  # recist-1.1 or mrecist
    visits: tuple[VisitResponse, ...]
    best_overall_response: DatedResponse
    confirmed_best_overall_response: DatedResponse
    progression_free_survival: TimeToEvent | None = None
    duration_of_response: TimeToEvent | None = None
    policies: Mapping[str, str] = field(default_factory=dict)
    target_ids: tuple[str, ...] = ()
    non_target_ids: tuple[str, ...] = ()
    time_to_response_days: int | None = None
    overall_survival: TimeToEvent | None = None


@dataclass(frozen=True, slots=True)
class RegionDose:
    """
    Absorbed dose statistics of one region; D_x is the lowest dose in the hottest x % of the voxels.

    Intervals are two standard uncertainties each way, None where nothing is known of them.
    """

    name: str
    volume_ml: float
    mean_gy: float
    min_gy: float
    max_gy: float
    d2_gy: float
    d50_gy: float
    d70_gy: float
    d95_gy: float
    d98_gy: float
    v_fraction: Mapping[str, float]  # dose in Gy as text to volume fraction 0..1
    bed_gy: float | None = None
    geud_gy: float | None = None
    tracking_uid: str | None = None
    origin: str | None = None  # SOP Instance UID of the segmentation or structure set
    number: int | None = None  # segment or ROI number
    eqd2_gy: float | None = None
    eubed_gy: float | None = None
    mean_interval_gy: tuple[float, float] | None = None
    volume_interval_ml: tuple[float, float] | None = None
    tissue_source: str = ""  # where the parameters of BED, EQD2, EUBED and gEUD stand


@dataclass(frozen=True, slots=True)
class DoseFinding:
    """How one region's mean dose stands to one recommendation of a guideline; it advises and forbids nothing."""

    region: str
    compartment: str
    mean_gy: float
    recommended: str
    met: bool
    text: str
    source: Citation


@dataclass(frozen=True, slots=True, eq=False)
class DoseReport:
    """
    A voxel dose map with its statistics; `dose_gy` has the geometry's shape.

    `normal_liver` is the drawn liver without the drawn tumours, None when either is missing.
    """

    method: str  # local_deposition or kernel_convolution
    constants: Mapping[str, str]
    scale: float
    nuclide: str
    decay_reference: str
    decay_hours: float
    dose_gy: NDArray[np.float32]
    geometry: VolumeGeometry
    regions: tuple[RegionDose, ...]
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uids: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    normal_liver: RegionDose | None = None
    findings: tuple[DoseFinding, ...] = ()


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule's word on an option."""

    rule: str
    text: str
    source: Citation
    facts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Option:
    """
    One treatment and its verdict.

    `verdict` is preferred, possible, relative_contraindication, excluded or cannot_decide; only the first three carry a
    rank (1 is preferred, ties share a rank). `why_not_first` says of one that is offered why it stands behind the
    preferred of its organ; empty when none leads there.
    """

    modality: str
    verdict: str
    rank: int | None
    because: tuple[Reason, ...] = ()
    needs: tuple[str, ...] = ()
    why_not_first: str = ""


@dataclass(frozen=True, slots=True)
class PathNode:
    """One node of the published algorithm and how it was answered (yes, no, or unknown)."""

    node: str
    answer: str
    source: Citation


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What to do after the procedure, and when; `due_on` when a date can be given."""

    what: str
    when: str
    rule: str
    source: Citation
    due_on: date | None = None


@dataclass(frozen=True, slots=True)
class Risk:
    """A pooled proportion of an outcome in percent, with its interval, the patients it stands on, and its sources."""

    modality: str
    outcome: str
    probability_percent: Decimal
    interval_percent: tuple[Decimal, Decimal]
    n: int
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """
    Which treatment fits, by cited rules; `status` as in the contract of `connector select`.

    `blocking` are the few absent facts without which the leading answer stays open, `missing` all that were asked for.
    """

    status: str
    options: tuple[Option, ...]
    rules_fired: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    pathway: tuple[PathNode, ...] = ()
    measures: tuple[Reason, ...] = ()
    follow_up: tuple[FollowUp, ...] = ()
    alerts: tuple[Reason, ...] = ()
    risks: tuple[Risk, ...] = ()
    conflicts: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    blocking: tuple[str, ...] = ()


MARKERS = {"cea": "CEA"}
TRENDS = {"stable": "no certain trend", "unknown": "trend not known"}


@dataclass(frozen=True, slots=True)
class MarkerReport:
    """
    How one tumour marker moves over time, by a log-linear fit.

    `trend` is rising, falling, stable (the 95 % interval of the slope holds zero) or unknown (no fit). Months are
    rounded to a tenth for reading; a negative doubling time is a half-life. An end of the interval is None where the
    marker does not rise there.
    """

    marker: str  # calcitonin, cea, thyroglobulin
    trend: str
    used: int
    first_on: date
    last_on: date
    doubling_time_months: Decimal | None = None
    interval_months: tuple[Decimal | None, Decimal | None] = (None, None)
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The course as a sentence."""
        values = f"{self.used} value{'' if self.used == 1 else 's'}"
        when = f"on {self.first_on}" if self.first_on == self.last_on else f"from {self.first_on} to {self.last_on}"
        said = f"{MARKERS.get(self.marker, self.marker)}: {TRENDS.get(self.trend, self.trend)} over {values} {when}"
        if self.doubling_time_months is not None:
            word = "doubling time" if self.doubling_time_months > 0 else "half-life"
            said += f", {word} {abs(self.doubling_time_months)} months"
            if self.interval_months != (None, None):
                said += f" (95 % interval {_between(*self.interval_months)})"
        return "; ".join((said, *self.notes))


def _between(shortest: Decimal | None, longest: Decimal | None) -> str:
    if shortest is not None and longest is not None:
        return f"{shortest} to {longest} months"
    return " to ".join("no rise" if end is None else f"{end} months" for end in (shortest, longest))


@dataclass(frozen=True, slots=True)
class ViableReport:
    """
    What the viable, enhancing parts of the tumours say over time; its sums are never those of RECIST.

    `easl` judges the products of two diameters at every visit after the baseline; empty when they were not measured.
    """

    response: ResponseReport
    easl: tuple[DatedResponse, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to look at besides the answers: a discordant marker, an adverse event, a choice that was made."""

    kind: str  # marker, adverse_event, course, anatomy
    text: str
    source: Citation | None = None
    origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier assessment of the same patient said, as far as a later one is compared with it."""

    assessed_on: date
    study_instance_uid: str
    selection: Selection | None
    overall_response: str | None  # at its last visit


@dataclass(frozen=True, slots=True, eq=False)
class Assessment:
    """
    One assessment of one patient at one study; the source of every document.

    `inputs` are the origins of everything that entered; `input_digest` is a hash over all inputs, the rule set and the
    constants, so that equal inputs give equal documents. `case_ref` is opaque and safe to log.
    """

    case_ref: str
    study_instance_uid: str
    assessed_on: date
    connector_version: str
    ruleset: str
    input_digest: str
    inputs: tuple[str, ...]
    time_points: tuple[TimePoint, ...]
    response: ResponseReport | None
    selection: Selection | None
    dose: DoseReport | None
    needs: tuple[str, ...] = ()  # "cannot decide: needs ..." sentences
    warnings: tuple[str, ...] = ()
    markers: tuple[MarkerReport, ...] = ()
    viable: ViableReport | None = None
    treated_lesions: tuple[TreatedLesionReport, ...] = ()
    uptake: tuple[UptakeReport, ...] = ()
    findings: tuple[Finding, ...] = ()
    changes: tuple[str, ...] = ()  # what is different from the last assessment, and why; never part of the digest
    worth_knowing: tuple[str, ...] = ()  # which fact could change the answer, the most telling first
