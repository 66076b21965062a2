"""What a page shows of images: series and planes in order, and whether text in the pixels may name somebody."""

import numpy as np
import pytest
from image_case import ABSENT, slices

from connector.core.errors import ImpossibleInput
from connector.dicom.view_images import list_series, read_plane


def test_the_largest_series_comes_first_and_its_planes_in_the_order_of_the_patient(tmp_path) -> None:
    few, many = np.zeros((2, 4, 4)), np.stack([np.full((4, 4), 10 * plane) for plane in range(3)])
    paths = [*slices(tmp_path / "few", few, series="1.2.3.2"), *reversed(slices(tmp_path / "many", many))]
    first, second = list_series(paths)
    assert [(one.modality, len(one.planes)) for one in (first, second)] == [("CT", 3), ("CT", 2)]
    heights = [float(header.dataset.ImagePositionPatient[2]) for header, _ in first.planes]
    assert heights == sorted(heights)
    with pytest.raises(ImpossibleInput, match="no plane 3"):
        read_plane(first, 3)


@pytest.mark.parametrize(
    ("changes", "may_name", "why"),
    [
        ({}, False, "a scanner's image that says nothing has none, as most of them"),
        ({"BurnedInAnnotation": "YES"}, True, "it says so"),
        ({"BurnedInAnnotation": "NO", "ConversionType": "WSD", "Modality": "OT"}, False, "it says that it has none"),
        ({"ConversionType": "WSD"}, True, "made by a workstation: Secondary Capture"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, True, "a saved screen"),
        ({"ImageType": ["DERIVED", "SECONDARY", "MPR"]}, False, "a reformatted CT"),
        ({"Modality": "US"}, True, "ultrasound often has the name in its margin"),
        ({"Modality": ABSENT}, True, "nobody knows what it is"),
    ],
)
def test_whether_text_in_the_pixels_may_name_the_patient(tmp_path, changes, may_name, why) -> None:
    (series,) = list_series(slices(tmp_path, np.zeros((1, 4, 4)), **changes))
    assert series.may_name_patient is may_name, why
