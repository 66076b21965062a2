"""Who has measured: one person under any spelling is one reader, and nobody's name leaves the reading of DICOM."""

from decimal import Decimal

import image_case as case
import numpy as np
import pytest

from connector.dicom import codes
from connector.dicom.read_readers import observer_of, observer_within
from connector.dicom.read_study import DicomImaging


def context(name):
    return case.content("PNAME", ("121008", "DCM", "Person Observer Name"), "HAS OBS CONTEXT", PersonName=name)


def author(name, kind="PSN"):
    return case.item(ObserverType=kind, PersonName=name)


@pytest.mark.parametrize(
    ("report", "expected", "why"),
    [
        (case.item(ContentSequence=[context("Doe^Jane")]), "doe jane", "the person of the observation context"),
        (case.item(ContentSequence=[context("DOE^Jane ^^")]), "doe jane", "case, blanks and empty parts"),
        (case.item(ContentSequence=[context("Yamada^Tarou=山田^太郎")]), "yamada tarou", "written in two scripts"),
        (case.item(ContentSequence=[context("=山田^太郎=やまだ^たろう")]), "山田 太郎", "not written in letters"),
        (case.item(ContentSequence=[context("B"), context("A")]), "a and b", "two who read together are one reader"),
        (case.item(AuthorObserverSequence=[author("Doe^Jane")]), "doe jane", "else who made the document"),
        (case.item(AuthorObserverSequence=[author("Roe^Max")], ContentSequence=[context("Doe^Jane")]), "doe jane",
         "the context of the measurements goes first"),
        (case.item(AuthorObserverSequence=[author("Box", "DEV")]), None, "a device is no person"),
        (case.item(ContentSequence=[context("")]), None, "a name left blank"),
        (case.item(), None, "nothing is said"),
    ],
)  # fmt: skip
def test_who_has_measured(report, expected, why):
    assert observer_of(report) == expected, why


def found(folder, *reports):
    """One study with a CT and the given reports, each (observers, size, time)."""
    case.slices(folder, np.zeros((3, 4, 4), dtype=np.int16))
    for number, (observers, size, at) in enumerate(reports):
        group = case.group(case.number(case.LONG, size))
        made = {"SOPInstanceUID": f"1.2.3.6.{number}", "ContentDate": "20260102", "ContentTime": at}
        case.report(folder, group, name=f"{number}.dcm", observers=observers, **made)
    return DicomImaging().read(list(folder.iterdir()))


def sizes(lesions):
    return [lesion.long_axis_mm for lesion in lesions]


def test_two_readers_of_one_study_have_a_reading_each_and_the_first_one_stands(tmp_path):
    reading = found(tmp_path, (["B^B"], "22", "120000"), (["A^A"], "20", "110000"))
    assert [(one.reader, sizes(one.lesions)) for one in reading.readings] == [("reader 1", [20]), ("reader 2", [22])]
    (point,) = reading.time_points
    assert sizes(point.lesions) == [Decimal(20)]
    assert point.lesions[0].flags == (), "nothing was merged, so nothing differs"


def test_a_corrected_report_of_one_reader_is_still_one_reading(tmp_path):
    reading = found(tmp_path, (["A^A"], "22", "120000"), (["a^a"], "20", "110000"))
    (lesion,) = reading.time_points[0].lesions
    assert (reading.readings, lesion.long_axis_mm) == ((), 22)
    assert lesion.flags == ("long_axis_mm differs between two descriptions of this lesion in one study: check",)


def test_a_report_that_names_nobody_is_compared_with_the_one_reader(tmp_path):
    reading = found(tmp_path, (["A^A"], "22", "120000"), ([], "20", "110000"))
    assert reading.readings == ()
    assert len(reading.time_points[0].lesions[0].flags) == 1


def device(name="Segmenter"):
    return case.content("TEXT", ("121013", "DCM", "Device Observer Name"), "HAS OBS CONTEXT", TextValue=name)


def by(person, size, *more, label="T01"):
    """A measurement group, with observation context of its own when a person is named."""
    who = [context(person)] if isinstance(person, str) else [person] if person is not None else []
    return case.group(*who, case.number(case.LONG, size), *more, label=label, uid=f"1.9.{int(label[1:])}")


def new_lesion(answer):
    concept, code = codes.NEW_LESION, codes.NEW_LESION_ANSWERS[answer]
    return case.coded((concept.code, concept.scheme, "x"), (code.code, code.scheme, "x"))


def in_one_document(folder, *groups, observers=()):
    case.slices(folder, np.zeros((3, 4, 4), dtype=np.int16))
    case.report(folder, *groups, observers=observers, ContentDate="20260102", ContentTime="110000")
    return DicomImaging().read(list(folder.iterdir()))


PART_OF_ANOTHER = case.content(
    "CONTAINER", ("126010", "DCM", "Imaging Measurements"), ContentSequence=[context("B^B"), by(None, "22")]
)


@pytest.mark.parametrize(
    ("observers", "groups", "why"),
    [
        ([], [by("A^A", "20"), by("B^B", "22")], "each group names its person"),
        (["A^A"], [by(None, "20"), by("B^B", "22")], "a group without context has that around it, another takes it"),
        (["S^S"], [by("A^A", "20"), by("B^B", "22")], "who signed the document and measured nothing is no reader"),
        (["A^A"], [by(None, "20"), PART_OF_ANOTHER], "a context holds for all that its container holds"),
        ([], [by("A^A", "20"), by("B^B", "22"), by(device(), "30", label="T02")], "a program's group is of both"),
    ],
)  # fmt: skip
def test_two_readers_in_one_document_are_kept_apart_as_in_two(tmp_path, observers, groups, why):
    reading = in_one_document(tmp_path / "one", *groups, observers=observers)
    apart = found(tmp_path / "two", (["A^A"], "20", "110000"), (["B^B"], "22", "120000"))
    first = [(one.reader, one.new_lesion, sizes(one.lesions)[:1]) for one in reading.readings]
    assert first == [(one.reader, one.new_lesion, sizes(one.lesions)) for one in apart.readings], why
    (point,) = reading.time_points
    assert sizes(point.lesions)[0] == Decimal(20), "the first to speak stands"
    assert point.lesions[0].flags == (), "nothing was merged, so nothing differs"


def test_a_device_is_nobody_and_a_person_beside_it_has_measured():
    assert observer_within(case.item(ContentSequence=[device()]), "doe jane") is None
    assert observer_within(case.item(ContentSequence=[device(), context("Roe^Max")]), "doe jane") == "roe max"
    assert observer_within(case.item(), "doe jane") == "doe jane"


@pytest.mark.parametrize(
    ("groups", "expected", "why"),
    [
        ([by("A^A", "20", new_lesion("none")), by("B^B", "22", new_lesion("unequivocal"))], ["none", "unequivocal"],
         "each speaks for himself"),
        ([by("A^A", "20"), by("B^B", "22"), new_lesion("unequivocal")], ["unequivocal"] * 2,
         "what nobody in particular says is said for both"),
    ],
)  # fmt: skip
def test_the_word_on_new_lesions_is_its_readers(tmp_path, groups, expected, why):
    reading = in_one_document(tmp_path, *groups)
    assert [one.new_lesion for one in reading.readings] == expected, why


def test_a_group_that_cannot_be_used_is_told_once_with_its_number_in_the_document(tmp_path):
    reading = in_one_document(tmp_path, by("A^A", "20"), by("B^B", "-1"), by("B^B", "22", label="T02"))
    told = [each.reason for each in reading.skipped if "measurement group" in each.reason]
    assert told == ["measurement group 2: the long axis is negative: measure the lesion again"]
