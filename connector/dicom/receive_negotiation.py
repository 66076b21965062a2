"""Decides who may associate and for what: every storage SOP class in every transfer syntax, and our other services."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)
from pynetdicom.presentation import (
    PresentationContext,
    build_context,
    negotiate_as_acceptor,
    negotiate_unrestricted,
)

from connector.dicom.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from connector.dicom.receive_wire import ASSOCIATE_RQ, INVALID_PARAMETER, MAXIMUM_PDU_BYTES, WireFault, encode_rejection

VERIFICATION = "1.2.840.10008.1.1"
STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"
MPPS = "1.2.840.10008.3.1.2.3.3"
INSTANCE_AVAILABILITY = "1.2.840.10008.5.1.4.33"
# Unified Procedure Step: Push, Watch, Pull and Query. Event is not offered.
UPS_CLASSES = tuple(f"1.2.840.10008.5.1.4.34.6.{number}" for number in (1, 2, 3, 5))

_OURS = (VERIFICATION, STORAGE_COMMITMENT, MPPS, INSTANCE_AVAILABILITY, *UPS_CLASSES)
# What our own messages are read and written in: never deflated.
SERVICE_SYNTAXES = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")
_APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
_PROTOCOL_VERSION = 1
_SMALLEST_PDU_BYTES = 256  # a peer that says less cannot be answered in one piece
# A sender asks in the same octets each time. Reading them anew takes 20 ms of processor time with 128 contexts, which
# for senders that associate once for each instance is more than everything else.
_REMEMBERED = 64
_LARGEST_REMEMBERED_BYTES = 32 * 1024
# The item of a user identity (PS3.7 table D.3-14) may hold a password, which is not kept longer than it is read.
_USER_IDENTITY = b"\x58\x00"

# Result, source and reason of a rejection, PS3.8 table 9-21.
APPLICATION_CONTEXT_UNKNOWN = (1, 1, 2)
CALLING_AE_TITLE_UNKNOWN = (1, 1, 3)
CALLED_AE_TITLE_UNKNOWN = (1, 1, 7)
PROTOCOL_VERSION_UNKNOWN = (1, 2, 2)
LIMIT_REACHED = (2, 3, 2)
# What the administrator reads in our log.
WHY_REJECTED = {
    APPLICATION_CONTEXT_UNKNOWN: "the application context is not DICOM's",
    CALLING_AE_TITLE_UNKNOWN: "the calling AE title is not among CONNECTOR_ALLOWED_CALLING_AE_TITLES",
    CALLED_AE_TITLE_UNKNOWN: "the called AE title is not CONNECTOR_AE_TITLE",
    PROTOCOL_VERSION_UNKNOWN: "the protocol version is not 1",
    LIMIT_REACHED: "CONNECTOR_MAXIMUM_ASSOCIATIONS are open: the sender may try again",
}


@dataclass(frozen=True, slots=True)
class Context:
    """An accepted presentation context."""

    abstract_syntax: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class Admission:
    """The answer to a request for an association: octets to send, and the contexts when it is accepted."""

    calling_ae_title: str
    called_ae_title: str
    answer: bytes
    contexts: Mapping[int, Context]
    largest_pdu_bytes: int  # what the peer takes; 0 for any

    @property
    def why_rejected(self) -> str:
        """Why it is rejected, in words for the log; empty when it is accepted."""
        return "" if self.accepted else WHY_REJECTED[self.answer[7], self.answer[8], self.answer[9]]

    @property
    def accepted(self) -> bool:
        """Whether the association is accepted; it may still be without any context."""
        return self.answer[0] == ASSOCIATE_RQ + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Doorkeeper:
    """Who is let in. No allowed calling AE titles means every one."""

    ae_title: str
    allowed_calling_ae_titles: frozenset[str]

    def admit(self, request_pdu: bytes, *, full: bool) -> Admission:
        """Answer an A-ASSOCIATE-RQ (the whole PDU); `full` when the limit is reached. Raises WireFault."""
        remembered = len(request_pdu) <= _LARGEST_REMEMBERED_BYTES and _USER_IDENTITY not in request_pdu
        asked = _remembered(request_pdu) if remembered else _Asked(request_pdu)
        request = asked.read()
        calling, called = str(request.calling_ae_title).strip(), str(request.called_ae_title).strip()
        rejection = self._rejection(request, request_pdu, calling=calling, called=called, full=full)
        if rejection is not None:
            return Admission(calling, called, encode_rejection(*rejection), {}, 0)
        answer, contexts = asked.accept()
        return Admission(calling, called, answer, contexts, _largest_pdu(request))

    def _rejection(
        self, request: Any, request_pdu: bytes, *, calling: str, called: str, full: bool
    ) -> tuple[int, int, int] | None:
        if not int.from_bytes(request_pdu[6:8], "big") & _PROTOCOL_VERSION:
            return PROTOCOL_VERSION_UNKNOWN
        if request.application_context_name != _APPLICATION_CONTEXT:
            return APPLICATION_CONTEXT_UNKNOWN
        if called != self.ae_title.strip():
            return CALLED_AE_TITLE_UNKNOWN
        if self.allowed_calling_ae_titles and calling not in self.allowed_calling_ae_titles:
            return CALLING_AE_TITLE_UNKNOWN
        return LIMIT_REACHED if full else None


class _Asked:
    """A request, read and answered once: the associations of a sender that opens several at a time wait for one."""

    def __init__(self, request_pdu: bytes) -> None:
        self._request_pdu = request_pdu
        self._making = threading.Lock()
        self._request: Any = None
        self._accepted: tuple[bytes, Mapping[int, Context]] | None = None

    def read(self) -> Any:
        """The request, to be read only. Raises WireFault."""
        with self._making:
            if self._request is None:
                self._request = _decode(self._request_pdu)
            return self._request

    def accept(self) -> tuple[bytes, Mapping[int, Context]]:
        """The answer, which follows from the request's octets alone, and the contexts. Raises WireFault."""
        request = self.read()
        with self._making:
            if self._accepted is None:
                try:
                    self._accepted = _accept(request)
                except Exception as fault:  # as in reading: a SOP class that is no text, say
                    raise _unreadable() from fault
            return self._accepted


