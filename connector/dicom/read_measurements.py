"""Structured reports of any vendor become lesions with their measurements: TID 1500 with its measurement groups."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from pydicom.dataset import Dataset

from connector.core.case import Code, Enhancement, LesionMeasurement, LesionRole, LesionState, Uptake
from connector.core.errors import ImpossibleInput
from connector.core.evidence import Skipped
from connector.dicom import codes
from connector.dicom.headers import Header, reading
from connector.dicom.identity import uid_from
from connector.dicom.read_codes import LIVER, first_code, is_code, is_lesion, lobe_of_site, site_of
from connector.dicom.read_joined import as_viable, joined_in_one_report
from connector.dicom.read_readers import observer_of, observer_within
from connector.dicom.read_sources import evidence
from connector.dicom.read_uptake import reported_uptake
from connector.dicom.read_values import decimal, text
from connector.terminology import Concept

MEASUREMENT_GROUP = Concept("125007", "DCM", "Measurement Group")
TRACKING_IDENTIFIER = Concept("112039", "DCM", "Tracking Identifier")
TRACKING_UID = Concept("112040", "DCM", "Tracking Unique Identifier")
FINDING = Concept("121071", "DCM", "Finding")
FINDING_CATEGORY = Concept("276214006", "SCT", "Finding category")
FINDING_SITE = Concept("363698007", "SCT", "Finding Site")
ANATOMICAL_STRUCTURE = Concept("91723000", "SCT", "Anatomical structure")
NON_LESION = Concept("112076", "DCM", "Non-Lesion at Baseline")
TIME_POINT = Concept("C2348792", "UMLS", "Time Point")
# One diameter without a word on which: lesions are often measured so.
SINGLE_DIAMETERS = (
    Concept("81827009", "SCT", "Diameter"),
    Concept("410668003", "SCT", "Length"),
)

_MM_PER_UNIT = {"mm": Decimal(1), "cm": Decimal(10)}
_ML_PER_UNIT = {
    "mm3": Decimal("0.001"), "cm3": Decimal(1), "ml": Decimal(1), "mL": Decimal(1), "dm3": Decimal(1000),
    "l": Decimal(1000), "L": Decimal(1000),
}  # fmt: skip
_OF_STATE = {concept.code: LesionState(word) for word, concept in codes.LESION_STATES.items()}
_OF_ENHANCEMENT = {concept.code: Enhancement(word) for word, concept in codes.ENHANCEMENTS.items()}
_OF_LOBE = {concept.code: word for word, concept in codes.LOBES.items()}
_OF_NEW_LESION = {concept.code: word for word, concept in codes.NEW_LESION_ANSWERS.items()}


@dataclass(frozen=True, slots=True)
class Measurements:
    """What one person says in a report: lesions, the liver's volume, a word on new lesions, the time point's label."""

    lesions: tuple[LesionMeasurement, ...]
    liver_volume_ml: Decimal | None
    new_lesion: str | None
    time_point_label: str | None
    skipped: tuple[Skipped, ...]
    observer: str | None = None  # a key for comparing, see read_readers


class _Group:
    """The items of one container by concept, who made them, and the images that anything in it refers to."""

    def __init__(self, container: Dataset, observer: str | None) -> None:
        self.observer = observer
        self.images = {str(each.get("ReferencedSOPInstanceUID", "")) for each in _referenced(container)}
        self.items = [(first_code(item, "ConceptNameCodeSequence"), item) for item in _children(container)]

    def text(self, concept: Concept, keyword: str) -> str | None:
        found = (text(item.get(keyword)) for code, item in self.items if is_code(code, concept))
        return next((each for each in found if each), None)

    def code(self, concept: Concept) -> Code | None:
        found = (first_code(item, "ConceptCodeSequence") for code, item in self.items if is_code(code, concept))
        return next((each for each in found if each is not None), None)

    def number(self, concept: Concept) -> Dataset | None:
        """Find a measurement; context such as the order of the time point is no measurement."""
        found = (item for code, item in self.items if is_code(code, concept) and item.get("ValueType") == "NUM")
        return next((item for item in found if item.get("RelationshipType") == "CONTAINS"), None)


@reading()
def read_measurements(header: Header, observed_on: date) -> tuple[Measurements, ...]:
    """
    Read the measurement groups of a report (TID 1411, 1410, 1501, and look-alikes of older products), by observer.

    One document may hold what several persons measured, each group with its observation context; they are kept apart
    as reports of their own would be, in the order in which they first speak. Groups with one tracking UID are one
    lesion of an observer. A group that cannot be used becomes a line that says why: a length in pixels, a negative
    size, a short axis longer than the long one. Raises ImpossibleInput when the report has no measurement groups at
    all. Source: DICOM PS3.16, TID 1500 and its parts; PS3.17, RRR.5.
    """
    groups = [_Group(item, observer) for item, observer in _found(header.dataset, MEASUREMENT_GROUP)]
    if not groups:
        raise ImpossibleInput("the report holds no measurement groups (TID 1500): nothing to read for response")
    label = next(filter(None, (group.text(TIME_POINT, "TextValue") for group in groups)), None)
    answers = _new_lesions(header.dataset, {group.observer for group in groups})
    numbered = list(enumerate(groups, 1))
    observers = dict.fromkeys([*(group.observer for group in groups), *answers])
    return tuple(
        replace(
            _measurements(header, [each for each in numbered if each[1].observer == observer], observed_on),
            new_lesion=answers.get(observer), time_point_label=label, observer=observer,
        )
        for observer in observers
    )  # fmt: skip


def _measurements(header: Header, groups: Sequence[tuple[int, _Group]], observed_on: date) -> Measurements:
    """Read the groups of one observer, which keep their numbers in the report."""
    studies = evidence(header.dataset)
    stated = set(studies.values())
    # A report in a study of its own speaks of the one study it stands on.
    study = stated.pop() if len(stated) == 1 else header.study_instance_uid
    lesions: dict[str, LesionMeasurement] = {}
    skipped: list[Skipped] = []
    liver_volume_ml = None
    for number, group in groups:
        try:
            _check_own_study(group, studies, study)
            if is_code(group.code(FINDING), LIVER):
                liver_volume_ml = _volume_ml(group) or liver_volume_ml
            lesion = _lesion(group, header.sop_instance_uid, number, observed_on)
        except ImpossibleInput as fault:
            skipped.append(Skipped(header.sop_instance_uid, f"measurement group {number}: {fault}"))
            continue
        if lesion is not None:
            known = lesions.get(lesion.tracking_uid)
            lesions[lesion.tracking_uid] = joined_in_one_report(known, lesion) if known else lesion
    return Measurements(tuple(lesions.values()), liver_volume_ml, None, None, tuple(skipped))


def _children(item: Dataset) -> Sequence[Dataset]:
    return item.get("ContentSequence") or ()


def _found(root: Dataset, concept: Concept) -> Iterator[tuple[Dataset, str | None]]:
    """Walk the content tree in order, wherever a vendor nests what is looked for; each with who observed it."""
    waiting = [(item, observer_of(root)) for item in reversed(_children(root))]
    while waiting:
        item, around = waiting.pop()
        observer = observer_within(item, around)
        if is_code(first_code(item, "ConceptNameCodeSequence"), concept):
            yield item, observer
        else:
            waiting.extend((child, observer) for child in reversed(_children(item)))


def _referenced(container: Dataset) -> Iterator[Dataset]:
    waiting = list(_children(container))
    while waiting:
        item = waiting.pop()
        yield from item.get("ReferencedSOPSequence") or ()
        waiting.extend(_children(item))


def _check_own_study(group: _Group, studies: Mapping[str, str], own: str) -> None:
    """Check that a group was not measured on another study, as comparisons with priors are. Raises ImpossibleInput."""
    measured_on = {studies[uid] for uid in group.images if uid in studies}
    if measured_on and own not in measured_on:
        raise ImpossibleInput("it was measured on images of another study: read from that study's own report")


def _new_lesions(root: Dataset, measuring: Collection[str | None]) -> dict[str | None, str | None]:
    """The word on new lesions of each observer, the first one; of who measured nothing it is said for everybody."""
    answers: dict[str | None, str | None] = {}
    for item, observer in _found(root, codes.NEW_LESION):
        answer = first_code(item, "ConceptCodeSequence")
        said = _OF_NEW_LESION.get(answer.value) if answer else None
        answers.setdefault(observer if observer in measuring else None, said)
    return answers


def _lesion(group: _Group, origin: str, number: int, observed_on: date) -> LesionMeasurement | None:
    """Read one lesion; None for a group that describes something else, such as an organ."""
    finding, category = group.code(FINDING), group.code(FINDING_CATEGORY)
    baseline = group.code(codes.BASELINE_CATEGORY)
    if is_code(category, ANATOMICAL_STRUCTURE) or is_code(baseline, NON_LESION):
        return None
    if is_code(finding, codes.NON_ENHANCING_LESION) or is_code(finding, codes.NECROSIS):
        return None  # a part of a lesion that says nothing of its size
    lesion_named = is_lesion(category=category, kind=finding) or baseline is not None
    if finding is not None and not lesion_named and site_of(finding) not in {"other", "lymph_node"}:
        return None
    site_code = group.code(FINDING_SITE)
    site = site_of(site_code) if site_code is not None else site_of(finding)
    flags: list[str] = []
    long_axis, short_axis = _length_mm(group, codes.LONG_AXIS, flags), _length_mm(group, codes.SHORT_AXIS, flags)
    if long_axis is None:
        long_axis = _single_diameter(group, flags, lesion_named=lesion_named)
    volume = _volume_ml(group)
    state = _state(group, long_axis, short_axis, flags)
    says_more = any((volume is not None, group.number(codes.SUV_BW), group.code(codes.ENHANCEMENT)))
    if state is None and not (lesion_named and says_more):
        return None
    if long_axis is not None and short_axis is not None and short_axis > long_axis:
        raise ImpossibleInput("the short axis is longer than the long axis: measure the lesion again")
    tracking_uid = group.text(TRACKING_UID, "UID")
    if tracking_uid is None:
        tracking_uid = uid_from("lesion", origin, str(number))
        flags.append("the report gives no tracking UID: the lesion cannot be found again in other studies")
    lobe = group.code(codes.LIVER_LOBE)
    enhancement = group.code(codes.ENHANCEMENT)
    lesion = LesionMeasurement(
        tracking_uid=tracking_uid,
        tracking_id=group.text(TRACKING_IDENTIFIER, "TextValue") or f"group {number}",
        site=site,
        site_code=site_code,
        lymph_node=site == "lymph_node",
        origin=origin,
        observed_on=observed_on,
        role=_role(baseline),
        state=state or LesionState.PRESENT,
        long_axis_mm=long_axis,
        short_axis_mm=short_axis,
        volume_ml=volume,
        liver_lobe=_OF_LOBE.get(lobe.value) if lobe else lobe_of_site(site_code),
        slice_thickness_mm=_length_mm(group, codes.SLICE_THICKNESS, []),
        viable_mm=_length_mm(group, codes.VIABLE_DIAMETER, flags),
        viable_across_mm=_length_mm(group, codes.VIABLE_ACROSS, flags),
        enhancement=_OF_ENHANCEMENT.get(enhancement.value) if enhancement else None,
        uptake=_uptake(group, volume, flags),
        flags=tuple(flags),
    )
    return as_viable(lesion) if is_code(finding, codes.ENHANCING_LESION) else lesion


def _uptake(group: _Group, volume_ml: Decimal | None, flags: list[str]) -> Uptake | None:
    try:
        return reported_uptake(group.items, volume_ml)
    except ImpossibleInput as fault:
        flags.append(f"uptake not used: {fault}")
        return None


def _role(baseline: Code | None) -> LesionRole | None:
    if is_code(baseline, codes.TARGET_AT_BASELINE):
        return LesionRole.TARGET
    return LesionRole.NON_TARGET if is_code(baseline, codes.NON_TARGET_AT_BASELINE) else None


def _state(
    group: _Group, long_axis: Decimal | None, short_axis: Decimal | None, flags: list[str]
) -> LesionState | None:
    """Tell how the lesion was found; None when the group says nothing about it."""
    stated = group.code(codes.LESION_STATE)
    if stated is not None and stated.value in _OF_STATE:
        return _OF_STATE[stated.value]
    if long_axis == 0 or (long_axis is None and short_axis == 0):
        return LesionState.ABSENT
    if long_axis is not None or short_axis is not None:
        return LesionState.MEASURED
    if flags:  # a diameter was reported without a value
        return LesionState.NOT_EVALUABLE
    return LesionState.PRESENT if group.code(codes.BASELINE_CATEGORY) is not None else None


def _single_diameter(group: _Group, flags: list[str], *, lesion_named: bool) -> Decimal | None:
    for concept in SINGLE_DIAMETERS:
        if group.number(concept) is None:
            continue
        if not lesion_named:
            raise ImpossibleInput(
                f"a {concept.meaning.lower()} without a finding is not known to be a lesion: name the finding, or "
                "measure the long and the short axis"
            )
        length = _length_mm(group, concept, flags)
        if length is not None:
            flags.append(f"measured as one {concept.meaning.lower()}: taken as the long axis")
            return length
    return None


def _length_mm(group: _Group, concept: Concept, flags: list[str]) -> Decimal | None:
    measured = _measured(group, concept)
    if measured is None:
        if group.number(concept) is not None:
            flags.append(f"the {concept.meaning.lower()} was reported without a value")
        return None
    value, unit = measured
    if unit not in _MM_PER_UNIT:
        raise ImpossibleInput(
            f"the {concept.meaning.lower()} is in {unit!r}, not in mm or cm: calibrate the image and measure it again"
        )
    if value < 0:
        raise ImpossibleInput(f"the {concept.meaning.lower()} is negative: measure the lesion again")
    return value * _MM_PER_UNIT[unit]


def _volume_ml(group: _Group) -> Decimal | None:
    measured = _measured(group, codes.VOLUME)
    if measured is None:
        return None
    value, unit = measured
    if unit not in _ML_PER_UNIT:
        raise ImpossibleInput(f"the volume is in {unit!r}, not in mm3, cm3, ml or l: export the report again")
    if value < 0:
        raise ImpossibleInput("the volume is negative: measure the lesion again")
    return value * _ML_PER_UNIT[unit]


def _measured(group: _Group, concept: Concept) -> tuple[Decimal, str] | None:
    """Read a value exactly as written and its unit; None when the item is missing or holds no value."""
    item = group.number(concept)
    values = item.get("MeasuredValueSequence") if item is not None else None
    if not values:
        return None
    value = decimal(values[0].get("NumericValue"))
    unit = first_code(values[0], "MeasurementUnitsCodeSequence")
    if value is None:
        return None
    if unit is None:
        raise ImpossibleInput(f"the {concept.meaning.lower()} has no unit: export the report again")
    # Some viewers put "1" (no unit) as code and "px" as its meaning.
    return value, unit.value if unit.value != "1" else unit.meaning or unit.value
