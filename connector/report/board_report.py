"""Draws the report that the tumour board reads: the same pages, byte for byte, for the same request."""

import base64
import json
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, time
from functools import cache
from hashlib import sha256
from importlib.resources import files
from threading import Lock
from typing import cast
from weakref import WeakKeyDictionary

import typst

from connector.ports import Document, WriteRequest
from connector.report.board_content import board_content
from connector.report.dose_pictures import dose_picture
from connector.report.fonts import fonts
from connector.report.response_sheet import response_sheet
from connector.report.room import PAGES, ROOMS

# Archived for decades and read aloud by screen readers: ISO 19005-2, level a, and ISO 14289-1.
STANDARDS: list["typst.PDFStandard"] = ["a-2a", "ua-1"]


class BoardReport:
    """
    Draws a request once, however many writers ask for it.

    The pages live as long as the request; pictures are drawn one at a time, since Matplotlib's settings are global.
    """

    def __init__(self) -> None:
        self._drawn: WeakKeyDictionary[WriteRequest, bytes] = WeakKeyDictionary()
        self._drawing = Lock()

    def __call__(self, request: WriteRequest) -> bytes:
        """The PDF of a request."""
        with self._drawing:
            pdf = self._drawn.get(request)
            if pdf is None:
                pdf = self._drawn[request] = draw(request)
            return pdf


class ReportFile:
    """A Writer that hands the PDF out as a plain file, for `connector process`."""

    def __init__(self, report: BoardReport) -> None:
        self._report = report

    def write(self, request: WriteRequest) -> Sequence[Document]:
        """Make the one PDF; its identity is the digest of its bytes."""
        pdf = self._report(request)
        named = sha256(pdf).hexdigest()
        return (Document("report", "file", named, pdf, request.assessment.study_instance_uid),)


def draw(request: WriteRequest) -> bytes:
    """
    Draw the pages, tagged and with embedded fonts: two, with less of the long lists where they would be more.

    Everything from outside is data to the template, never part of it. The day of the assessment stands for the clock.
    """
    assessment = request.assessment
    inputs = _pictures(request)
    for room in ROOMS:
        content = json.dumps(board_content(request, room), ensure_ascii=False)
        compiler = typst.Compiler(
            _template(), font_paths=fonts(), ignore_system_fonts=True, sys_inputs={"content": content, **inputs}
        )
        if int(compiler.query("<pages>", field="value", one=True)) <= PAGES:
            break
    pdf = compiler.compile(
        _template(),
        format="pdf",
        pdf_standards=STANDARDS,
        timestamp=datetime.combine(assessment.assessed_on, time(), UTC),
    )
    return cast("bytes", pdf)  # pages as pictures would be several files, a PDF is one


def _pictures(request: WriteRequest) -> dict[str, str]:
    assessment = request.assessment
    inputs = {}
    if assessment.response is not None:
        inputs["response_picture"] = response_sheet(request, assessment.response).decode("utf-8")
    if assessment.dose is not None and request.activity is not None:
        seen = assessment.dose, request.activity, request.regions, request.anatomy
        picture = dose_picture(*seen, arithmetic=False)
        inputs["dose_picture"] = _as_text(picture)
    return inputs


def _as_text(png: bytes) -> str:
    """The picture within an SVG, since the compiler takes inputs as text."""
    width, height = struct.unpack(">II", png[16:24])  # the header chunk comes first (ISO/IEC 15948, 5.6)
    size = f'width="{width}" height="{height}"'
    data = base64.b64encode(png).decode("ascii")
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><image {size} href="data:image/png;base64,{data}"/></svg>'


@cache
def _template() -> bytes:
    return files("connector.report").joinpath("board_report.typ").read_bytes()
