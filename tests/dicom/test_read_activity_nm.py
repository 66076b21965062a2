"""Counts of NM images: how frames make slices, and when they are activity."""

from decimal import Decimal

import image_case as case
import numpy as np
import pytest

from connector.core.errors import ImpossibleInput
from connector.dicom.read_activity import read_activity


def test_the_sample_spect_is_counts():
    found = read_activity([case.DATA / "synthetic-maa" / "maa_spect.dcm"])
    assert (found.nuclide, found.quantitative) == ("Tc-99m", False)
    assert found.administered_activity_gbq == Decimal("0.15"), "the NM object gives MBq"


@pytest.mark.parametrize(
    ("spacing", "origin_z", "first_value", "why"),
    [
        (4, 0, 1, "positive: the next slice lies along the normal, towards the head"),
        (-4, -8, 3, "negative: towards the feet, so the last slice comes first"),
    ],
)
def test_the_sign_of_the_spacing_stacks_nm_slices(tmp_path, spacing, origin_z, first_value, why):
    planes = np.arange(1, 4)[:, None, None] * np.ones((3, 4, 5), dtype=int)
    found = read_activity([case.spect(tmp_path, planes, SpacingBetweenSlices=spacing)])
    assert found.geometry.origin_mm == (-10.0, -20.0, float(origin_z)), why
    one_hour = 2 ** (1 / 6.015)
    assert found.concentration_bq_per_ml[0, 0, 0] == pytest.approx(first_value * one_hour), why
    assert not found.quantitative


def test_nm_frames_follow_the_slice_vector(tmp_path):
    planes = np.arange(1, 4)[:, None, None] * np.ones((3, 4, 5), dtype=int)
    found = read_activity([case.spect(tmp_path, planes, SliceVector=[3, 1, 2])])
    assert np.rint(found.concentration_bq_per_ml[:, 0, 0] / 2 ** (1 / 6.015)).tolist() == [2, 3, 1]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({"ImageType": ["ORIGINAL", "PRIMARY", "STATIC", "EMISSION"]}, "planar", id="planar"),
        pytest.param({"FrameIncrementPointer": [0x00540010, 0x00540080]}, "more than slices", id="gated"),
        pytest.param({"SliceVector": [1, 2]}, "Slice Vector", id="a frame without a slice"),
        pytest.param(
            {"SpacingBetweenSlices": case.ABSENT, "SliceThickness": case.ABSENT}, "Spacing Between", id="no spacing"
        ),
        pytest.param({"DetectorInformationSequence": case.ABSENT}, "no orientation", id="no place"),
    ],
)
def test_nm_refused_with_a_reason(tmp_path, changes, told):
    with pytest.raises(ImpossibleInput, match=told):
        read_activity([case.spect(tmp_path, np.ones((3, 4, 5)), **changes)])


def test_nm_counts_need_no_times(tmp_path):
    found = read_activity([case.spect(tmp_path, np.ones((3, 4, 5)), AcquisitionTime=case.ABSENT)])
    assert (found.decay_hours, found.decay_reference) == (0.0, "not known")
    assert found.concentration_bq_per_ml.max() == 1


def test_a_mapping_to_real_world_values_makes_nm_quantitative(tmp_path):
    mapping = case.item(
        RealWorldValueSlope=50.0, RealWorldValueIntercept=0.0,
        MeasurementUnitsCodeSequence=case.code("Bq/ml", "UCUM", "Bq/ml"),
    )  # fmt: skip
    found = read_activity([case.spect(tmp_path, np.ones((3, 4, 5)), RealWorldValueMappingSequence=[mapping])])
    assert found.quantitative
    assert found.concentration_bq_per_ml.max() == pytest.approx(50 * 2 ** (1 / 6.015))
