"""Reports, segmentations and structures belong to the images they were made on; this file finds those images."""

from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset

from connector.core.errors import ImpossibleInput
from connector.dicom.headers import Header


def is_image(header: Header) -> bool:
    """Whether the object is an image of the patient, which segmentations and contours may be drawn on."""
    name = str(header.dataset.SOPClassUID.name)
    return name.endswith("Image Storage") and not name.startswith(("Secondary", "Multi-frame", "RT "))


def home_studies(headers: Sequence[Header]) -> dict[str, str]:
    """
    Map instances to the study of their images, where that is another study than their own.

    Some products put their results into a new study. A lesion was measured when its images were taken, not when a
    result was made. Studies that hold nothing but such results are mapped too, by their study UID.
    """
    study_of = {each.sop_instance_uid: each.study_instance_uid for each in headers if is_image(each)}
    homes: dict[str, str] = {}
    staying = set()
    for header in headers:
        results = () if is_image(header) else (*_references(header.dataset)[0], *evidence(header.dataset))
        found = {study_of[uid] for uid in results if uid in study_of}
        if len(found) == 1 and header.study_instance_uid not in found:
            homes[header.sop_instance_uid] = found.pop()
        else:
            staying.add(header.study_instance_uid)
    moved = {header.study_instance_uid: homes.get(header.sop_instance_uid, "") for header in headers}
    return homes | {study: home for study, home in moved.items() if study not in staying}


def evidence(dataset: Dataset) -> dict[str, str]:
    """Map the instances a report stands on to their studies (Current Requested and Pertinent Other Evidence)."""
    found = {}
    for keyword in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence"):
        for study in _items(dataset, keyword):
            for series in _items(study, "ReferencedSeriesSequence"):
                for uid in _referenced(_items(series, "ReferencedSOPSequence")):
                    found[uid] = str(study.get("StudyInstanceUID", ""))
    return found


def source_images(header: Header, others: Sequence[Header]) -> list[Header]:
    """
    Find the images an object was drawn on, one series, among other files of its study.

    Raises ImpossibleInput when none of them is there.
    """
    instances, series = _references(header.dataset)
    images = [each for each in others if is_image(each)]
    if instances:
        found = [each for each in images if each.sop_instance_uid in instances]
    else:
        found = [each for each in images if each.series_instance_uid in series]
    if not instances and not series:
        space = str(header.dataset.get("FrameOfReferenceUID") or "")
        found = [each for each in images if space and str(each.dataset.get("FrameOfReferenceUID") or "") == space]
    if not found:
        raise ImpossibleInput("its source images are not among the files: send the series it was drawn on, then again")
    first = found[0].series_instance_uid
    return [each for each in found if each.series_instance_uid == first]


def check_sources(header: Header, others: Sequence[Header]) -> None:
    """Check that the images are there and share the object's frame of reference. Raises ImpossibleInput."""
    images = source_images(header, others)
    spaces = {str(each.dataset.get("FrameOfReferenceUID") or "") for each in images}
    if str(header.dataset.get("FrameOfReferenceUID") or "") not in spaces:
        raise ImpossibleInput("it lies in another frame of reference than its images: segment those images again")


def _references(dataset: Dataset) -> tuple[set[str], set[str]]:
    """Name the referenced instances and series, wherever the object's kind keeps them."""
    instances = set(_referenced(_items(dataset, "SourceImageSequence")))
    series: set[str] = set()
    for item in (*_items(dataset, "ReferencedSeriesSequence"), *_structure_series(dataset)):
        series.add(str(item.get("SeriesInstanceUID", "")))
        for keyword in ("ReferencedInstanceSequence", "ContourImageSequence"):
            instances.update(_referenced(_items(item, keyword)))
    return instances, series - {""}


def _referenced(items: Sequence[Dataset]) -> Iterator[str]:
    """The instances that are named; an item that names none must not cost a study, and names nothing."""
    for item in items:
        if uid := str(item.get("ReferencedSOPInstanceUID") or ""):
            yield uid


def _structure_series(dataset: Dataset) -> Iterator[Dataset]:
    for space in _items(dataset, "ReferencedFrameOfReferenceSequence"):
        for study in _items(space, "RTReferencedStudySequence"):
            yield from _items(study, "RTReferencedSeriesSequence")


def _items(dataset: Dataset, keyword: str) -> Sequence[Dataset]:
    return dataset.get(keyword) or ()
