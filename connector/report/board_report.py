"""Draws the report that the tumour board reads: the same pages, byte for byte, for the same request."""

from collections.abc import Sequence
from hashlib import sha256
from threading import Lock
from weakref import WeakKeyDictionary

from connector.ports import Document, WriteRequest


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
        from connector.report.board_pages import draw  # noqa: PLC0415 - 40 MB that a part which draws nothing spares

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
