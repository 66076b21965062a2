"""What is known of one patient when an assessment is made: identity, time points, facts, activity map."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from connector.core.evidence import Observed, Skipped

FactValue = bool | int | Decimal | str | tuple[Decimal, ...] | frozenset[str]


@dataclass(frozen=True, slots=True)
class Identifier:
    """A patient identifier; `system` is the FHIR system or, from DICOM, the issuer as sent (None when absent)."""

    value: str
    system: str | None = None
    type_code: str | None = None


@dataclass(frozen=True, slots=True)
class PatientIdentity:
    """Who the patient is to one system. Names are (family, given), unfolded as sent; None means not known."""

    identifiers: tuple[Identifier, ...]
    family_name: str | None = None
    given_name: str | None = None
    birth_date: date | None = None
    sex: str | None = None  # "M", "F", "O" or None


class LesionRole(StrEnum):
    """Baseline category, DICOM PS3.16 CID 6145."""

    TARGET = "target"
    NON_TARGET = "non_target"


class LesionState(StrEnum):
    """How a lesion was found at a time point; the words of `connector respond`."""

    MEASURED = "measured"
    ABSENT = "absent"
    TOO_SMALL = "too_small"
    NOT_EVALUABLE = "not_evaluable"
    PRESENT = "present"
    UNEQUIVOCAL_PROGRESSION = "unequivocal_progression"
    TREATED_LOCALLY = "treated_locally"


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept; `system` is a FHIR system URL or a DICOM coding scheme designator."""

    value: str
    system: str
    meaning: str


class Enhancement(StrEnum):
    """What enhances in or along a treated lesion, as a reader sees it."""

    NONE = "none"
    EXPECTED = "expected"  # a thin smooth rim, or a perfusion change of the parenchyma around
    ATYPICAL = "atypical"  # neither expected nor that of viable tumour
    MASSLIKE = "masslike"  # nodular, mass-like, or thick irregular tissue
    NOT_EVALUABLE = "not_evaluable"


@dataclass(frozen=True, slots=True)
class Uptake:
    """
    One tumour in one PET: standardised uptake by body weight in g/mL, volume in mL, glycolysis in g; None: not told.

    `functional_by` says what a voxel had to reach to count as functional tumour.
    """

    suv_max: float
    suv_peak: float | None = None
    suv_mean: float | None = None  # over the functional volume
    functional_volume_ml: float | None = None
    tlg_g: float | None = None  # total lesion glycolysis: mean SUV times functional volume
    functional_by: str = ""


@dataclass(frozen=True, slots=True)
class LesionMeasurement:
    """
    One lesion at one time point.

    Diameters in millimetres, in the plane of measurement; `volume_ml` from a segmentation. `tracking_uid` is the
    lesion's for life; `tracking_id` is its label for people ("T01"). `origin` is the SOP Instance UID it was read from;
    `segment_number` is set when that instance is a segmentation. `viable_mm` is the longest diameter of the part that
    enhances in the arterial phase, 0 when none does; `viable_across_mm` the longest one perpendicular to it.
    `conflicts` says why it may be two lesions under one tracking UID: then nothing is judged by it.
    """

    tracking_uid: str
    tracking_id: str
    site: str  # organ, one of: liver, lung, bone, lymph_node, brain, pleura, adrenal, thyroid_bed, other
    site_code: Code | None
    lymph_node: bool
    origin: str
    observed_on: date
    role: LesionRole | None = None
    state: LesionState = LesionState.MEASURED
    long_axis_mm: Decimal | None = None
    short_axis_mm: Decimal | None = None
    volume_ml: Decimal | None = None
    liver_lobe: str | None = None  # "left" or "right"
    segment_number: int | None = None
    slice_thickness_mm: Decimal | None = None
    flags: tuple[str, ...] = ()
    centroid_mm: tuple[float, float, float] | None = None  # LPS, in the frame of reference of its own study
    viable_mm: Decimal | None = None
    viable_across_mm: Decimal | None = None
    enhancement: Enhancement | None = None
    uptake: Uptake | None = None
    conflicts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TimePoint:
    """One imaging study of the patient: its lesions, and the liver when it was segmented."""

    study_instance_uid: str
    studied_on: date
    modality: str
    lesions: tuple[LesionMeasurement, ...] = ()
    liver_volume_ml: Decimal | None = None  # whole liver including tumour
    liver_tumour_volume_ml: Decimal | None = None
    accession_number: str | None = None
    new_lesion: str = "none"  # none, equivocal, unequivocal
    label: str | None = None  # what the report calls this time point (TID 1502)


@dataclass(frozen=True, slots=True)
class Reading:
    """
    What one of several readers found in one study.

    `reader` is a number such as "reader 2", in the order in which they first spoke of this patient, and never a name.
    """

    study_instance_uid: str
    reader: str
    lesions: tuple[LesionMeasurement, ...]
    new_lesion: str


