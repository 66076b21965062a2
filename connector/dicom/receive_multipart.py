"""Cuts a multipart/related body into its parts while it arrives, whatever the size of the pieces (RFC 2046, 5.1)."""

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message

from connector.core.errors import ImpossibleInput

_LARGEST_HEADERS = 16 * 1024
_LARGEST_PADDING = 256
_LONGEST_BOUNDARY = 200  # RFC 2046 allows 70; some toolkits write more


class MalformedMultipart(ImpossibleInput):
    """The body does not follow its own boundary."""


@dataclass(frozen=True, slots=True)
class PartBegan:
    """A part begins; header names are in lower case."""

    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class PartData:
    """Some octets of the part that began last."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class PartEnded:
    """The part that began last is complete."""


Piece = PartBegan | PartData | PartEnded


@dataclass(frozen=True, slots=True)
class ContentType:
    """A media type in lower case, and its parameters with names in lower case."""

    media_type: str
    parameters: dict[str, str]


def read_content_type(header: str) -> ContentType:
    """Read a Content-Type header; one that cannot be read has an empty media type."""
    message = Message()
    message["content-type"] = header
    if "/" not in header:
        return ContentType("", {})
    named = message.get_params(failobj=[])[1:]
    return ContentType(message.get_content_type().lower(), {name.lower(): str(value) for name, value in named})


class MultipartScanner:
    """
    Feed it octets as they come; it gives the parts' octets on, without ever holding more than a boundary's length.

    Raises MalformedMultipart when a boundary, headers or the end are not as they must be.
    """

    def __init__(self, boundary: str) -> None:
        if not boundary or len(boundary) > _LONGEST_BOUNDARY or not boundary.isascii() or not boundary.isprintable():
            raise MalformedMultipart("the boundary in the Content-Type is missing or malformed: correct the header")
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        # The first delimiter may stand at the very start; a line break in front makes it like the others.
        self._buffer = bytearray(b"\r\n")
        self._state = self._preamble
        self._ended = False

    def feed(self, octets: bytes) -> Iterator[Piece]:
        """Take the next octets and give what they complete."""
        self._buffer += octets
        while not self._ended:
            before = (len(self._buffer), self._state)
            yield from self._state()
            if (len(self._buffer), self._state) == before:
                return
        self._buffer.clear()  # the epilogue means nothing

    def finish(self) -> None:
        """Tell that no more octets come. Raises MalformedMultipart unless the closing boundary was seen."""
        if not self._ended:
            raise MalformedMultipart("the body ended before its closing boundary: it was cut off, send it again")

    def _preamble(self) -> Iterator[Piece]:
        for _ in self._up_to_delimiter():
            pass
        yield from ()

    def _data(self) -> Iterator[Piece]:
        was = self._state
        for octets in self._up_to_delimiter():
            yield PartData(octets)
        if self._state != was:
            yield PartEnded()

    def _up_to_delimiter(self) -> Iterator[bytes]:
        """Give octets in front of the next delimiter and step behind it once it is complete."""
        start = 0
        while (at := self._buffer.find(self._delimiter, start)) >= 0:
            end = self._end_of_delimiter(at)
            if end is None:  # not yet to be told: keep it, give what is in front
                yield from self._take(at)
                return
            if end:
                yield from self._take(at)
                del self._buffer[: end - at]
                return
            start = at + 1  # only looks like one
        yield from self._take(len(self._buffer) - len(self._delimiter) + 1)

    def _take(self, count: int) -> Iterator[bytes]:
        if count > 0:
            octets = bytes(memoryview(self._buffer)[:count])
            del self._buffer[:count]
            yield octets

    def _end_of_delimiter(self, at: int) -> int | None:
        """Where a delimiter's line ends; 0 when it is none, None when that cannot be told yet."""
        position = at + len(self._delimiter)
        if self._buffer[position : position + 2] == b"--":
            self._ended = True
            self._state = self._epilogue
            return position + 2
        if self._buffer[position : position + 2] == b"-":
            return None
        padded = position
        while padded < len(self._buffer) and self._buffer[padded] in b" \t":
            padded += 1
            if padded - position > _LARGEST_PADDING:
                return 0
        rest = bytes(self._buffer[padded : padded + 2])
        if rest == b"\r\n":
            self._state = self._headers
            # The line break stays: headers end with an empty line, also when there are none.
            return padded
        return None if b"\r\n".startswith(rest) else 0

    def _headers(self) -> Iterator[Piece]:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _LARGEST_HEADERS:
                raise MalformedMultipart(f"a part's headers are longer than {_LARGEST_HEADERS} bytes")
            return
        if end > _LARGEST_HEADERS:
            raise MalformedMultipart(f"a part's headers are longer than {_LARGEST_HEADERS} bytes")
        lines = bytes(self._buffer[:end]).decode("latin-1").replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n")
        # Of the empty line, the second line break stays as the first octets: an empty part's delimiter needs it.
        del self._buffer[: end + 2]
        self._state = self._line_break
        headers = {}
        for line in filter(None, lines):
            name, colon, value = line.partition(":")
            if not colon or not name.strip():
                raise MalformedMultipart("a part has a header line without a name")
            headers[name.strip().lower()] = value.strip()
        yield PartBegan(headers)

    def _line_break(self) -> Iterator[Piece]:
        """After the headers: either a delimiter at once (an empty part), or the line break is dropped."""
        if len(self._buffer) < len(self._delimiter) and self._delimiter.startswith(self._buffer):
            return
        if not self._buffer.startswith(self._delimiter):
            del self._buffer[:2]
        self._state = self._data
        yield from ()

    def _epilogue(self) -> Iterator[Piece]:
        yield from ()