@lru_cache(_REMEMBERED)
def _remembered(request_pdu: bytes) -> _Asked:
    return _Asked(request_pdu)


def _decode(request_pdu: bytes) -> Any:
    try:
        pdu = A_ASSOCIATE_RQ()
        pdu.decode(request_pdu)
        return pdu.to_primitive()
    except Exception as fault:  # pynetdicom raises whatever the octets lead it to
        raise _unreadable() from fault


def _unreadable() -> WireFault:
    return WireFault("a request for an association that cannot be read", INVALID_PARAMETER)


def _accept(request: Any) -> tuple[bytes, Mapping[int, Context]]:
    results, roles = _negotiate(request)
    accepted = A_ASSOCIATE()
    accepted.application_context_name = _APPLICATION_CONTEXT
    accepted.calling_ae_title, accepted.called_ae_title = request.calling_ae_title, request.called_ae_title
    accepted.result, accepted.result_source = 0, 1
    accepted.presentation_context_definition_results_list = list(results)
    length = MaximumLengthNotification()
    length.maximum_length_received = MAXIMUM_PDU_BYTES
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    accepted.user_information = [length, implementation, version, *roles]
    pdu = A_ASSOCIATE_AC()
    pdu.from_primitive(accepted)
    contexts = {
        int(one.context_id): Context(str(one.abstract_syntax), str(one.transfer_syntax[0]))
        for one in results
        if one.result == 0 and one.context_id is not None
    }
    return pdu.encode(), MappingProxyType(contexts)


def _negotiate(request: Any) -> tuple[Sequence[PresentationContext], Sequence[Any]]:
    ours = [build_context(uid, list(SERVICE_SYNTAXES)) for uid in _OURS]
    for context in ours:
        context.scu_role = context.scp_role = True
    roles: Any = {
        item.sop_class_uid: (item.scu_role, item.scp_role)
        for item in request.user_information
        if isinstance(item, SCP_SCU_RoleSelectionNegotiation)
    }
    proposed = request.presentation_context_definition_list
    named = [context for context in proposed if _is_service(context.abstract_syntax)]
    others = [context for context in proposed if not _is_service(context.abstract_syntax)]
    services, service_roles = negotiate_as_acceptor(named, ours, roles)
    # Private and unknown SOP classes count as storage, and each is accepted in the syntax that is proposed first.
    # (Given all contexts, pynetdicom 3.0.4 would lose the roles of those that are no storage.)
    stores, store_roles = negotiate_unrestricted(others, ours, roles)
    return [*services, *stores], [*service_roles, *store_roles]


def _is_service(uid: UID) -> bool:
    """
    Whether a SOP class is no storage: ours, or one of the standard's that we do not offer (a worklist query).

    Asked of pydicom's dictionary: pynetdicom 3.0.4 knows the modality worklist by another keyword, and would accept it.
    """
    is_storage = "Storage" in uid.name and "Commitment" not in uid.name
    is_unknown = uid.name in {"", uid}  # the dictionary has retired classes without a name
    return uid in _OURS or not (is_storage or is_unknown)


def _largest_pdu(request: Any) -> int:
    for item in request.user_information:
        if isinstance(item, MaximumLengthNotification):
            return max(int(item.maximum_length_received), _SMALLEST_PDU_BYTES) if item.maximum_length_received else 0
    return 0
