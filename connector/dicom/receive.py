"""Receives instances by C-STORE as raw bytes and answers success only for what is on disk and in the ledger."""

import logging
import ssl
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path

from pydicom import Dataset
from pynetdicom import _config

from connector.core.errors import ConnectorError, ImpossibleInput
from connector.dicom import receive_wire as wire
from connector.dicom.receive_association import N_ACTION, Answer, Reply, Session
from connector.dicom.receive_commitment import (
    INVALID_ARGUMENT,
    NOT_AUTHORISED,
    SUCCESS,
    CommitmentDesk,
    CommitmentResult,
    Keep,
    read_result,
)
from connector.dicom.receive_head import Head
from connector.dicom.receive_intake import (
    CANNOT_UNDERSTAND,
    DOES_NOT_MATCH_SOP_CLASS,
    OUT_OF_RESOURCES,
    PROCESSING_FAILURE,
    STORED,
    Intake,
    WrongObject,
    refusal_status,
    require_uids,
)
from connector.dicom.receive_negotiation import STORAGE_COMMITMENT, Context, Doorkeeper
from connector.dicom.receive_requests import UNRECOGNISED_OPERATION, StepRequests
from connector.dicom.receive_server import AssociationServer
from connector.dicom.receive_wire import Command
from connector.dicom.store_file import FileStore, Incoming
from connector.logs import get_logger
from connector.ports import Inbox, StepBook