@dataclass(frozen=True, slots=True, eq=False)
class VolumeGeometry:
    """
    Where a regular grid lies in the patient (LPS, millimetres).

    Arrays are indexed [plane, row, column]. `origin_mm` is the centre of voxel [0, 0, 0]; the three unit vectors point
    along increasing plane, row and column index; `spacing_mm` is (plane, row, column).
    """

    shape: tuple[int, int, int]
    origin_mm: tuple[float, float, float]
    plane_direction: tuple[float, float, float]
    row_step_direction: tuple[float, float, float]  # along increasing row index (DICOM: the column cosines)
    column_step_direction: tuple[float, float, float]  # along increasing column index (DICOM: the row cosines)
    spacing_mm: tuple[float, float, float]
    frame_of_reference_uid: str

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        plane, row, column = self.spacing_mm
        return plane * row * column / 1000.0


@dataclass(frozen=True, slots=True, eq=False)
class ActivityMap:
    """
    Activity concentration in the patient, decay-corrected to the administration.

    `concentration_bq_per_ml` has the geometry's shape. `decay_hours` is the time from administration to the moment the
    stored values refer to, `decay_reference` says where that moment came from. `quantitative` is False for counts.
    """

    concentration_bq_per_ml: NDArray[np.float32]
    geometry: VolumeGeometry
    nuclide: str
    study_instance_uid: str
    series_instance_uid: str
    decay_hours: float
    decay_reference: str
    quantitative: bool
    administered_activity_gbq: Decimal | None = None
    sop_instance_uids: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """
    A named region as a mask on a geometry, from a segmentation or a structure set.

    The geometry may be a crop of the image's grid around the region; regions of an `ImagingReading` with activity lie
    on the activity's lattice of voxels, and `outside_fraction` is what of them was drawn beyond it (0..1).
    """

    name: str
    kind: str  # liver, lesion, lung, other
    mask: NDArray[np.bool_]
    geometry: VolumeGeometry
    origin: str
    number: int
    tracking_uid: str | None = None
    outside_fraction: float = 0.0


@dataclass(frozen=True, slots=True)
class StructureGap:
    """How far the nearest liver lesion lies from a segmented structure that matters to ablation, border to border."""

    structure: str  # bile duct, hilum, large vessel
    lesion: str
    gap_mm: Decimal  # 0 where they touch
    origin: str  # the segmentation that holds the structure


@dataclass(frozen=True, slots=True, eq=False)
class AnatomyImage:
    """CT values in Hounsfield units around the regions; the geometry is a part of the series' own grid."""

    hounsfield: NDArray[np.float32]
    geometry: VolumeGeometry
    series_instance_uid: str


@dataclass(frozen=True, slots=True, eq=False)
class ImagingReading:
    """Everything the imaging side says about one patient."""

    identity: PatientIdentity
    time_points: tuple[TimePoint, ...]
    activity: ActivityMap | None = None
    regions: tuple[Region, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    anatomy: AnatomyImage | None = None
    lung_mass: Observed[Decimal] | None = None  # in kg, by CT density
    planar_lung_shunt: Observed[Decimal] | None = None  # fraction 0..1, by planar views
    warnings: tuple[str, ...] = ()
    readings: tuple[Reading, ...] = ()  # of every reader who is named, when there are several
    gaps: tuple[StructureGap, ...] = ()  # of the assessed study


@dataclass(frozen=True, slots=True)
class LabResult:
    """
    One dated laboratory result with the laboratory's own limits of normal, None where it gave none.

    `analyte` is a word of `core.response.adverse_events.Analyte`; value and limits are in U/L for enzymes, umol/L for
    bilirubin and creatinine, and in the unit of the analyte's name else.
    """

    analyte: str
    value: Decimal
    origin: str
    observed_on: date
    lower_normal: Decimal | None = None
    upper_normal: Decimal | None = None


@dataclass(frozen=True, slots=True)
class RecordReading:
    """
    Everything the record says about one patient.

    `facts` uses the names of `core/catalogue.py`. `patient_reference` is the EHR's (`Patient/17`), `references` names
    the resources a writer refers to (`condition.liver_metastases` → `Condition/4`). `series` holds every usable dated
    value of a marker, oldest first, under the fact's name, for trends and doubling times. `treatments` holds the start
    of every treatment of the tumour (a modality, RAI or a systemic therapy); one whose day is not known has no date.
    """

    identity: PatientIdentity
    patient_reference: str
    facts: Mapping[str, Observed[FactValue]] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)
    skipped: tuple[Skipped, ...] = ()
    series: Mapping[str, tuple[Observed[Decimal], ...]] = field(default_factory=dict)
    treatments: tuple[Observed[str], ...] = ()
    labs: tuple[LabResult, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class CaseFacts:
    """One patient at one moment: what `core.assess` is given. `case_ref` is opaque and safe to log."""

    case_ref: str
    study_instance_uid: str
    time_points: tuple[TimePoint, ...]
    facts: Mapping[str, Observed[FactValue]]
    activity: ActivityMap | None = None
    regions: tuple[Region, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    series: Mapping[str, tuple[Observed[Decimal], ...]] = field(default_factory=dict)
    treatments: tuple[Observed[str], ...] = ()
    labs: tuple[LabResult, ...] = ()
    lung_mass: Observed[Decimal] | None = None  # in kg, by CT density
    planar_lung_shunt: Observed[Decimal] | None = None  # fraction 0..1, by planar views
    warnings: tuple[str, ...] = ()  # of the images
    readings: tuple[Reading, ...] = ()  # of every reader who is named, when there are several
    gaps: tuple[StructureGap, ...] = ()  # of the assessed study
