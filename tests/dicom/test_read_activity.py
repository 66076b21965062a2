"""Every trap of PET and NM headers: what is read, what is warned of, and what is refused and why."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import image_case as case
import numpy as np
import pydicom
import pytest

from connector.core.errors import ImpossibleInput
from connector.dicom.read_activity import read_activity

HALF_LIFE_H = 64.1


def grown(hours):
    """1000 Bq/mL carried back to the administration."""
    return 1000 * 2 ** (hours / HALF_LIFE_H)


def test_the_sample_pet_is_carried_to_its_administration():
    found = read_activity(sorted((case.DATA / "synthetic-y90-pet").iterdir()))
    assert (found.nuclide, found.quantitative, found.decay_hours) == ("Y-90", True, 4.0)
    assert found.administered_activity_gbq == Decimal("2.5")
    assert found.concentration_bq_per_ml.max() == pytest.approx(1.5e6 * 2 ** (4 / HALF_LIFE_H))
    assert found.geometry.spacing_mm == (8.0, 5.0, 5.0)
    assert len(found.sop_instance_uids) == 10


@pytest.mark.parametrize(
    ("changes", "hours", "why"),
    [
        ({}, 4, "values stand for the series time"),
        ({"AcquisitionTime": "120500"}, 4, "START: the series began before this bed"),
        ({"AcquisitionTime": "110000"}, 3, "a series time after the acquisition is when it was made again"),
        ({"SeriesTime": case.ABSENT}, 4, "without series time the acquisition is the start"),
        ({"AcquisitionTime": case.ABSENT}, 4, "without acquisition time the series time is all there is"),
        ({"DecayCorrection": "ADMIN"}, 0, "values stand for the administration already"),
        ({"DecayCorrection": "NONE", "AcquisitionTime": "130000", "CorrectedImage": ["ATTN"]}, 5,
         "values stand for the acquisition"),
        ({"AcquisitionTime": "115400", "FrameReferenceTime": "960000"}, 3.9 - 360 / 3600,
         "made again, a later bed: back by its reference time less the mean of its 20 min"),
        ({"SeriesTime": "120000.500000"}, 4 + 0.5 / 3600, "fractions of a second count"),
    ],
)  # fmt: skip
def test_the_moment_values_stand_for(tmp_path, changes, hours, why):
    found = read_activity(case.pet(tmp_path, **changes))
    assert found.decay_hours == pytest.approx(hours, abs=2e-4), why
    assert found.concentration_bq_per_ml == pytest.approx(grown(hours), rel=1e-5), why


@pytest.mark.parametrize(
    ("drug", "hours", "warned", "why"),
    [
        ({"RadiopharmaceuticalStartDateTime": case.ABSENT}, 4, None, "a time alone is of the same day"),
        ({"RadiopharmaceuticalStartDateTime": case.ABSENT, "RadiopharmaceuticalStartTime": "230000"}, 13,
         "the day before", "a time later than the scan is of the day before"),
        ({"RadiopharmaceuticalStartDateTime": "20260101230000"}, 13, "two times", "a date-time goes over midnight"),
        ({"RadiopharmaceuticalStartDateTime": "20260102080000+0000"}, 4, "one clock", "an offset on one side only"),
    ],
)  # fmt: skip
def test_the_time_of_administration(tmp_path, drug, hours, warned, why):
    found = read_activity(case.pet(tmp_path, drug=drug))
    assert found.decay_hours == pytest.approx(hours), why
    assert warned is None or any(warned in each for each in found.warnings), why


def test_time_zones_are_honoured(tmp_path):
    paths = case.pet(
        tmp_path,
        TimezoneOffsetFromUTC="+0200",
        drug={"RadiopharmaceuticalStartDateTime": "20260102080000+0000", "RadiopharmaceuticalStartTime": case.ABSENT},
    )
    assert read_activity(paths).decay_hours == 2.0, "12:00+02:00 is 10:00 UTC, two hours after 08:00 UTC"


@pytest.mark.parametrize(
    ("given", "changes", "hours", "why"),
    [
        (datetime(2026, 1, 2, 9, 0), {}, 3, "the moment given by hand wins over the header"),  # noqa: DTZ001
        (datetime(2026, 1, 2, 9, 0, tzinfo=UTC), {}, 3, "with an offset, the header is on the same clock"),
        (datetime(2026, 1, 2, 9, 0, tzinfo=timezone(timedelta(hours=1))), {"TimezoneOffsetFromUTC": "+0000"}, 4,
         "offsets on both sides are honoured"),
        (datetime(2026, 1, 2, 7, 0), {"DecayCorrection": "ADMIN"}, 1,  # noqa: DTZ001
         "values of 08:00 are carried back to 07:00"),
    ],
)  # fmt: skip
def test_the_administration_given_by_hand(tmp_path, given, changes, hours, why):
    assert read_activity(case.pet(tmp_path, **changes), given).decay_hours == pytest.approx(hours), why


@pytest.mark.parametrize(
    ("whole", "hours", "warned", "why"),
    [
        ("20260102130000", 5, False, "the same moment twice"),
        ("20260102130000.400000", 5, False, "fractions of a second are rounding"),
        ("20260102120000+0100", 4, True, "another moment: the one that holds its own offset is taken"),
        ("20260102120000", 4, True, "another moment: the one value is taken"),
        ("", 5, False, "only the pair is there"),
    ],
)
def test_an_acquisition_told_twice(tmp_path, whole, hours, warned, why):
    changes = {"DecayCorrection": "NONE", "AcquisitionTime": "130000", "CorrectedImage": ["ATTN"]}
    found = read_activity(case.pet(tmp_path, AcquisitionDateTime=whole, **changes))
    assert found.decay_hours == pytest.approx(hours, abs=2e-4), why
    assert any("Acquisition DateTime contradicts" in each for each in found.warnings) == warned, why


def test_an_acquisition_with_offset_is_compared_with_a_series_without(tmp_path):
    found = read_activity(case.pet(tmp_path, AcquisitionDateTime="20260102120500+0100"))
    assert found.decay_reference == "series time (DecayCorrection START)"


def test_every_bed_is_corrected_from_its_own_time(tmp_path):
    found = read_activity(
        case.pet(tmp_path, DecayCorrection="NONE", AcquisitionTime=lambda plane: ["120000", "122000", "124000"][plane])
    )
    assert found.concentration_bq_per_ml[:, 0, 0] == pytest.approx([grown(4 + each / 3) for each in range(3)])
    assert found.decay_hours == 4


def test_the_slope_differs_between_slices(tmp_path):
    found = read_activity(case.pet(tmp_path, DecayCorrection="ADMIN", RescaleSlope=lambda plane: plane + 1))
    assert found.concentration_bq_per_ml[:, 0, 0].tolist() == [1000, 2000, 3000]


def philips(tag_value, vr="DS"):
    def add(dataset):
        block = dataset.private_block(0x7053, "Philips PET Private Group", create=True)
        block.add_new(0x09, vr, tag_value)

    return add


def add_private(paths, add):
    for path in paths:
        dataset = pydicom.dcmread(path)
        add(dataset)
        dataset.save_as(path)
    return paths


@pytest.mark.parametrize(("value", "vr"), [("2.5", "DS"), (b"2.5 ", "UN")])
def test_philips_counts_have_a_private_factor(tmp_path, value, vr):
    paths = add_private(case.pet(tmp_path, Units="CNTS", DecayCorrection="ADMIN", RescaleSlope=2), philips(value, vr))
    found = read_activity(paths)
    assert found.quantitative
    assert found.concentration_bq_per_ml[0, 0, 0] == 1000 * 2 * 2.5


def test_ge_keeps_the_scan_time_in_a_private_tag(tmp_path):
    def add(dataset):
        dataset.private_block(0x0009, "GEMS_PETD_01", create=True).add_new(0x0D, "DT", "20260102113000")

    found = read_activity(add_private(case.pet(tmp_path, SeriesTime="180000"), add))
    assert (found.decay_hours, found.decay_reference) == (3.5, "private scan time (DecayCorrection START)")


@pytest.mark.parametrize(
    ("drug", "expected", "why"),
    [
        ({"RadionuclideCodeSequence": case.code("C-162A7", "SRT", "Yttrium")}, "Y-90", "the code before SNOMED CT"),
        ({"RadionuclideCodeSequence": case.code("C-162A7", "SNM3", "Yttrium")}, "Y-90", "the code before that"),
        ({"RadionuclideCodeSequence": case.ABSENT}, "Y-90", "by half-life"),
        ({"RadionuclideCodeSequence": case.ABSENT, "RadionuclideHalfLife": "228453"}, "Y-90", "1 % shorter"),
        ({"RadionuclideCodeSequence": case.ABSENT, "RadionuclideHalfLife": "96480"}, "Ho-166", "by half-life only"),
        ({"RadionuclideCodeSequence": case.ABSENT, "RadionuclideHalfLife": case.ABSENT,
          "Radiopharmaceutical": "90Y SIR-Spheres"}, "Y-90", "by name when nothing else is filled"),
    ],
)  # fmt: skip
def test_the_nuclide(tmp_path, drug, expected, why):
    assert read_activity(case.pet(tmp_path, drug=drug)).nuclide == expected, why


@pytest.mark.parametrize(
    ("stated", "expected", "why"),
    [
        ("2000000000", "2", "Bq, as the PET object says"),
        ("2000", "2", "2000 Bq fits no patient: MBq"),
        ("4.2661001e+009", "4.2661001", "an exponent as some scanners write it"),
        ("1000000", "0.001", "from 1 MBq on it is Bq"),
        ("999999", "999.999", "just below, it is MBq"),
        ("0", None, "zero is not known"),
        ("5E13", None, "50 TBq fits no patient"),
    ],
)
def test_the_administered_activity(tmp_path, stated, expected, why):
    found = read_activity(case.pet(tmp_path, drug={"RadionuclideTotalDose": stated}))
    assert found.administered_activity_gbq == (None if expected is None else Decimal(expected)), why


NAMELESS = {"RadionuclideCodeSequence": case.ABSENT, "RadionuclideHalfLife": case.ABSENT}


@pytest.mark.parametrize(
    ("changes", "drug", "told"),
    [
        pytest.param({"Units": "CNTS"}, {}, "counts without the scanner's factor", id="counts without factor"),
        pytest.param({"Units": "GML"}, {}, "are in GML", id="SUV is no activity"),
        pytest.param({}, NAMELESS, "not told", id="no nuclide"),
        pytest.param(
            {"RadiopharmaceuticalInformationSequence": [*case.radiopharmaceutical(), *case.radiopharmaceutical()]}, {},
            "several radiopharmaceuticals", id="two drugs",
        ),
        pytest.param(
            {"DecayCorrection": case.ABSENT, "DecayCorrected": "YES"}, {}, "Correction DateTime", id="of which moment?"
        ),
        pytest.param({"Units": case.ABSENT}, {}, "unknown units", id="no units"),
        pytest.param({"DecayCorrection": case.ABSENT}, {}, "Decay Correction", id="decay correction not told"),
        pytest.param(
            {"SeriesTime": case.ABSENT, "AcquisitionTime": case.ABSENT}, {}, "neither a Series Time", id="no times"
        ),
        pytest.param(
            {"DecayCorrection": "NONE", "AcquisitionTime": case.ABSENT}, {}, "an acquisition time", id="no bed time"
        ),
        pytest.param(
            {}, {"RadiopharmaceuticalStartDateTime": case.ABSENT, "RadiopharmaceuticalStartTime": case.ABSENT},
            "--administered-at", id="no time of administration",
        ),
        pytest.param(
            {}, {"RadiopharmaceuticalStartDateTime": "20260102130000"}, "after the scan", id="given after the scan"
        ),
        pytest.param(
            {}, {"RadionuclideHalfLife": "6586"}, "Y-90 and a half-life of 6586 s", id="code and half-life contradict"
        ),
        pytest.param(
            {}, {"RadionuclideCodeSequence": case.ABSENT, "RadionuclideHalfLife": "228452"}, "not told",
            id="just past 1 % is no Y-90",
        ),
        pytest.param(
            {}, {"RadionuclideCodeSequence": case.code("77004003", "SCT", "F"), "RadionuclideHalfLife": "6586.2"},
            "no dosimetry for the nuclide 'F-18'", id="FDG",
        ),
        pytest.param({"RescaleIntercept": 5}, {}, "intercept", id="an offset added to activity"),
        pytest.param({"NumberOfSlices": 4}, {}, "only 3 of the 4 planes", id="a plane at an end did not come"),
        pytest.param({"SeriesType": ["DYNAMIC", "IMAGE"]}, {}, "dynamic series", id="dynamic"),
        pytest.param({"SeriesTime": lambda plane: f"12000{plane}"}, {}, "SeriesTime differs", id="two reconstructions"),
        pytest.param(
            {"ImagePositionPatient": lambda plane: [0, 0, [0, 4, 12][plane]]}, {}, "not evenly spaced", id="a gap"
        ),
        pytest.param(
            {"FrameOfReferenceUID": lambda plane: f"1.2.{plane}"}, {}, "different frames of reference", id="two spaces"
        ),
        pytest.param(
            {"FrameOfReferenceUID": case.ABSENT}, {}, "no Frame of Reference", id="no frame of reference"
        ),
        pytest.param(
            {
                "ImageOrientationPatient": [1, 0, 0, 0, 0.8, 0.6],
                "ImagePositionPatient": lambda plane: [0, -2.4 * plane, 3.2 * plane],
            },
            {}, "not axial", id="oblique",
        ),
        pytest.param(
            {"ImagePositionPatient": lambda plane: [0, plane, 4 * plane]}, {}, "slide sideways", id="tilted"
        ),
        pytest.param({"PixelSpacing": lambda plane: [2, 2 + plane]}, {}, "pixel spacings", id="two zooms"),
        pytest.param({"PixelSpacing": [0, 2]}, {}, "not positive", id="no pixel size"),
        pytest.param({"ImagePositionPatient": case.ABSENT}, {}, "no position", id="no place"),
    ],
)  # fmt: skip
def test_refused_with_a_reason(tmp_path, changes, drug, told):
    with pytest.raises(ImpossibleInput, match=told):
        read_activity(case.pet(tmp_path, drug=drug, **changes))


@pytest.mark.parametrize(
    ("changes", "warned"),
    [
        ({"CorrectedImage": ["DECY"]}, "attenuation"),
        ({"CorrectedImage": ["ATTN"]}, "contradict"),
        ({}, "positron fraction of 0.0000319"),
        ({"LossyImageCompression": "01"}, "compressed with loss"),
    ],
)
def test_told_to_the_physicist(tmp_path, changes, warned):
    assert any(warned in each for each in read_activity(case.pet(tmp_path, **changes)).warnings)


def test_an_image_of_many_half_lives_later_is_told(tmp_path):
    found = read_activity(case.pet(tmp_path, drug={"RadiopharmaceuticalStartDateTime": "20251219080000"}))
    assert any("check both times" in each for each in found.warnings)


def test_values_of_the_administration_are_not_moved_to_an_unknown_one(tmp_path):
    paths = case.pet(tmp_path, DecayCorrection="ADMIN", SeriesTime=case.ABSENT, AcquisitionTime=case.ABSENT)
    with pytest.raises(ImpossibleInput, match="cannot be moved"):
        read_activity(paths, datetime(2026, 1, 2, 7, 0))  # noqa: DTZ001


def test_the_administration_that_the_scanner_knew_changes_nothing(tmp_path):
    found = read_activity(case.pet(tmp_path, DecayCorrection="ADMIN"), datetime(2026, 1, 2, 8, 0))  # noqa: DTZ001
    assert (found.decay_hours, any("corrected" in each for each in found.warnings)) == (0, False)


def test_enhanced_pet_without_decay_correction_stands_for_its_acquisition(tmp_path):
    found = read_activity(case.pet(tmp_path, DecayCorrection=case.ABSENT, DecayCorrected="NO"))
    assert found.decay_reference == "acquisition time (DecayCorrection NONE)"


def test_negative_activity_is_told(tmp_path):
    planes = np.full((2, 3, 3), 7, dtype=np.int16)
    planes[0, 0, 0] = -3
    found = read_activity(case.pet(tmp_path, planes, DecayCorrection="ADMIN"))
    assert found.concentration_bq_per_ml.min() == -3
    assert any("1 voxels hold negative" in each for each in found.warnings)


def test_enhanced_pet(tmp_path):
    planes = np.full((3, 4, 5), 10, dtype=np.uint16)
    mapping = case.item(
        RealWorldValueSlope=100.0, RealWorldValueIntercept=0.0,
        MeasurementUnitsCodeSequence=case.code("Bq/ml", "UCUM", "Bq/ml"),
    )  # fmt: skip
    shared = case.item(
        PlaneOrientationSequence=[case.item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        PixelMeasuresSequence=[case.item(PixelSpacing=[2, 2], SliceThickness=4)],
        RealWorldValueMappingSequence=[mapping],
    )
    dataset = case.instance(
        case.ENHANCED_PET, "1.2.3.8.1", Modality="PT", NumberOfFrames=3, SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=[
            case.item(PlanePositionSequence=[case.item(ImagePositionPatient=[0, 0, 4 * each])]) for each in (2, 0, 1)
        ],
        DecayCorrected="YES", DecayCorrectionDateTime="20260102090000", CorrectedImage=["DECY", "ATTN"],
        RadiopharmaceuticalInformationSequence=case.radiopharmaceutical(RadionuclideTotalDose="2000"),
        **case.pixels(planes),
    )  # fmt: skip
    found = read_activity([case.save(dataset, tmp_path / "enhanced.dcm")])
    assert (found.decay_hours, found.decay_reference) == (1.0, "Decay Correction DateTime")
    assert found.administered_activity_gbq == 2, "the enhanced object gives MBq"
    assert not any("Total Dose" in each for each in found.warnings)
    assert found.concentration_bq_per_ml.max() == pytest.approx(grown(1))
    assert found.geometry.spacing_mm == (4.0, 2.0, 2.0)


def test_a_broken_slice_refuses_the_series(tmp_path):
    paths = case.pet(tmp_path)
    paths[1].write_bytes(paths[1].read_bytes()[:-10])
    with pytest.raises(ImpossibleInput, match="truncated"):
        read_activity(paths)


def test_other_images_hold_no_activity(tmp_path):
    with pytest.raises(ImpossibleInput, match="only PET"):
        read_activity(case.slices(tmp_path, np.zeros((2, 3, 3), dtype=np.int16)))
