"""Files that are whole are read once; all others say why they are not."""

from pathlib import Path

import image_case as case
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from connector.core.errors import ImpossibleInput
from connector.dicom.headers import quiet, read_header, read_headers, reading
from connector.dicom.read_image import read_volume

CT_SAMPLE = case.DATA / "highdicom" / "ct_image.dcm"


def ct(folder, **changes):
    return case.slices(folder, np.arange(60, dtype=np.int16).reshape(3, 4, 5), **changes)


@pytest.mark.parametrize(
    "sample", ["synthetic-y90-pet/y90pet_00.dcm", "synthetic-ct/sr.dcm", "highdicom/seg_image_ct_binary.dcm"]
)
def test_a_file_cut_anywhere_is_never_taken_for_whole(tmp_path, sample):
    octets = (case.DATA / sample).read_bytes()
    path = tmp_path / "cut.dcm"
    whole = read_header(case.DATA / sample)
    for length in range(0, len(octets) - 1, 97):
        path.write_bytes(octets[:length])
        try:
            cut = read_header(path)
        except ImpossibleInput:
            continue
        assert "ContentSequence" not in cut.dataset, "only a cut between two elements can pass, without its content"
        assert len(cut.dataset) < len(whole.dataset)


def broken(folder, name):
    """Make one broken file of each kind."""
    path = folder / "one.dcm"
    if name == "text":
        path.write_text("not an image")
    elif name == "empty":
        path.write_bytes(b"")
    elif name == "no file":
        return folder / "nowhere.dcm"
    elif name == "folder":
        path.mkdir()
    elif name == "half the pixels":
        octets = ct(folder)[0].read_bytes()
        path.write_bytes(octets[:-11])
    elif name == "no pixels":
        dataset = pydicom.dcmread(ct(folder)[0])
        del dataset.PixelData
        dataset.save_as(path)
    elif name == "too few pixels":
        dataset = pydicom.dcmread(ct(folder)[0])
        dataset.PixelData = bytes(20)
        dataset.save_as(path)
    elif name == "half of compressed pixels":
        dataset = pydicom.dcmread(ct(folder)[0])
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.save_as(path)
        path.write_bytes(path.read_bytes()[:-20])
    elif name == "unknown syntax":
        octets = ct(folder)[0].read_bytes()
        path.write_bytes(octets.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.9\0", 1))
    else:
        keyword, value = name
        dataset = pydicom.dcmread(ct(folder)[0])
        with quiet():
            setattr(dataset, keyword, value)
        dataset.save_as(path)
    return path


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("text", "not a DICOM file"),
        ("empty", "not a DICOM file"),
        ("no file", "cannot be opened"),
        ("folder", "cannot be opened"),
        ("half the pixels", "truncated"),
        ("too few pixels", "truncated"),
        ("no pixels", "no pixels"),
        ("half of compressed pixels", "truncated"),
        ("unknown syntax", "transfer syntax 1.2.840.10008.1.2.9 is not known"),
        (("PatientID", ""), "no Patient ID"),
        (("StudyInstanceUID", "../../etc"), "StudyInstanceUID is missing or not a UID"),
        (("SeriesInstanceUID", ""), "SeriesInstanceUID"),
        (("SOPInstanceUID", "1." * 40 + "1"), "SOPInstanceUID"),
    ],
)
def test_broken_files_say_why(tmp_path, name, told):
    with pytest.raises(ImpossibleInput, match=told):
        read_header(broken(tmp_path, name))


