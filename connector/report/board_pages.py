"""Sets the pages of the board report: text, tables and pictures, the same bytes for the same request."""

import base64
import json
import struct
from datetime import UTC, datetime, time
from functools import cache
from importlib.resources import files
from typing import cast

import typst

from connector.ports import WriteRequest
from connector.report.board_content import board_content
from connector.report.dose_pictures import dose_picture
from connector.report.fonts import fonts
from connector.report.response_sheet import response_sheet
from connector.report.room import PAGES, ROOMS

# Archived for decades and read aloud by screen readers: ISO 19005-2, level a, and ISO 14289-1.
STANDARDS: list["typst.PDFStandard"] = ["a-2a", "ua-1"]


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
