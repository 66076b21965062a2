"""Bodies cut into parts, the same under any chunking, and the file meta of each part."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.core.errors import ImpossibleInput
from connector.dicom.receive_multipart import MultipartScanner, PartBegan, PartData, PartEnded, read_content_type
from connector.dicom.receive_part10 import read_file_meta

BOUNDARY = "b0unDary"


def multipart(*parts: bytes, content_type: str = "application/dicom") -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Type: {content_type}\r\n\r\n".encode()
    return b"".join(head + part + b"\r\n" for part in parts) + f"--{BOUNDARY}--".encode()


def scan(*chunks: bytes, boundary: str = BOUNDARY) -> list[tuple[dict[str, str], bytes]]:
    """All parts of a body that comes in these chunks."""
    scanner, parts, open_part = MultipartScanner(boundary), [], False
    for chunk in chunks:
        for piece in scanner.feed(chunk):
            match piece:
                case PartBegan(headers):
                    assert not open_part
                    parts.append((headers, b""))
                    open_part = True
                case PartData(octets):
                    assert open_part
                    parts[-1] = (parts[-1][0], parts[-1][1] + octets)
                case PartEnded():
                    open_part = False
    scanner.finish()
    assert not open_part
    return parts


@pytest.mark.parametrize(
    ("body", "parts", "why"),
    [
        (b"--b0unDary\r\n\r\nAB\r\n--b0unDary--", [({}, b"AB")], "no headers"),
        (b"pre\r\n--b0unDary\r\nA: 1\r\n\r\nX\r\n--b0unDary--epi", [({"a": "1"}, b"X")], "preamble and epilogue"),
        (b"--b0unDary \t\r\nA:1\r\n\r\nX\r\n--b0unDary--", [({"a": "1"}, b"X")], "padding behind the boundary"),
        (b"--b0unDary\r\nA: 1\r\n 2\r\n\r\nX\r\n--b0unDary--", [({"a": "1 2"}, b"X")], "a folded header"),
        (b"--b0unDary\r\nA: 1\r\n\r\n\r\n--b0unDary--", [({"a": "1"}, b"")], "an empty body"),
        (b"--b0unDary\r\nA: 1\r\n\r\n--b0unDary--", [({"a": "1"}, b"")], "no body at all"),
        (b"--b0unDary\r\n\r\n--b0unDary--", [({}, b"")], "neither headers nor body"),
        (b"--b0unDary\r\n\r\n\r\n\r\n\r\n--b0unDary--", [({}, b"\r\n\r\n")], "line breaks are content"),
        (b"--b0unDary\r\n\r\nX\r\n--b0unDaryZ\r\n--b0unDary--", [({}, b"X\r\n--b0unDaryZ")], "a longer line is none"),
        (b"--b0unDary\r\n\r\nX\n--b0unDary\r\n--b0unDary--", [({}, b"X\n--b0unDary")], "half a line break is none"),
        (b"--b0unDary\r\n\r\nX\r\n--b0unDar\r\n--b0unDary--", [({}, b"X\r\n--b0unDar")], "a shorter line is none"),
        (b"--b0unDary\r\n\r\n\r\r\n--b0unDary--", [({}, b"\r")], "a lone carriage return in front of the boundary"),
        (b"--b0unDary\r\n\r\nA\r\n--b0unDary\r\n\r\nB\r\n--b0unDary--", [({}, b"A"), ({}, b"B")], "two parts"),
        (b"--b0unDary--", [], "no part"),
    ],
)
def test_parts_are_cut_at_boundaries(body: bytes, parts: list[Any], why: str) -> None:
    assert scan(body) == parts, why
    assert scan(*(body[at : at + 1] for at in range(len(body)))) == parts, f"{why}, octet by octet"


PIECES = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b"-", b"--", b"b0unDary", b"\r\n--b0unDar", b"\r\n--b0unDaryX", b"A", b"\0"]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(PIECES, max_size=8).map(b"".join), max_size=4), st.data())
def test_any_chunking_gives_the_same_parts(parts: list[bytes], data: st.DataObject) -> None:
    parts = [part for part in parts if f"\r\n--{BOUNDARY}".encode() not in b"\r\n" + part + b"\r\n--"]
    body = multipart(*parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=12)))
    chunks = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert [octets for _, octets in scan(*chunks)] == parts


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES | st.binary(max_size=6), max_size=30))
def test_any_body_gives_parts_or_its_own_error(chunks: list[bytes]) -> None:
    with suppress(ImpossibleInput):
        scan(b"--b0unDary\r\n", *chunks)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_file_meta_is_read_or_refused(octets: bytes) -> None:
    with suppress(ImpossibleInput):
        read_file_meta(bytes(128) + b"DICM" + octets)


@pytest.mark.parametrize(
    ("header", "media_type", "parameters"),
    [
        ('multipart/related; type="application/dicom"; boundary="a b"', "multipart/related",
         {"type": "application/dicom", "boundary": "a b"}),
        ("Multipart/Related;Boundary=xYz", "multipart/related", {"boundary": "xYz"}),
        ("application/dicom", "application/dicom", {}),
        ("", "", {}),
        ("nonsense", "", {}),
    ],
)  # fmt: skip
def test_content_types_are_read(header: str, media_type: str, parameters: dict[str, str]) -> None:
    read = read_content_type(header)
    assert (read.media_type, read.parameters) == (media_type, parameters)
