"""Receives instances by C-STORE as raw bytes and answers success only for what is on disk and in the ledger."""

import logging
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydicom import Dataset
from pynetdicom import AE, _config, evt

from connector.core.errors import ConnectorError, ImpossibleInput
from connector.dicom.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from connector.dicom.receive_commitment import (
    INVALID_ARGUMENT,
    NOT_AUTHORISED,
    STORAGE_COMMITMENT,
    SUCCESS,
    CommitmentDesk,
    CommitmentResult,
    read_result,
)
from connector.dicom.receive_intake import (
    CANNOT_UNDERSTAND,
    DOES_NOT_MATCH_SOP_CLASS,
    OUT_OF_RESOURCES,
    PROCESSING_FAILURE,
    STORED,
    Intake,
    refusal_status,
    require_uids,
)
from connector.dicom.receive_transport import Server, Session, Transport, acknowledge_promptly
from connector.dicom.store_file import FileStore
from connector.logs import get_logger
from connector.ports import Inbox

if TYPE_CHECKING:
    from pynetdicom.association import Association

log = get_logger("dicom.receive")

_VERIFICATION = "1.2.840.10008.1.1"
MAXIMUM_PDU_BYTES = 128 * 1024  # measured: larger and unlimited PDUs are slower
_COMMENTS = {
    OUT_OF_RESOURCES: "out of resources, send again later",
    DOES_NOT_MATCH_SOP_CLASS: "data set is not the announced object",
    CANNOT_UNDERSTAND: "cannot read the data set",
    PROCESSING_FAILURE: "processing failure",
}
_ALIVE_SECONDS = 5.0


def quiet_pynetdicom() -> None:
    """Set pynetdicom's process-wide switches so that nothing of a data set is logged."""
    _config.LOG_HANDLER_LEVEL = "none"
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
    # Its messages hold addresses and values of elements; what matters is logged here as events.
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)


