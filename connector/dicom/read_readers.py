"""Who measured in a report: several readers are kept apart, by number, and their names go no further than this."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydicom.dataset import Dataset

from connector.core.case import LesionMeasurement, Reading
from connector.dicom.read_codes import first_code, is_code
from connector.dicom.read_values import text
from connector.terminology import Concept

PERSON_OBSERVER_NAME = Concept("121008", "DCM", "Person Observer Name")
_PERSON = "PSN"


def observer_of(report: Dataset) -> str | None:
    """
    Return who made the measurements of a report, as a key that is only to be compared; None when no person is named.

    The person observer of the report's observation context, else of its Author Observer Sequence. Case, blanks and the
    parts of a name that is written twice in other scripts make no other person; two who read together are one reader.
    Source: DICOM PS3.16, TID 1001 to 1003; PS3.3, SR Document General Module.
    """
    names = sorted({key for name in _names(report) if (key := _key(name))})
    return " and ".join(names) or None


def _names(report: Dataset) -> Iterator[Any]:
    context = [
        item.get("PersonName")
        for item in report.get("ContentSequence") or ()
        if is_code(first_code(item, "ConceptNameCodeSequence"), PERSON_OBSERVER_NAME)
    ]
    if context:
        yield from context
        return
    for author in report.get("AuthorObserverSequence") or ():
        if text(author.get("ObserverType")) == _PERSON:
            yield author.get("PersonName")


def _key(name: Any) -> str:
    groups = (" ".join(group.replace("^", " ").casefold().split()) for group in text(name).split("="))
    return next(filter(None, groups), "")  # the letters of a name may be left out where it is written otherwise


OfStudy = Mapping[str, tuple[tuple[LesionMeasurement, ...], str]]


def numbered(studies: Mapping[str, OfStudy]) -> tuple[Reading, ...]:
    """
    Give the readers of a patient numbers, in the order of `studies` and of the readers of each; () for fewer than two.

    `studies` holds by Study Instance UID, and by the key of each reader, the lesions and the word on new lesions.
    """
    numbers = {
        key: f"reader {number}"
        for number, key in enumerate(dict.fromkeys(key for each in studies.values() for key in each), 1)
    }
    if len(numbers) < 2:  # noqa: PLR2004 - one reader has no one to be kept apart from
        return ()
    return tuple(
        Reading(uid, numbers[key], lesions, new_lesion)
        for uid, of_study in studies.items()
        for key, (lesions, new_lesion) in of_study.items()
    )
