"""The head of a data set: what is read in every transfer syntax, and what is refused."""

import struct
import zlib
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, Sequence
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)
from receive_case import make_image

from connector.core.errors import ImpossibleInput
from connector.dicom.receive_head import Head, is_uid, read_head, require_whole


def encoded(dataset: Dataset, syntax: str) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_implicit_VR = syntax == ImplicitVRLittleEndian
    buffer.is_little_endian = syntax != ExplicitVRBigEndian
    write_dataset(buffer, dataset)
    octets = buffer.getvalue()
    if syntax == DeflatedExplicitVRLittleEndian:
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        return packer.compress(octets) + packer.flush()
    return octets


SYNTAXES = [
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    "1.3.46.670589.33.1.4.1",  # Philips private: explicit little endian
]


def with_sequences(image: Dataset, *, undefined: bool) -> Dataset:
    """Sequences before the patient's attributes, nested, one empty: what a parser must step over."""
    inner = Dataset()
    inner.StudyInstanceUID = "9.9.9"  # not the study of the image
    inner.PatientID = "SOMEBODY-ELSE"
    outer = Dataset()
    outer.ReferencedSOPSequence = Sequence([inner])
    outer["ReferencedSOPSequence"].is_undefined_length = undefined
    inner.is_undefined_length_sequence_item = undefined
    outer.is_undefined_length_sequence_item = undefined
    image.ReferencedStudySequence = Sequence([outer, Dataset(), outer])
    image["ReferencedStudySequence"].is_undefined_length = undefined
    image.ReferencedSeriesSequence = Sequence([])
    image["ReferencedSeriesSequence"].is_undefined_length = undefined
    return image


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("undefined", [False, True], ids=["lengths given", "delimited"])
def test_the_head_is_read_in_every_transfer_syntax(*, syntax: str, undefined: bool) -> None:
    image = with_sequences(make_image(), undefined=undefined)
    head = read_head(encoded(image, syntax), syntax)
    assert head == Head(
        sop_class_uid=image.SOPClassUID,
        sop_instance_uid=image.SOPInstanceUID,
        study_instance_uid=image.StudyInstanceUID,
        series_instance_uid=image.SeriesInstanceUID,
        patient_id="PHANTOM-1",
        issuer_of_patient_id="LAB",
        modality="CT",
        study_date="20250102",
    )