class Listener:
    """
    Storage, verification and storage commitment SCP.

    An empty `allowed_calling_ae_titles` lets every calling AE title in; `port` 0 lets the system choose (see `port`).
    `offer_commitment` lets senders ask for storage commitment: after a promise they may delete their copy, so it is for
    sites that keep the data folder as an archive. Reports go to `commitment_peers` (AE title to host and port) on a new
    association, to other peers on the association of their request.
    `on_commitment_result` is called with what a PACS answers to our own requests; when it raises, the PACS is told to
    report again (0110H). With `reuse_port`, several processes listen on one port (Linux).
    """

    def __init__(
        self,
        *,
        inbox: Inbox,
        folder: Path,
        ae_title: str,
        host: str,
        port: int,
        allowed_calling_ae_titles: frozenset[str] = frozenset(),
        maximum_associations: int = 64,
        disk_reserve_bytes: int = 0,
        tls: ssl.SSLContext | None = None,
        offer_commitment: bool = False,
        commitment_peers: Mapping[str, tuple[str, int]] | None = None,
        on_commitment_result: Callable[[CommitmentResult], None] | None = None,
        idle_seconds: float = 60.0,
        handshake_seconds: float = 15.0,
        reuse_port: bool = False,
    ) -> None:
        quiet_pynetdicom()
        _config.UNRESTRICTED_STORAGE_SERVICE = True  # process-wide: any storage SOP class is taken
        self._address = (host, port)
        self._intake = Intake(inbox, FileStore(folder, disk_reserve_bytes=disk_reserve_bytes))
        self._on_commitment_result = on_commitment_result
        self._sessions: set[Session] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._server: Server | None = None
        self._desk = CommitmentDesk(ae_title=ae_title, held=inbox.held, peers=commitment_peers or {})
        self._offer_commitment = offer_commitment
        self._transport = Transport(
            intake=self._intake,
            open_session=self._open_session,
            close_session=self._close_session,
            maximum_associations=maximum_associations,
            idle_seconds=idle_seconds,
            handshake_seconds=handshake_seconds,
            tls=tls,
            reuse_port=reuse_port,
        )
        self._entity = _entity(ae_title, allowed_calling_ae_titles, self._transport)

    @property
    def port(self) -> int:
        """The port in use."""
        return int(self._server.server_address[1]) if self._server is not None else self._address[1]

    @property
    def open_associations(self) -> int:
        """How many connections are being served."""
        with self._lock:
            return len(self._sessions)

    def start(self) -> None:
        """Bind and serve in the background. Raises OSError when the address is taken."""
        handlers: list[Any] = [
            (evt.EVT_CONN_OPEN, acknowledge_promptly),
            (evt.EVT_DATA_SENT, acknowledge_promptly),
            (evt.EVT_REJECTED, _log_rejection),
            (evt.EVT_C_STORE, self._on_store),
            (evt.EVT_N_ACTION, self._on_commitment_request),
            (evt.EVT_N_EVENT_REPORT, self._on_commitment_report),
        ]
        self._stopping.clear()
        server: Any = self._entity.make_server(
            self._address, evt_handlers=handlers, server_class=Server, transport=self._transport
        )
        self._server = server
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="dicom-accept", daemon=True
        ).start()
        threading.Thread(target=self._keep_alive, name="dicom-alive", daemon=True).start()
        log.info("listening", port=self.port)

    def stop(self, *, grace_seconds: float = 10.0) -> None:
        """Accept nothing more, let running associations end for a while, then abort the rest."""
        if self._server is None:
            return
        self._server.shutdown()
        deadline = time.monotonic() + grace_seconds
        while self.open_associations and time.monotonic() < deadline:
            time.sleep(0.02)
        for association in self._entity.active_associations:
            association.abort()
        self._stopping.set()
        self._server = None

    def _on_store(self, event: Any) -> int | Dataset:
        """Store one instance (EVT_C_STORE) and give its status, PS3.4 table B.2-1."""
        request, session = event.request, event.assoc.dimse.session
        sop_class, sop_instance = str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID)
        fields = {"association_id": session.association_id}
        try:
            require_uids(sop_class, sop_instance)
            fields |= {"sop_instance_uid": sop_instance, "sop_class_uid": sop_class}
            self._announce(session)
            self._intake.accept(
                request.DataSet,
                sop_class_uid=sop_class,
                sop_instance_uid=sop_instance,
                transfer_syntax_uid=str(event.context.transfer_syntax),
                source=event.assoc.requestor.ae_title.strip(),
                association_id=session.association_id,
            )
        except Exception as fault:  # noqa: BLE001 - whatever went wrong, the sender must hear that it is not stored
            status = refusal_status(fault)
            told = str(fault) if isinstance(fault, ConnectorError) else type(fault).__name__
            log.warning("store_refused", reason=told, status=f"{status:04X}", **fields)
            return _failure(status, _COMMENTS[status])
        session.stored += 1
        return STORED

    def _on_commitment_request(self, event: Any) -> tuple[int, None]:
        """Take a request to keep instances for good (EVT_N_ACTION)."""
        return self._desk.on_action(event) if self._offer_commitment else (NOT_AUTHORISED, None)

    def _on_commitment_report(self, event: Any) -> tuple[int, None]:
        """Take what a PACS says of our commitment requests (EVT_N_EVENT_REPORT)."""
        try:
            result = read_result(event.event_information)
            if self._on_commitment_result is not None:
                self._on_commitment_result(result)
        except ImpossibleInput:
            return INVALID_ARGUMENT, None
        except Exception as fault:  # noqa: BLE001 - told to the PACS, which reports again
            log.warning("commitment_result_not_taken", exception_type=type(fault).__name__)
            return PROCESSING_FAILURE, None
        log.info("commitment_result", count=len(result.committed), state="failed" if result.failed else "committed")
        return SUCCESS, None

    def _open_session(self) -> Session:
        session = Session(uuid.uuid4().hex)
        with self._lock:
            self._sessions.add(session)
        return session

    def _announce(self, session: Session) -> None:
        """Tell the ledger of an association before its first instance; verification alone is not worth a row."""
        if not session.announced:
            self._intake.inbox.association_opened(session.association_id)
            session.announced = True

    def _close_session(self, session: Session, association: "Association") -> None:
        with self._lock:
            self._sessions.discard(session)
        log.info(
            "association_ended",
            association_id=session.association_id,
            calling_ae_title=association.requestor.ae_title.strip(),
            count=session.stored,
            seconds=round(time.monotonic() - session.began, 3),
            state="released" if association.is_released else "aborted" if association.is_aborted else "closed",
        )
        if session.announced:
            # When the ledger is away now, it notices by itself that this association is no longer alive.
            _quietly(self._intake.inbox.association_closed, session.association_id)

    def _keep_alive(self) -> None:
        while not self._stopping.wait(_ALIVE_SECONDS):
            with self._lock:
                announced = [session.association_id for session in self._sessions if session.announced]
            for association_id in announced:
                _quietly(self._intake.inbox.association_alive, association_id)


def _entity(ae_title: str, allowed_calling_ae_titles: frozenset[str], transport: Transport) -> AE:
    entity = AE(ae_title=ae_title)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    entity.require_called_aet = True
    entity.require_calling_aet = sorted(allowed_calling_ae_titles)
    entity.maximum_associations = transport.maximum_associations
    entity.maximum_pdu_size = MAXIMUM_PDU_BYTES
    entity.network_timeout = transport.idle_seconds
    entity.dimse_timeout = transport.idle_seconds
    entity.acse_timeout = transport.handshake_seconds
    entity.add_supported_context(_VERIFICATION)
    entity.add_supported_context(STORAGE_COMMITMENT, scu_role=True, scp_role=True)
    return entity


def _failure(status: int, comment: str) -> Dataset:
    answer = Dataset()
    answer.Status = status
    answer.ErrorComment = comment
    return answer


def _log_rejection(event: Any) -> None:
    asked = event.assoc.requestor.primitive
    log.warning(
        "association_rejected",
        calling_ae_title=str(asked.calling_ae_title).strip(),
        called_ae_title=str(asked.called_ae_title).strip(),
    )


def _quietly(tell: Callable[[str], None], association_id: str) -> None:
    try:
        tell(association_id)
    except (ConnectorError, OSError) as fault:
        log.warning("ledger_not_told", association_id=association_id, exception_type=type(fault).__name__)
