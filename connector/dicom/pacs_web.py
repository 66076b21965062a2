"""Asks the PACS by QIDO-RS and gets by WADO-RS, streamed into the same way in as what is sent to us."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dicomweb_client.api import DICOMwebClient
from dicomweb_client.session_utils import create_session

from connector.core.errors import ConnectorError, ImpossibleInput, Refused, TryLater
from connector.dicom.pacs_priors import FoundSeries, FoundStudy, Visit
from connector.dicom.receive_intake import STORED
from connector.dicom.receive_multipart import MultipartScanner, PartBegan, PartData, PartEnded, read_content_type
from connector.dicom.receive_part10 import Part10
from connector.logs import get_logger
from connector.unreached import why_unreached

log = get_logger("dicom.priors")

_PAGE = 100
_PIECE_BYTES = 256 * 1024
# Instances as they are stored: pixels that the PACS would have to convert might lose what we measure.
_ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_TO_DO = {
    **dict.fromkeys((401, 403), "check its user, password or token (CONNECTOR_PACS_DICOMWEB_…)"),
    **dict.fromkeys((404, 405), "check CONNECTOR_PACS_DICOMWEB_URL"),
}
_AWAY = frozenset({408, 425, 429, 500, 502, 503, 504})

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebPacs:
    """Where the PACS's DICOMweb service is, and who we are to it: user and password, or a bearer token."""

    url: str
    user: str = ""
    password: str = ""
    token: str = ""
    ca_file: Path | None = None
    certificate: tuple[str, str] | None = None  # PEM files of our certificate and key
    connect_seconds: float = 10.0
    answer_seconds: float = 60.0


class WebArchive:
    """QIDO-RS and WADO-RS, PS3.18 sections 10.6 and 10.4."""

    way = "DICOMweb"

    def __init__(self, pacs: WebPacs) -> None:
        # Its messages hold addresses, and those hold patient IDs.
        for library in ("dicomweb_client", "retrying"):
            logging.getLogger(library).setLevel(logging.CRITICAL)
        self._session = create_session()
        # Without a time limit of its own, a request would wait for ever.
        self._session.request = partial(  # type: ignore[method-assign]
            self._session.request, timeout=(pacs.connect_seconds, pacs.answer_seconds)
        )
        self._session.trust_env = False  # no proxy and no .netrc that a shell happens to name
        if pacs.token:
            self._session.headers["Authorization"] = f"Bearer {pacs.token}"
        elif pacs.user:
            self._session.auth = (pacs.user, pacs.password)
        if pacs.ca_file is not None:
            self._session.verify = str(pacs.ca_file)
        if pacs.certificate is not None:
            self._session.cert = pacs.certificate
        self._client = DICOMwebClient(
            pacs.url, session=self._session, timeout=(pacs.connect_seconds, pacs.answer_seconds)
        )
        self._client.set_http_retry_params(retry=False)  # the ledger tries again, and knows when to stop

    def check(self) -> None:
        """Ask whether the service answers us: a search for a study that cannot be. Raises TryLater or Refused."""
        with _judged("search"):
            self._client.search_for_studies(search_filters={"StudyInstanceUID": "2.25.0"}, limit=1)

    def studies_of(self, patient_id: str) -> list[FoundStudy]:
        """Studies that match a patient ID."""
        search = partial(
            self._client.search_for_studies, search_filters={"PatientID": patient_id}, fields=["IssuerOfPatientID"]
        )
        return [
            FoundStudy(*(_text(study, tag) for tag in ("0020000D", "00080020", "00100020", "00100021")))
            for study in self._search(search, "0020000D")
        ]

    def series_of(self, study_instance_uid: str) -> list[FoundSeries]:
        """Series of a study."""
        search = partial(self._client.search_for_series, study_instance_uid)
        return [
            FoundSeries(study_instance_uid, _text(series, "0020000E"), _text(series, "00080060"))
            for series in self._search(search, "0020000E")
        ]

    def retrieve(self, wanted: Sequence[FoundSeries], visit: Visit) -> None:
        """Retrieve series or studies."""
        for each in wanted:
            visit.study_instance_uid = each.study_instance_uid
            address = f"{self._client.base_url}/studies/{each.study_instance_uid}"
            if each.series_instance_uid:
                address += f"/series/{each.series_instance_uid}"
            with _judged("retrieve"):
                self._retrieve(address, visit)

    def _search(self, search: Callable[..., list[Json]], key: str) -> Iterator[Json]:
        """All pages of a search; a server that knows no offset sends the first page again, which ends it."""
        seen: set[str] = set()
        while True:
            with _judged("search"):
                page = search(limit=_PAGE, offset=len(seen))
            new = {_text(each, key): each for each in page if _text(each, key) not in seen}
            if not new:
                return
            seen |= new.keys()
            yield from new.values()

    def _retrieve(self, address: str, visit: Visit) -> None:
        with self._session.get(address, headers={"Accept": _ACCEPT}, stream=True) as answer:
            answer.raise_for_status()
            if answer.status_code == 204:  # noqa: PLR2004 - HTTP: nothing there
                return
            content = read_content_type(answer.headers.get("Content-Type", ""))
            if content.media_type != "multipart/related":
                raise Refused("the PACS's DICOMweb service did not answer with multipart/related: see its manual")
            try:
                scanner = MultipartScanner(content.parameters.get("boundary", ""))
                _take_parts(answer.iter_content(_PIECE_BYTES), scanner, visit)
                scanner.finish()
            except ImpossibleInput as fault:
                raise TryLater(f"the answer of the PACS's DICOMweb service was cut off or malformed: {fault}") from None