def test_unknown_vr_of_undefined_length_holds_implicit_elements() -> None:
    # PS3.5, 6.2.2 note: UN with undefined length is a sequence in implicit VR little endian.
    item = encoded(Dataset(), ImplicitVRLittleEndian) + struct.pack("<HHL2s", 0x0009, 0x1001, 2, b"XY")
    private = (
        struct.pack("<HH2sHL", 0x0009, 0x1010, b"UN", 0, 0xFFFFFFFF)
        + struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
        + item
        + struct.pack("<HHLHHL", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    )
    image = make_image()
    before = encoded(image[:0x00090000], ExplicitVRLittleEndian)
    behind = encoded(image[0x00100000:], ExplicitVRLittleEndian)
    assert read_head(before + private + behind, ExplicitVRLittleEndian).study_instance_uid == image.StudyInstanceUID


@pytest.mark.filterwarnings("ignore:Unknown encoding:UserWarning:pydicom")
@pytest.mark.parametrize(
    ("octets", "character_set", "expected", "why"),
    [
        (b"A-17 ", b"", "A-17", "padding is no content"),
        (b"M\xfcller", b"ISO_IR 100", "Müller", "Latin 1"),
        ("Ωmega".encode(), b"ISO_IR 192", "Ωmega", "UTF-8"),
        (b"M\xfc1", b"ISO_IR 192", "M\\xfc1", "wrongly encoded text keeps its octets, so that two IDs stay two"),
        (b"A\x0017 ", b"", "A\\x0017", "a NUL inside fits no text of PostgreSQL, and without it two IDs would be one"),
        (b"M\xfc1", b"NONSENSE", "Mü1", "an unknown character set is read as Latin 1"),
        (b"M\xfc1", b"\0SO_IR 100", "Mü1", "so is one that was spoilt by a NUL"),
    ],
)
def test_patient_ids_are_read_in_their_character_set(
    octets: bytes, character_set: bytes, expected: str, why: str
) -> None:
    image = make_image(SpecificCharacterSet=None, PatientID="@@@@")
    head = encoded(image[:0x00100000], ExplicitVRLittleEndian)
    group_8 = struct.pack("<HH2sH", 0x0008, 0x0005, b"CS", len(character_set)) + character_set if character_set else b""
    patient = struct.pack("<HH2sH", 0x0010, 0x0020, b"LO", len(octets)) + octets
    rest = encoded(image[0x00200000:], ExplicitVRLittleEndian)
    assert read_head(group_8 + head + patient + rest, ExplicitVRLittleEndian).patient_id == expected, why


@pytest.mark.parametrize(
    ("date", "expected", "why"),
    [
        (b"2025.01.02", "20250102", "ACR-NEMA's way, PS3.5 table 6.2-1 note"),
        (b"20250102-20250103 ", "20250102", "a range is no date of a study, and is cut to what the ledger holds"),
    ],
)
def test_dates_and_modalities_fit_the_ledger_however_long(date: bytes, expected: str, why: str) -> None:
    image = make_image(StudyDate=None, Modality=None)
    study_date = struct.pack("<HH2sH", 0x0008, 0x0020, b"DA", len(date)) + date
    modality = struct.pack("<HH2sH", 0x0008, 0x0060, b"CS", 18) + b"M" * 18
    before = encoded(image[:0x00080020], ExplicitVRLittleEndian)
    behind = encoded(image[0x00100000:], ExplicitVRLittleEndian)
    head = read_head(before + study_date + modality + behind, ExplicitVRLittleEndian)
    assert (head.study_date, head.modality) == (expected, "M" * 16), why


@pytest.mark.parametrize("missing", ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"])
def test_each_uid_is_needed(missing: str) -> None:
    with pytest.raises(ImpossibleInput, match="missing or not a UID"):
        read_head(encoded(make_image(**{missing: None}), ExplicitVRLittleEndian), ExplicitVRLittleEndian)


def test_absent_type_2_attributes_are_empty() -> None:
    image = make_image(PatientID="", IssuerOfPatientID=None, StudyDate="", Modality=None)
    head = read_head(encoded(image, ImplicitVRLittleEndian), ImplicitVRLittleEndian)
    assert (head.patient_id, head.issuer_of_patient_id, head.study_date, head.modality) == ("", "", "", "")


@pytest.mark.parametrize(
    ("text", "valid", "why"),
    [
        ("1.2.840.10008.1.1", True, "an ordinary one"),
        ("1.2.03.4", True, "leading zeros are forbidden but met"),
        ("1." + "2" * 62, True, "64 characters"),
        ("1." + "2" * 63, False, "65 characters"),
        ("", False, "empty"),
        ("1..2", False, "an empty component"),
        ("1.2.", False, "ends with a point"),
        ("../../etc/passwd", False, "a path"),
        ("1.2\n", False, "a line break"),
        ("\uff11.\uff12", False, "digits of another script"),
    ],
)
def test_what_a_uid_is(*, text: str, valid: bool, why: str) -> None:
    assert is_uid(text) is valid, why


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda octets: octets[:60], "cut off inside an element"),
        (lambda _: b"", "empty"),
        (lambda octets: octets[:4] + b"\xff\xff\xff\x7f" + octets[8:], "a length beyond the end"),
        (lambda octets: struct.pack("<HHL", 8, 0x1115, 0xFFFFFFFF) + octets, "a sequence without items"),
        (
            lambda _: (
                struct.pack("<HHL", 8, 0x1115, 0xFFFFFFFF)
                + (struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF) + struct.pack("<HHL", 8, 0x1115, 0xFFFFFFFF))
                * 50_000
            ),
            "nested without end",
        ),
        (lambda octets: struct.pack("<HHL", 8, 1, 0) * 200_001 + octets, "elements without end"),
        (lambda octets: struct.pack("<HHL", 0x10, 0x20, 2000) + b"x" * 2000 + octets, "an absurd patient ID"),
    ],
)
def test_what_is_no_data_set_is_refused(spoil: Callable[[bytes], bytes], why: str) -> None:
    octets = spoil(encoded(make_image(), ImplicitVRLittleEndian))
    with pytest.raises(ImpossibleInput):
        assert read_head(octets, ImplicitVRLittleEndian) is None, why


