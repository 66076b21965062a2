"""Studies of one patient made on the spot: a CT with a liver, a lesion in it and one outside, and how they are read."""

import image_case as case
import numpy as np

from connector.dicom.read_study import DicomImaging

SOURCES = ["1.2.3.1.1", "1.2.3.1.2", "1.2.3.1.3", "1.2.3.1.4"]
SHAPE = (4, 12, 16)
LIVER = np.ones(SHAPE, dtype=bool)
LIVER[:, :, 12:] = False
LESION = np.zeros(SHAPE, dtype=bool)
LESION[1:3, 4:7, 3:8] = True
OUTSIDE = np.zeros(SHAPE, dtype=bool)
OUTSIDE[1:3, 4:7, 13:15] = True


def read(folder, **named):
    return DicomImaging().read([path for path in folder.rglob("*") if path.is_file()], **named)


def ct(folder, **changes):
    return case.slices(folder, np.zeros(SHAPE, dtype=np.int16), **changes)


def reasons(reading):
    return {each.where: each.reason for each in reading.skipped}


def long_axis(value, **changes):
    return case.group(case.number(case.LONG, value), **changes)


def study(folder, number, day, *groups, **changes):
    """A study of its own with a CT and, when groups are given, a report."""
    uids = {"StudyInstanceUID": f"1.2.{number}", "StudyDate": day}
    ct(folder / f"{number}", series=f"1.2.{number}.1", **uids)
    if groups:
        case.report(folder / f"{number}", *groups, SOPInstanceUID=f"1.2.{number}.6", **uids, **changes)
