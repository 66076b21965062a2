"""Viable parts and uptake of lesions: from reports and segments, and from a diagnostic PET of the same study."""

from decimal import Decimal

import image_case as case
import numpy as np
import pytest

from connector.core.case import Enhancement, LesionState
from connector.core.errors import ImpossibleInput
from connector.dicom import codes
from connector.dicom.headers import read_headers
from connector.dicom.read_study import DicomImaging
from connector.dicom.read_uptake import uptake_of

FDG = {"RadionuclideCodeSequence": case.code("77004003", "SCT", "^18^Fluorine"), "RadionuclideHalfLife": "6586.2",
       "RadionuclideTotalDose": "350000000", "RadiopharmaceuticalStartDateTime": "20260102110000",
       "RadiopharmaceuticalStartTime": "110000", "RadionuclidePositronFraction": "0.967"}  # fmt: skip
ENHANCING = ("C113842", "NCIt", "Enhancing Lesion")
TUMOUR = np.zeros((3, 12, 16), dtype=bool)
TUMOUR[:, 4:8, 4:10] = True
VIABLE = np.zeros_like(TUMOUR)
VIABLE[:, 4:6, 4:7] = True
SUV = {"unit": "{SUVbw}g/ml"}


def read(folder):
    return DicomImaging().read([path for path in folder.rglob("*") if path.is_file()])


def headers(paths):
    found, skipped = read_headers(paths)
    assert not skipped
    return found


def suv(value, derivation):
    """SUVbw with its derivation, as CID 7469 and CID 7464 want it."""
    how = case.coded(("121401", "DCM", "Derivation"), derivation, "HAS CONCEPT MOD")
    return case.number(("126401", "DCM", "SUVbw"), value, "{SUVbw}g/ml", ContentSequence=[how])


MAXIMUM, PEAK = ("56851009", "SCT", "Maximum"), ("126031", "DCM", "Peak Value Within ROI")
GLYCOLYSIS, METABOLIC = ("126033", "DCM", "Total Lesion Glycolysis"), ("126032", "DCM", "Metabolic Volume")
VOLUME = ("118565006", "SCT", "Volume")
LESION = case.coded(case.FINDING, case.LESION)


def lesions(folder, *groups):
    case.slices(folder, np.zeros((3, 4, 4), dtype=np.int16))
    case.report(folder, *groups)
    return read(folder).time_points[0].lesions


def test_a_real_report_of_another_product():
    """QIICR's dcmqi sample: dsrdump shows SUVbw maximum 10.3814, peak 9.45534, 33.5824 ml, glycolysis 202.008 g."""
    (point,) = DicomImaging().read(list((case.DATA / "dcmqi-report").iterdir())).time_points
    (lesion,) = point.lesions
    told = lesion.uptake
    assert (told.suv_max, told.suv_peak, told.suv_mean) == (10.3814, 9.45534, 6.01529)
    assert (told.functional_volume_ml, told.tlg_g, told.functional_by) == (33.5824, 202.008, "the reader's contour")


def test_a_report_tells_uptake_beside_the_size(tmp_path):
    group = case.group(LESION, case.number(case.LONG, "20"), suv("8.5", MAXIMUM), suv("7", PEAK),
                       case.number(METABOLIC, "4.5", "ml"), case.number(GLYCOLYSIS, "27", "g"),
                       case.number(VOLUME, "6", "ml"))  # fmt: skip
    (lesion,) = lesions(tmp_path, group)
    assert (lesion.long_axis_mm, lesion.volume_ml) == (20, 6)
    assert (lesion.uptake.suv_max, lesion.uptake.suv_peak) == (8.5, 7.0)
    assert (lesion.uptake.functional_volume_ml, lesion.uptake.tlg_g) == (4.5, 27.0), "its metabolic volume, not the 6"


def test_an_uptake_in_an_unknown_unit_is_flagged_and_costs_only_itself(tmp_path):
    how = case.coded(("121401", "DCM", "Derivation"), MAXIMUM, "HAS CONCEPT MOD")
    odd = case.number(("126401", "DCM", "SUVbw"), "8", "cm2/ml", ContentSequence=[how])
    (lesion,) = lesions(tmp_path, case.group(LESION, case.number(case.LONG, "20"), odd))
    assert (lesion.long_axis_mm, lesion.uptake) == (20, None)
    assert any(flag.startswith("uptake not used") for flag in lesion.flags)


@pytest.mark.parametrize("order", [1, -1])
def test_the_enhancing_part_of_a_lesion_is_no_lesion_of_its_own(tmp_path, order):
    whole = case.group(LESION, case.number(case.LONG, "40"), case.number(case.SHORT, "30"))
    part = case.group(case.coded(case.FINDING, ENHANCING), case.number(case.LONG, "18"), case.number(case.SHORT, "9"))
    necrosis = case.group(
        case.coded(case.FINDING, ("6574001", "SCT", "Necrosis")), case.number(case.LONG, "25")
    )  # fmt: skip
    (lesion,) = lesions(tmp_path, *[whole, part, necrosis][::order])
    assert (lesion.long_axis_mm, lesion.short_axis_mm, lesion.state) == (40, 30, LesionState.MEASURED)
    assert (lesion.viable_mm, lesion.viable_across_mm) == (18, 9)
    assert lesion.flags == ()


@pytest.mark.parametrize("word", list(Enhancement))
def test_what_enhances_after_treatment_is_read_in_our_own_words(tmp_path, word):
    concept = codes.ENHANCEMENTS[word]
    told = case.coded(("ENHANCEMENT", codes.OUR_SCHEME, "e"), (concept.code, concept.scheme, concept.meaning))
    viable = case.number(("VIABLE_DIAMETER", codes.OUR_SCHEME, "v"), "1.2", "cm")
    (lesion,) = lesions(tmp_path, case.group(LESION, told, viable, case.number(case.LONG, "40")))
    assert (lesion.enhancement, lesion.viable_mm, lesion.long_axis_mm) == (word, 12, 40)