def test_a_data_set_in_another_syntax_than_announced_is_refused() -> None:
    with pytest.raises(ImpossibleInput, match="no VR"):
        read_head(encoded(make_image(), ImplicitVRLittleEndian), ExplicitVRLittleEndian)
    with pytest.raises(ImpossibleInput, match="inflated"):
        read_head(encoded(make_image(), ExplicitVRLittleEndian), DeflatedExplicitVRLittleEndian)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(SYNTAXES))
def test_any_octets_give_a_head_or_its_own_error(octets: bytes, syntax: str) -> None:
    with suppress(ImpossibleInput):
        read_head(octets, syntax)


IMAGE = encoded(with_sequences(make_image(), undefined=True), ExplicitVRLittleEndian)


@pytest.mark.filterwarnings("ignore:Unknown encoding:UserWarning:pydicom")
@settings(max_examples=300, deadline=None)
@given(st.integers(0, 600), st.binary(min_size=1, max_size=8), st.sampled_from(SYNTAXES))
def test_a_spoilt_data_set_gives_a_head_or_its_own_error(at: int, octets: bytes, syntax: str) -> None:
    with suppress(ImpossibleInput):
        read_head(IMAGE[:at] + octets + IMAGE[at + len(octets) :], syntax)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("undefined", [False, True], ids=["lengths given", "delimited"])
def test_a_whole_data_set_is_whole_also_with_padding_behind_it(*, syntax: str, undefined: bool) -> None:
    octets = encoded(with_sequences(make_image(), undefined=undefined), syntax)
    for padding in (b"", b"\0", b"\0" * 7, b"\0" * 64):
        require_whole(octets + padding, syntax)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("undefined", [False, True], ids=["lengths given", "delimited"])
@pytest.mark.parametrize("lacking", [1, 2, 40])
def test_a_data_set_that_ends_inside_its_pixels_is_cut_off(*, syntax: str, undefined: bool, lacking: int) -> None:
    octets = encoded(with_sequences(make_image(), undefined=undefined), syntax)
    assert read_head(octets[:-lacking], syntax), "its head is there"
    with pytest.raises(ImpossibleInput, match="cut off, send it again"):
        require_whole(octets[:-lacking], syntax)


FRAGMENTS = (
    struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)
    + struct.pack("<HHL", 0xFFFE, 0xE000, 0) + struct.pack("<HHL", 0xFFFE, 0xE000, 8) + b"12345678"
)  # fmt: skip
DELIMITER = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)


@pytest.mark.parametrize(
    ("pixels", "cut_off", "why"),
    [
        (FRAGMENTS + DELIMITER, False, "as the standard has it"),
        (FRAGMENTS, False, "devices in use leave the last delimiter out"),
        (FRAGMENTS[:-1], True, "inside a fragment"),
        (struct.pack("<HH2sH", 0x5400, 0x0100, b"SQ", 0) + b"\xff" * 4 + b"\xfe\xff\x00\xe0\x40\0\0\0", True,
         "inside an item"),
    ],
)  # fmt: skip
def test_compressed_pixels_end_with_a_fragment(*, pixels: bytes, cut_off: bool, why: str) -> None:
    found = False
    try:
        require_whole(pixels, JPEG2000Lossless)
    except ImpossibleInput:
        found = True
    assert found is cut_off, why


@given(octets=st.binary(max_size=200), syntax=st.sampled_from(SYNTAXES))
@settings(max_examples=100, deadline=None)
def test_any_octets_are_whole_or_cut_off(octets: bytes, syntax: str) -> None:
    with suppress(ImpossibleInput):
        require_whole(octets, syntax)
