"""An association with the PACS, and what to do when it is refused, busy or away."""

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association

from connector.core.errors import ConnectorError, Refused, TryLater
from connector.dicom.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from connector.dicom.pacs_checkpoint import install
from connector.dicom.receive import quiet_pynetdicom
from connector.dicom.receive_wire import MAXIMUM_PDU_BYTES

_PERMANENT = 1
# PS3.8, table 9-21: source 1 is the service user, 2 and 3 are the service provider.
_REASONS = {
    (1, 1): "no reason given",
    (1, 2): "it does not support the application context",
    (1, 3): "it does not know our AE title: register it there",
    (1, 7): "it goes by another AE title: correct the setting",
    (2, 1): "no reason given",
    (2, 2): "it does not support our protocol version",
    (3, 1): "it is congested",
    (3, 2): "its limit of associations is reached",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacs:
    """Where the PACS is, who we are to it, and how long to wait for it."""

    host: str
    port: int
    ae_title: str
    calling_ae_title: str
    tls: ssl.SSLContext | None = None
    connect_seconds: float = 10.0
    answer_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Proposal:
    """A presentation context to propose; with `as_provider` the PACS is to send us instances under it."""

    abstract_syntax: str
    transfer_syntaxes: Sequence[str] = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
    as_provider: bool = False


@contextmanager
def association(pacs: Pacs, proposals: Sequence[Proposal], *, handlers: Sequence[Any] = ()) -> Iterator[Association]:
    """
    Open an association, and release it at the end (abort it when the block fails unexpectedly).

    Raises TryLater when the PACS is away or busy, Refused when it rejects for good or supports nothing of the proposal.
    """
    opened = _request(pacs, proposals, handlers)
    if not opened.is_established:
        raise _reason_for(opened, pacs)
    try:
        yield opened
    except ConnectorError:
        _release(opened)  # the PACS answered, if not as hoped
        raise
    except BaseException:
        opened.abort()
        raise
    _release(opened)


def _release(opened: Association) -> None:
    with suppress(Exception):  # what was to be done is done; a PACS that hangs up instead of releasing changes nothing
        if opened.is_established:
            opened.release()


def _request(pacs: Pacs, proposals: Sequence[Proposal], handlers: Sequence[Any]) -> Association:
    quiet_pynetdicom()
    entity = AE(ae_title=pacs.calling_ae_title)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    entity.connection_timeout = pacs.connect_seconds
    entity.acse_timeout = pacs.answer_seconds
    entity.dimse_timeout = pacs.answer_seconds
    entity.network_timeout = pacs.answer_seconds
    for proposal in proposals:
        entity.add_requested_context(proposal.abstract_syntax, list(proposal.transfer_syntaxes))
    roles: list[Any] = [build_role(one.abstract_syntax, scp_role=True) for one in proposals if one.as_provider]
    try:
        return entity.associate(
            pacs.host,
            pacs.port,
            ae_title=pacs.ae_title,
            max_pdu=MAXIMUM_PDU_BYTES,
            ext_neg=roles,
            tls_args=(pacs.tls, pacs.host) if pacs.tls is not None else None,
            evt_handlers=[(evt.EVT_CONN_OPEN, install), *handlers],
        )
    except socket.gaierror as fault:
        # A name server may be away for a moment, too.
        raise TryLater(f"the PACS's host {pacs.host} has no address: correct the setting, or ask the DNS") from fault


def _reason_for(failed: Association, pacs: Pacs) -> Refused | TryLater:
    where = f"the PACS {pacs.ae_title} at {pacs.host}:{pacs.port}"
    if failed.is_rejected:
        answer: Any = failed.acceptor.primitive
        reason = _REASONS.get((answer.result_source, answer.diagnostic), "no known reason")
        if answer.result == _PERMANENT:
            return Refused(f"{where} rejected the association for good: {reason}")
        return TryLater(f"{where} rejected the association for now: {reason}")
    if failed.rejected_contexts and not failed.accepted_contexts:
        classes = ", ".join(sorted({str(context.abstract_syntax) for context in failed.rejected_contexts}))
        return Refused(f"{where} supports none of the SOP classes {classes}: have them enabled there")
    return TryLater(f"{where} could not be reached or did not answer")
