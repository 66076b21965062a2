"""A segmentation or structure set is trusted only beside the images it was drawn on; this file finds them."""

from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset

from connector.core.errors import ImpossibleInput
from connector.dicom.headers import Header


def source_images(header: Header, others: Sequence[Header]) -> list[Header]:
    """
    Find the images an object was drawn on, one series, among other files of its study.

    Raises ImpossibleInput when none of them is there.
    """
    instances, series = _references(header.dataset)
    images = [each for each in others if "Rows" in each.dataset and each is not header]
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
    instances = {str(item.ReferencedSOPInstanceUID) for item in _items(dataset, "SourceImageSequence")}
    series: set[str] = set()
    for item in (*_items(dataset, "ReferencedSeriesSequence"), *_structure_series(dataset)):
        series.add(str(item.get("SeriesInstanceUID", "")))
        for keyword in ("ReferencedInstanceSequence", "ContourImageSequence"):
            instances.update(str(each.ReferencedSOPInstanceUID) for each in _items(item, keyword))
    return instances, series - {""}


def _structure_series(dataset: Dataset) -> Iterator[Dataset]:
    for space in _items(dataset, "ReferencedFrameOfReferenceSequence"):
        for study in _items(space, "RTReferencedStudySequence"):
            yield from _items(study, "RTReferencedSeriesSequence")


def _items(dataset: Dataset, keyword: str) -> Sequence[Dataset]:
    return dataset.get(keyword) or ()