def _take_parts(pieces: Iterator[bytes], scanner: MultipartScanner, visit: Visit) -> None:
    part = Part10(visit.intake)
    try:
        for octets in pieces:
            for piece in scanner.feed(octets):
                match piece:
                    case PartBegan():
                        part = Part10(visit.intake)
                    case PartData(data):
                        part.write(data)
                    case PartEnded():
                        if part.incoming is None or part.announced is None:
                            raise ImpossibleInput("a part ended inside its file meta information")
                        visit.failed += visit.take(part.incoming, part.announced) != STORED
    finally:
        part.close()


class _judged:  # noqa: N801 - reads as the word it is in a with statement
    """Turns what the HTTP library raises into our reactions; its own texts hold addresses with patient IDs."""

    def __init__(self, step: str) -> None:
        self._step = step

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, fault: BaseException | None, trace: object) -> None:
        """Judge a failure. Raises TryLater or Refused."""
        if fault is None or isinstance(fault, ConnectorError):
            return
        # Every fault of `requests` is an OSError; one with an answer tells its status. A body that is no JSON is a
        # ValueError of its own, and one too.
        answer = getattr(fault, "response", None)
        if answer is not None:
            raise _of_status(answer.status_code, self._step, answer.headers.get("Retry-After", "")) from None
        if isinstance(fault, ValueError):
            raise Refused(
                f"the PACS's DICOMweb service answered a {self._step} with what is no DICOM JSON: check"
                " CONNECTOR_PACS_DICOMWEB_URL"
            ) from None
        if isinstance(fault, OSError):
            why = why_unreached(fault, ca_setting="CONNECTOR_PACS_TLS_CA_FILE")
            text = f"the PACS's DICOMweb service cannot be reached ({type(fault).__name__})"
            raise TryLater(f"{text}: {why}; check CONNECTOR_PACS_DICOMWEB_URL" if why else text) from None


def _of_status(status: int, step: str, retry_after: str) -> ConnectorError:
    if status in _AWAY:
        seconds = float(retry_after) if retry_after.isdecimal() else None
        return TryLater(f"the PACS's DICOMweb service answered a {step} with {status}", retry_after_seconds=seconds)
    todo = _TO_DO.get(status, "see its log and conformance statement")
    return Refused(f"the PACS's DICOMweb service answered a {step} with {status}: {todo}")


def _text(attributes: Json, tag: str) -> str:
    values = attributes.get(tag, {}).get("Value") or [""]
    return str(values[0] or "")
