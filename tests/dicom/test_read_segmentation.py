"""Segmentations of every type give the same masks, cropped, placed in the patient, and named by their codes."""

import image_case as case
import numpy as np
import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from connector.core.errors import ImpossibleInput
from connector.dicom.headers import read_header
from connector.dicom.read_segmentation import read_segmentation

TISSUE = ("85756007", "SCT", "Tissue")
ABNORMAL = {
    "SegmentedPropertyCategoryCodeSequence": case.code("49755003", "SCT", "Morphologically Abnormal Structure"),
}


def read(path):
    return read_segmentation(read_header(path))


def ball(shape=(6, 16, 24)):
    z, y, x = np.mgrid[tuple(slice(each) for each in shape)]
    return (z - 3) ** 2 + (y - 7) ** 2 + (x - 11) ** 2 <= 9


def whole(segment, shape=(6, 16, 24)):
    """Put the cropped mask back into the full grid, by its place in the patient."""
    region = segment.region
    start = [
        round((region.geometry.origin_mm[2] - 0) / 4), round((region.geometry.origin_mm[1] + 20) / 2),
        round((region.geometry.origin_mm[0] + 10) / 2),
    ]  # fmt: skip
    full = np.zeros(shape, dtype=bool)
    full[tuple(slice(first, first + size) for first, size in zip(start, region.mask.shape, strict=True))] = region.mask
    return full


def labels(mask):
    return {None: mask.astype(np.uint8) * 5}


@pytest.mark.parametrize(
    ("masks", "kind", "number", "why"),
    [
        ({1: ball()}, "BINARY", 1, "one bit a voxel"),
        ({1: ball() * 255}, "FRACTIONAL", 1, "fractions of 255"),
        ({1: np.where(ball(), 128, 127)}, "FRACTIONAL", 1, "from half of the maximum on"),
        (labels(ball()), "LABELMAP", 5, "the pixel value is the segment"),
    ],
)
def test_types(tmp_path, masks, kind, number, why):
    path = case.segmentation(tmp_path, masks, [case.segment(number)], kind=kind)
    (found,) = read(path).segments
    assert np.array_equal(whole(found), ball()), why
    assert found.region.number == number
    assert found.region.geometry.spacing_mm == (4.0, 2.0, 2.0)


@pytest.mark.parametrize("columns", [24, 21])
def test_rows_that_do_not_fill_octets(tmp_path, columns):
    mask = ball((6, 15, columns))
    (found,) = read(case.segmentation(tmp_path, {1: mask}, [case.segment(1)])).segments
    assert np.array_equal(whole(found, mask.shape), mask)


def test_the_full_volume_fits_exactly(tmp_path):
    mask = np.ones((3, 8, 8), dtype=bool)
    (found,) = read(case.segmentation(tmp_path, {1: mask}, [case.segment(1)])).segments
    assert found.region.mask.shape == (3, 8, 8)
    assert found.region.mask.all()


def test_segments_may_overlap(tmp_path):
    lesion, liver = ball(), np.ones((6, 16, 24), dtype=bool)
    path = case.segmentation(tmp_path, {1: lesion, 2: liver}, [case.segment(1), case.segment(2, case.LIVER)])
    found = read(path).segments
    assert [each.region.kind for each in found] == ["lesion", "liver"]
    assert np.array_equal(whole(found[0]), lesion)
    assert np.array_equal(whole(found[1]), liver)