log = get_logger("dicom.receive")

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
    Storage, verification, storage commitment, procedure step and worklist SCP.

    An empty `allowed_calling_ae_titles` lets every calling AE title in; `port` 0 lets the system choose (see `port`).
    `offer_commitment` lets senders ask for storage commitment: after a promise they may delete their copy, so it is for
    sites that keep the data folder as an archive. Requests of the AE titles `told_later` are handed to `keep_request`,
    for a report on another association (see `ResultSender`); others get it on the association of their request.
    `on_commitment_result` is called with what a PACS answers to our own requests; when it raises, the PACS is told to
    report again (0110H). With `reuse_port`, several processes listen on one port (Linux). `steps` keeps what is told by
    MPPS and Instance Availability Notification, and ordered by Unified Procedure Step; without it those are refused.
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
        told_later: Collection[str] = (),
        keep_request: Keep | None = None,
        on_commitment_result: Callable[[CommitmentResult], None] | None = None,
        idle_seconds: float = 60.0,
        handshake_seconds: float = 15.0,
        reuse_port: bool = False,
        steps: StepBook | None = None,
    ) -> None:
        quiet_pynetdicom()
        self._host, self._port = host, port
        self._steps = StepRequests(steps) if steps is not None else None
        self._intake = Intake(inbox, FileStore(folder, disk_reserve_bytes=disk_reserve_bytes))
        self._on_commitment_result = on_commitment_result
        self._offer_commitment = offer_commitment
        self._desk = CommitmentDesk(held=inbox.held, told_later=told_later, keep=keep_request)
        self._stopping = threading.Event()
        self._server = AssociationServer(
            self,
            Doorkeeper(ae_title=ae_title, allowed_calling_ae_titles=allowed_calling_ae_titles),
            ended=self._ended,
            maximum_associations=maximum_associations,
            handshake_seconds=handshake_seconds,
            idle_seconds=idle_seconds,
            tls=tls,
            reuse_port=reuse_port,
        )

    @property
    def port(self) -> int:
        """The port in use."""
        return self._port

    @property
    def open_associations(self) -> int:
        """How many connections are being served."""
        return len(self._server.open_sessions)

    def start(self) -> None:
        """Bind and serve in the background. Raises OSError when the address is taken."""
        self._port = self._server.start(self._host, self._port)
        threading.Thread(target=self._keep_alive, name="dicom-alive", daemon=True).start()
        log.info("listening", port=self._port)

    def stop(self, *, grace_seconds: float = 10.0) -> None:
        """Accept nothing more, let running associations end for a while, then abort the rest."""
        self._server.stop(grace_seconds=grace_seconds)
        self._stopping.set()

    def begin_store(self, session: Session, command: Command, context: Context) -> Incoming:
        """Make the place that a data set is collected in."""
        return self._intake.begin(
            sop_class_uid=command.text(wire.AFFECTED_SOP_CLASS),
            sop_instance_uid=command.text(wire.AFFECTED_SOP_INSTANCE),
            transfer_syntax_uid=context.transfer_syntax,
            source_ae_title=session.calling_ae_title,
            has_own_thread=True,
        )

    def store(self, session: Session, command: Command, context: Context, incoming: Incoming) -> Answer:
        """Store one instance and give its status, PS3.4 table B.2-1."""
        sop_class, sop_instance = command.text(wire.AFFECTED_SOP_CLASS), command.text(wire.AFFECTED_SOP_INSTANCE)
        fields = {"association_id": session.association_id}
        try:
            require_uids(sop_class, sop_instance)
            fields |= {"sop_instance_uid": sop_instance, "sop_class_uid": sop_class}
            self._announce(session)
            self._intake.accept(
                incoming,
                sop_class_uid=sop_class,
                sop_instance_uid=sop_instance,
                transfer_syntax_uid=context.transfer_syntax,
                source=session.calling_ae_title,
                association_id=session.association_id,
                is_prior=self._was_asked_for if command.text(wire.MOVE_ORIGINATOR) else None,
            )
        except Exception as fault:  # noqa: BLE001 - whatever went wrong, the sender must hear that it is not stored
            status = refusal_status(fault)
            told = str(fault) if isinstance(fault, ConnectorError) else type(fault).__name__
            log.warning("store_refused", reason=told, status=f"{status:04X}", **fields)
            return Answer(status, _comment(status, fault))
        session.stored += 1
        return Answer(STORED)

    def _was_asked_for(self, head: Head) -> bool:
        """
        Whether we ask for the series or study by C-MOVE just now: it comes to be compared with, not to be assessed.

        The Move Originator alone does not tell: archives name themselves, also in what they send by their own rules.
        """
        return self._intake.inbox.is_expected([head.series_instance_uid, head.study_instance_uid])

    def request(self, session: Session, command: Command, context: Context, information: Dataset) -> Reply:
        """Answer what is no storage: commitment requests, and procedure steps where there is a book for them."""
        kind = command.number(wire.COMMAND_FIELD)
        if kind == N_ACTION and context.abstract_syntax == STORAGE_COMMITMENT:
            if not self._offer_commitment:
                return Reply(Answer(NOT_AUTHORISED, "storage commitment is not offered here"))
            return self._desk.take(session, command, information)
        if self._steps is None:
            return Reply(Answer(UNRECOGNISED_OPERATION))
        return self._steps.answer(kind, command, context.abstract_syntax, information, owner=session.calling_ae_title)

    def event(self, session: Session, command: Command, information: Dataset) -> Answer:  # noqa: ARG002 - a service
        """Take what a PACS says of our commitment requests (N-EVENT-REPORT)."""
        try:
            result = read_result(information)
            if self._on_commitment_result is not None:
                self._on_commitment_result(result)
        except ImpossibleInput:
            return Answer(INVALID_ARGUMENT)
        except Exception as fault:  # noqa: BLE001 - told to the PACS, which reports again
            log.warning("commitment_result_not_taken", exception_type=type(fault).__name__)
            return Answer(PROCESSING_FAILURE)
        log.info("commitment_result", count=len(result.committed), state="failed" if result.failed else "committed")
        return Answer(SUCCESS)

    def _announce(self, session: Session) -> None:
        """Tell the ledger of an association before its first instance; verification alone is not worth a row."""
        if not session.announced:
            self._intake.inbox.association_opened(session.association_id)
            session.announced = True

    def _ended(self, session: Session) -> None:
        if session.announced:
            # When the ledger is away now, it notices by itself that this association is no longer alive.
            _quietly(self._intake.inbox.association_closed, session.association_id)
        if session.calling_ae_title:  # else a health check of a load balancer, or no DICOM
            log.info(
                "association_ended",
                association_id=session.association_id,
                calling_ae_title=session.calling_ae_title,
                called_ae_title=session.called_ae_title,
                count=session.stored,
                seconds=round(time.monotonic() - session.began, 3),
                state=session.state,
            )

    def _keep_alive(self) -> None:
        while not self._stopping.wait(_ALIVE_SECONDS):
            for session in self._server.open_sessions:
                if session.announced:
                    _quietly(self._intake.inbox.association_alive, session.association_id)


def _comment(status: int, fault: Exception) -> str:
    """What the sender's log shows (LO, 64 characters): what is wrong with an object, which never quotes a value."""
    if isinstance(fault, ImpossibleInput) and not isinstance(fault, WrongObject):
        return str(fault).partition(":")[0][:64]
    return _COMMENTS[status]


def _quietly(tell: Callable[[str], None], association_id: str) -> None:
    try:
        tell(association_id)
    except Exception as fault:  # noqa: BLE001 - the thread that tells of all associations must outlive any fault
        log.warning("ledger_not_told", association_id=association_id, exception_type=type(fault).__name__)