def test_the_index_of_a_cd_is_named_as_what_it_is(tmp_path):
    index = pydicom.Dataset()
    index.FileSetID, index.DirectoryRecordSequence = "CD", []
    index.file_meta = pydicom.dataset.FileMetaDataset()
    index.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    index.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    index.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    index.save_as(tmp_path / "DICOMDIR", enforce_file_format=True)
    with pytest.raises(ImpossibleInput, match="a DICOMDIR"):
        read_header(tmp_path / "DICOMDIR")


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless, JPEG2000Lossless, JPEGLSLossless]
)
def test_every_encoding_gives_the_same_values(tmp_path, syntax):
    planes = np.arange(-1500, 1572, dtype=np.int16).reshape(3, 32, 32)
    expected = read_volume(read_headers(case.slices(tmp_path / "plain", planes))[0]).values
    paths = case.slices(tmp_path, planes.byteswap() if syntax == ExplicitVRBigEndian else planes)
    for path in paths:
        dataset = pydicom.dcmread(path)
        if syntax.is_compressed:
            dataset.compress(syntax, generate_instance_uid=False)
            dataset.save_as(path)
        else:
            plain = pydicom.Dataset({each.tag: each for each in dataset})
            case.save(plain, path, syntax)
    headers, skipped = read_headers(paths)
    assert not skipped
    assert np.array_equal(read_volume(headers).values, expected)


@pytest.mark.parametrize("syntax", ["201", "202", "203"])
def test_high_throughput_jpeg_2000_of_another_encoder_gives_the_same_values(tmp_path, syntax):
    planes = np.arange(-1500, 1572, dtype=np.int16).reshape(3, 32, 32)
    paths = case.slices(tmp_path, planes)
    expected = read_volume(read_headers(paths)[0]).values
    for number, path in enumerate(paths):
        dataset = pydicom.dcmread(path)
        codestream = (case.DATA / "htj2k" / f"{number}.j2c").read_bytes()
        dataset.PixelData = encapsulate([codestream + bytes(len(codestream) % 2)])
        dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
        dataset.file_meta.TransferSyntaxUID = f"1.2.840.10008.1.2.4.{syntax}"
        dataset.save_as(path)
    headers, skipped = read_headers(paths)
    assert not skipped
    assert np.array_equal(read_volume(headers).values, expected)


def test_a_file_without_meta_information_is_read(tmp_path):
    dataset = pydicom.dcmread(ct(tmp_path)[0])
    path = tmp_path / "bare.dcm"
    pydicom.Dataset({each.tag: each for each in dataset}).save_as(path, implicit_vr=True, little_endian=True)
    header = read_header(path)
    assert read_volume([header]).values.ravel()[:3].tolist() == [0, 1, 2]


def test_old_overlays_in_spare_bits_are_not_values(tmp_path):
    planes = np.array([[[0x0FFF, -0x8000 + 5]]], dtype=np.int16)
    (path,) = case.slices(tmp_path, planes, BitsStored=12, HighBit=11)
    assert read_volume([read_header(path)]).values.ravel().tolist() == [-1, 5], "12 bits, signed"


def test_colour_and_odd_sizes_hold_no_values(tmp_path):
    (path,) = case.slices(tmp_path, np.zeros((1, 3, 4), dtype=np.int16), BitsAllocated=12)
    with pytest.raises(ImpossibleInput, match="12 bits"):
        read_volume([read_header(path)])


def test_slices_are_sorted_by_place_not_by_number(tmp_path):
    paths = ct(tmp_path, ImagePositionPatient=lambda plane: [0, 0, -4 * plane])
    volume = read_volume(read_headers(paths)[0])
    assert volume.values[:, 0, 0].tolist() == [40, 20, 0]
    assert volume.geometry.origin_mm == (0.0, 0.0, -8.0)


def test_slope_and_intercept_of_ct(tmp_path):
    volume = read_volume(read_headers(ct(tmp_path, RescaleSlope="2", RescaleIntercept="-1024"))[0])
    assert volume.values[0, 0, :2].tolist() == [-1024, -1022]


def test_a_volume_is_one_series(tmp_path):
    headers, _ = read_headers([*ct(tmp_path), *ct(tmp_path, series="1.2.3.5")])
    with pytest.raises(ImpossibleInput, match="exactly one series"):
        read_volume(headers)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"ImageOrientationPatient": lambda plane: [[1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, 1]][plane % 2]},
            "not parallel",
        ),
        ({"ImagePositionPatient": [0, 0, 0]}, "same plane"),
    ],
)
def test_planes_that_make_no_volume(tmp_path, changes, told):
    headers, _ = read_headers(ct(tmp_path, **changes))
    with pytest.raises(ImpossibleInput, match=told):
        read_volume(headers)