@pytest.mark.parametrize("syntax", [DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_other_encodings(tmp_path, syntax):
    path = case.segmentation(tmp_path, {1: ball() * 255}, [case.segment(1)], kind="FRACTIONAL")
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(path, implicit_vr=syntax == ImplicitVRLittleEndian)
    (found,) = read(path).segments
    assert np.array_equal(whole(found), ball())


def test_compressed_frames(tmp_path):
    path = case.segmentation(tmp_path, {1: ball() * 255}, [case.segment(1)], kind="FRACTIONAL")
    dataset = pydicom.dcmread(path)
    dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.save_as(path)
    (found,) = read(path).segments
    assert np.array_equal(whole(found), ball())


def test_broken_compressed_frames_are_refused(tmp_path):
    path = case.segmentation(tmp_path, {1: ball() * 255}, [case.segment(1)], kind="FRACTIONAL")
    dataset = pydicom.dcmread(path)
    dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.90"
    dataset.save_as(path)
    with pytest.raises(ImpossibleInput, match="do not decode"):
        read(path)


def test_planes_left_empty_keep_their_place(tmp_path):
    mask = np.zeros((9, 8, 8), dtype=bool)
    mask[1:3, 2:4, 2:4] = mask[7, 5, 5] = True
    (found,) = read(case.segmentation(tmp_path, {1: mask}, [case.segment(1)])).segments
    assert found.region.mask.shape[0] == 7
    assert np.array_equal(whole(found, mask.shape), mask)


@pytest.mark.parametrize(
    ("measures", "step", "why"),
    [
        ({"SpacingBetweenSlices": 2}, 2.0, "the declared step, where only every second plane is filled"),
        ({"SpacingBetweenSlices": 3}, 4.0, "a declared step that the places contradict is not taken"),
        ({}, 4.0, "the smallest step between planes"),
    ],
)
def test_the_step_between_planes(tmp_path, measures, step, why):
    shared = case.item(
        PlaneOrientationSequence=[case.item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        PixelMeasuresSequence=[case.item(PixelSpacing=[2, 2], SliceThickness=4, **measures)],
    )
    path = case.segmentation(tmp_path, {1: ball()}, [case.segment(1)], SharedFunctionalGroupsSequence=[shared])
    assert read(path).segments[0].region.geometry.spacing_mm[0] == step, why


def test_one_plane_is_as_thick_as_its_slice(tmp_path):
    mask = np.zeros((1, 8, 8), dtype=bool)
    mask[0, 2:5, 2:5] = True
    (found,) = read(case.segmentation(tmp_path, {1: mask}, [case.segment(1)])).segments
    assert found.region.geometry.spacing_mm == (4.0, 2.0, 2.0)


@pytest.mark.parametrize(
    ("kind", "changes", "expected", "why"),
    [
        (case.LESION, {}, "lesion of other", "a metastasis of what is not told"),
        (case.LIVER, {}, "liver of liver", "the liver"),
        (("T-62000", "SRT", "Liver"), {}, "liver of liver", "the liver in the code before SNOMED CT"),
        (("39607008", "SCT", "Lung"), {}, "lung of lung", "a lung"),
        (("12738006", "SCT", "Brain"), {}, "other of brain", "another organ"),
        (("71133005", "SCT", "Caudate lobe"), {}, "other of liver", "a lobe is not the whole liver"),
        (TISSUE, {"SegmentLabel": "Liver"}, "liver of liver", "by name where codes say nothing"),
        (TISSUE, {"SegmentLabel": "liver_tumour"}, "lesion of liver", "a tumour by name"),
        (TISSUE, {"SegmentLabel": "liver minus tumour"}, "other of other", "what is left is neither"),
        (TISSUE, {"SegmentLabel": "normal liver"}, "other of liver", "not the whole liver"),
        (TISSUE, {"SegmentLabel": "Liver_PTV"}, "other of liver", "a planning volume around or in it"),
        (TISSUE, {"SegmentLabel": "Liver-cyst"}, "other of liver", "something in it"),
        (TISSUE, {"SegmentLabel": "Liver margin 5mm"}, "other of liver", "more than it"),
        (TISSUE, {"SegmentLabel": "Liver PV"}, "other of liver", "its portal vein"),
        (TISSUE, {"SegmentLabel": "tumour, segment VI, 12 mm"}, "lesion of other", "a lesion, whatever it lies in"),
        (TISSUE, {"SegmentLabel": "PTV tumour 1"}, "other of other", "what is irradiated is larger than the tumour"),
        (TISSUE, {"SegmentLabel": "Liver-GTV"}, "other of liver", "the liver without its tumours"),
        (TISSUE, {"SegmentLabel": "Liver_GTV"}, "lesion of liver", "a tumour of the liver"),
        (TISSUE, {"SegmentLabel": "GTV-1"}, "lesion of other", "gross tumour volume"),
        (("25350001", "SCT", "Carcinoma"), {}, "lesion of other", "by the word in the code's meaning"),
        (("12494005", "SCT", "Cyst"), ABNORMAL, "other of other", "a cyst is abnormal and no metastasis"),
        (case.LESION, {"AnatomicRegionSequence": case.code("10200004", "SCT", "Liver")}, "lesion of liver",
         "a metastasis in the liver"),
        (case.LESION, {"SegmentedPropertyTypeCodeSequence": case.ABSENT}, "lesion of other", "by its category alone"),
    ],
)  # fmt: skip
def test_what_a_segment_is(tmp_path, kind, changes, expected, why):
    path = case.segmentation(tmp_path, {1: ball()}, [case.segment(1, kind, **changes)])
    (found,) = read(path).segments
    assert f"{found.region.kind} of {found.site}" == expected, why


def test_an_empty_segment_is_told(tmp_path):
    found = read(case.segmentation(tmp_path, {1: ball()}, [case.segment(1), case.segment(2)]))
    assert [each.reason for each in found.skipped] == ["segment 2 is empty"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({"SegmentSequence": case.ABSENT}, "describes no segment", id="no description"),
        pytest.param({"SegmentSequence": [case.segment(7)]}, "no description", id="another segment described"),
        pytest.param({"SegmentationType": "SURFACE"}, "SURFACE", id="an unknown type"),
        pytest.param({"FrameOfReferenceUID": case.ABSENT}, "Frame of Reference", id="no frame of reference"),
        pytest.param({"SharedFunctionalGroupsSequence": case.ABSENT}, "no orientation", id="no geometry"),
        pytest.param({"PerFrameFunctionalGroupsSequence": case.ABSENT}, "no places", id="no places"),
        pytest.param(
            {"PerFrameFunctionalGroupsSequence": [case.item(FrameContentSequence=case.ABSENT)]},
            "differ",
            id="lost frames",
        ),
        pytest.param({"SamplesPerPixel": 3, "BitsAllocated": 8, "PixelData": bytes(9999)}, "colour", id="colour"),
    ],
)
def test_refused_with_a_reason(tmp_path, changes, told):
    path = case.segmentation(tmp_path, {1: ball()}, [case.segment(1)], **changes)
    with pytest.raises(ImpossibleInput, match=told):
        read(path)


def test_a_frame_without_segment_is_refused(tmp_path):
    path = case.segmentation(tmp_path, {None: ball()}, [case.segment(1)])
    with pytest.raises(ImpossibleInput, match="which segment"):
        read(path)


@pytest.mark.parametrize(
    ("places", "told"),
    [([0, 4, 9.9], "not evenly spaced"), ([0, 4, 8], "slide sideways")],
)
def test_planes_off_the_lattice_are_refused(tmp_path, places, told):
    aside = 3 if told == "slide sideways" else 0
    frames = [
        case.item(
            PlanePositionSequence=[case.item(ImagePositionPatient=[aside * number, 0, place])],
            SegmentIdentificationSequence=[case.item(ReferencedSegmentNumber=1)],
        )
        for number, place in enumerate(places)
    ]
    mask = np.ones((3, 8, 8), dtype=bool)
    path = case.segmentation(tmp_path, {1: mask}, [case.segment(1)], PerFrameFunctionalGroupsSequence=frames)
    with pytest.raises(ImpossibleInput, match=told):
        read(path)


@pytest.mark.parametrize(
    ("name", "kinds", "voxels"),
    [
        ("dcmqi-liver/liver-seg.dcm", ["liver"], [107098]),
        ("dcmqi-report/seg.dcm", ["lesion"], [795]),
        ("dcmjs/tumor-seg.dcm", ["lesion", "lesion"], [54, 212]),
        ("highdicom/seg_image_ct_binary_overlap.dcm", ["other", "other"], [64, 16]),
        ("highdicom/seg_image_ct_true_fractional.dcm", ["other"], None),
    ],
)
def test_samples_of_other_programs_agree_with_pydicom(name, kinds, voxels):
    path = case.DATA / name
    found = read(path).segments
    assert [each.region.kind for each in found] == kinds
    dataset = pydicom.dcmread(path)
    frames = dataset.pixel_array.astype(int)
    total = np.count_nonzero(frames * 2 >= dataset.get("MaximumFractionalValue", 1))
    counted = [int(np.count_nonzero(each.region.mask)) for each in found]
    assert sum(counted) == total
    assert voxels is None or counted == voxels