def test_an_enhancing_segment_measures_the_viable_part_of_the_lesion_it_belongs_to(tmp_path):
    case.slices(tmp_path, np.zeros(TUMOUR.shape, dtype=np.int16))
    described = [case.segment(1), case.segment(2, ENHANCING, TrackingUID="1.9.1")]
    case.segmentation(tmp_path, {1: TUMOUR, 2: VIABLE}, described, sources=["1.2.3.1.1"])
    (lesion,) = read(tmp_path).time_points[0].lesions
    alone = tmp_path / "alone"
    case.slices(alone, np.zeros(TUMOUR.shape, dtype=np.int16))
    case.segmentation(alone, {1: VIABLE}, [case.segment(1)], sources=["1.2.3.1.1"])
    (part,) = read(alone).time_points[0].lesions
    assert (lesion.viable_mm, lesion.viable_across_mm) == (part.long_axis_mm, part.short_axis_mm)
    assert lesion.long_axis_mm > lesion.viable_mm
    assert lesion.segment_number == 1


@pytest.mark.parametrize(
    ("changes", "drug", "expected", "why"),
    [
        ({}, {}, 1000 * 70_000 / (350e6 * 2 ** (-3600 / 6586.2)), "decayed for an hour since the injection"),
        ({"DecayCorrection": "ADMIN"}, {}, 1000 * 70_000 / 350e6, "the scanner has corrected it to the injection"),
        ({"Units": "GML", "RescaleSlope": "0.004"}, {}, 4.0, "uptake as the scanner wrote it"),
        ({"Units": "GML", "SUVType": "BW", "RescaleSlope": "0.004"}, {}, 4.0, "and says that it is by body weight"),
    ],
)
def test_uptake_by_body_weight(tmp_path, changes, drug, expected, why):
    made = case.pet(tmp_path, drug=FDG | drug, PatientWeight="70", **changes)
    assert uptake_of(headers(made)).suv == pytest.approx(expected, rel=1e-4), why


@pytest.mark.parametrize(
    ("changes", "drug", "told"),
    [
        ({"PatientWeight": case.ABSENT}, {}, "weight"),
        ({"PatientWeight": "0"}, {}, "weight"),
        ({}, {"RadionuclideTotalDose": case.ABSENT}, "injected activity"),
        ({"Units": "GML", "SUVType": "LBM"}, {}, "LBM"),
        ({"Units": "PROPCPS"}, {}, "Bq/mL"),
    ],
)
def test_an_uptake_that_is_not_known_is_refused(tmp_path, changes, drug, told):
    made = case.pet(tmp_path, drug=FDG | drug, **{"PatientWeight": "70", **changes})
    with pytest.raises(ImpossibleInput, match=told):
        uptake_of(headers(made))


def test_segmented_lesions_are_measured_on_the_pet_of_their_study(tmp_path):
    planes = np.full(TUMOUR.shape, 1000, dtype=np.int16)
    planes[TUMOUR] = 4000
    planes[VIABLE] = 10000
    case.pet(tmp_path, planes, drug=FDG, PatientWeight="70", Units="GML", RescaleSlope="0.001")
    case.segmentation(tmp_path, {1: TUMOUR}, [case.segment(1)])
    (lesion,) = (found := read(tmp_path)).time_points[0].lesions
    assert lesion.uptake.suv_max == pytest.approx(10)
    voxel_ml = 2 * 2 * 4 / 1000
    assert lesion.uptake.functional_volume_ml == pytest.approx(VIABLE.sum() * voxel_ml), "41 % of 10 leaves the 4 out"
    assert lesion.uptake.tlg_g == pytest.approx(10 * VIABLE.sum() * voxel_ml)
    assert 4 < lesion.uptake.suv_peak < 10
    assert lesion.volume_ml == Decimal("1.152"), "72 voxels of 16 mm3"
    assert found.activity is None
    assert not found.skipped


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"PatientWeight": case.ABSENT}, "weight"),
        ({"PatientWeight": "70", "FrameOfReferenceUID": "1.2.8"}, None),
    ],
)
def test_a_pet_that_cannot_be_measured_on_costs_only_the_uptake(tmp_path, changes, told):
    case.slices(tmp_path, np.zeros(TUMOUR.shape, dtype=np.int16))
    case.pet(tmp_path, np.full(TUMOUR.shape, 1000, dtype=np.int16), drug=FDG, **changes)
    case.segmentation(tmp_path, {1: TUMOUR}, [case.segment(1)])
    (lesion,) = (found := read(tmp_path)).time_points[0].lesions
    assert (lesion.uptake, lesion.state) == (None, LesionState.MEASURED)
    assert told is None or any(told in each.reason for each in found.skipped)


def test_of_two_diagnostic_series_none_is_guessed(tmp_path):
    for name, uid in (("a", "1.2.3.2"), ("b", "1.2.3.9")):
        case.pet(tmp_path / name, np.full(TUMOUR.shape, 1000, dtype=np.int16), drug=FDG, PatientWeight="70",
                 SeriesInstanceUID=uid, SOPInstanceUID=lambda plane, uid=uid: f"{uid}.{plane}")  # fmt: skip
    case.segmentation(tmp_path, {1: TUMOUR}, [case.segment(1)])
    (lesion,) = (found := read(tmp_path)).time_points[0].lesions
    assert lesion.uptake is None
    assert any("2 PET series could give uptake" in each.reason for each in found.skipped)
