"""Who has measured: one person under any spelling is one reader, and nobody's name leaves the reading of DICOM."""

from decimal import Decimal

import image_case as case
import numpy as np
import pytest

from connector.dicom.read_readers import observer_of
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