def test_planes_of_different_sizes_make_no_volume(tmp_path):
    higher = {
        "SOPInstanceUID": lambda plane: f"1.7.{plane}",
        "ImagePositionPatient": lambda plane: [-10, -20, 4 + 4 * plane],
    }
    small = case.slices(tmp_path, np.zeros((1, 3, 4), dtype=np.int16))
    large = case.slices(tmp_path / "large", np.zeros((2, 5, 4), dtype=np.int16), **higher)
    headers, _ = read_headers([*small, *large])
    with pytest.raises(ImpossibleInput, match="different sizes"):
        read_volume(headers)


def test_the_same_instance_twice_counts_once(tmp_path):
    paths = ct(tmp_path)
    copy = tmp_path / "copy" / "copy.dcm"
    copy.parent.mkdir()
    copy.write_bytes(paths[0].read_bytes())
    headers, skipped = read_headers([*paths, copy])
    assert len(headers) == 3
    assert [each.reason for each in skipped] == ["the same instance is in another file: counted once"]


@pytest.mark.parametrize("change", ["a value", "a pixel"])
def test_one_uid_with_two_contents_is_trusted_in_neither(tmp_path, change):
    paths = ct(tmp_path)
    dataset = pydicom.dcmread(paths[0])
    if change == "a value":
        dataset.SliceThickness = 5
    else:
        dataset.PixelData = bytes(len(dataset.PixelData))
    other = tmp_path / "z.dcm"
    dataset.save_as(other)
    headers, skipped = read_headers([*paths, other])
    assert len(headers) == 2
    assert sorted(each.where for each in skipped) == sorted([paths[0].name, "z.dcm"])
    assert all("neither used" in each.reason for each in skipped)


def test_an_image_and_a_report_with_one_uid_are_trusted_in_neither(tmp_path):
    (path,) = case.slices(tmp_path, np.zeros((1, 3, 4), dtype=np.int16))
    other = case.report(tmp_path, SOPInstanceUID="1.2.3.1.1")
    headers, skipped = read_headers([path, other])
    assert (headers, len(skipped)) == ([], 2)


def test_the_same_report_twice_counts_once(tmp_path):
    paths = [case.report(tmp_path, name=name) for name in ("a.dcm", "b.dcm")]
    headers, skipped = read_headers(paths)
    assert [header.path.name for header in headers] == ["a.dcm"]
    assert [each.where for each in skipped] == ["b.dcm"]


def test_a_report_that_ends_in_a_sequence_is_whole(tmp_path):
    dataset = case.instance(case.REPORT, "1.2.3.6.1", ContentSequence=[case.item(ValueType="TEXT")])
    dataset["ContentSequence"].is_undefined_length = True
    assert "ContentSequence" in read_header(case.save(dataset, tmp_path / "report.dcm")).dataset


def test_malformed_attributes_are_told_without_their_value():
    with pytest.raises(ImpossibleInput, match="missing or malformed \\(ValueError\\)") as refused, reading():
        int("Meier")
    assert "Meier" not in str(refused.value)


def test_ybr_pixels_take_two_thirds(tmp_path):
    """YBR_FULL_422 shares its colours between two pixels: 3 samples of 8 bits are 16 bits a pixel."""
    changes = {"SamplesPerPixel": 3, "BitsAllocated": 8, "PhotometricInterpretation": "YBR_FULL_422"}
    (path,) = case.slices(tmp_path, np.zeros((1, 4, 4), dtype=np.int16), **changes)
    assert read_header(path).pixels.length == 32


def test_a_sample_without_patient_is_set_aside():
    headers, skipped = read_headers([case.DATA / "dcmjs" / "structured_report.dcm", CT_SAMPLE])
    assert [header.path for header in headers] == [CT_SAMPLE]
    assert skipped[0].where == str(Path("dcmjs") / "structured_report.dcm")
    assert "no Patient ID" in skipped[0].reason
