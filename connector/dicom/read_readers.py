"""Who measured in a report: several readers are kept apart, by number, and their names go no further than this."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydicom.dataset import Dataset

from connector.core.case import LesionMeasurement, Reading
from connector.dicom.read_codes import first_code, is_code
from connector.dicom.read_values import text
from connector.terminology import Concept

PERSON_OBSERVER_NAME = Concept("121008", "DCM", "Person Observer Name")
# Any of these says that a program or device observed (TID 1002 and 1004).
_OBSERVER_TYPE, _DEVICE = Concept("121005", "DCM", "Observer Type"), Concept("121007", "DCM", "Device")
_DEVICE_OBSERVERS = (Concept("121012", "DCM", "Device Observer UID"), Concept("121013", "DCM", "Device Observer Name"))
_PERSON = "PSN"


def observer_of(report: Dataset) -> str | None:
    """
    Return who made the measurements of a report, as a key that is only to be compared; None when no person is named.

    The person observer of the report's observation context, else of its Author Observer Sequence. Case, blanks and the
    parts of a name that is written twice in other scripts make no other person; two who read together are one reader.
    Source: DICOM PS3.16, TID 1001 to 1003; PS3.3, SR Document General Module.
    """
    context = list(_persons(report))
    return _together(context or _authors(report))


def observer_within(container: Dataset, inherited: str | None) -> str | None:
    """
    Return who observed what a container of a report holds, from who did so around it.

    Observation context is inherited, and a context of its own takes its place: another person, or a device, which is
    nobody. Source: DICOM PS3.3, C.17.5 (Observation Context); PS3.16, TID 1001 to 1004.
    """
    own = list(_persons(container))
    if own:
        return _together(own)
    return None if _is_by_device(container) else inherited


def _persons(container: Dataset) -> Iterator[Any]:
    for item in container.get("ContentSequence") or ():
        if is_code(first_code(item, "ConceptNameCodeSequence"), PERSON_OBSERVER_NAME):
            yield item.get("PersonName")


def _authors(report: Dataset) -> Iterator[Any]:
    for author in report.get("AuthorObserverSequence") or ():
        if text(author.get("ObserverType")) == _PERSON:
            yield author.get("PersonName")


def _is_by_device(container: Dataset) -> bool:
    for item in container.get("ContentSequence") or ():
        name = first_code(item, "ConceptNameCodeSequence")
        if is_code(name, _OBSERVER_TYPE) and is_code(first_code(item, "ConceptCodeSequence"), _DEVICE):
            return True
        if any(is_code(name, concept) for concept in _DEVICE_OBSERVERS):
            return True
    return False


def _together(names: Iterable[Any]) -> str | None:
    return " and ".join(sorted({key for name in names if (key := _key(name))})) or None


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
