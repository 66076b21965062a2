"""Tries the PACS before the first study does: whether it answers, takes what we write, and which setting is wrong."""

import socket
from collections.abc import Sequence

from pydicom.uid import UID

from connector.core.errors import Refused, TryLater
from connector.dicom.pacs import PacsDestination
from connector.dicom.pacs_association import Pacs, Proposal, association
from connector.unreached import why_unreached

_SETTINGS = "check CONNECTOR_PACS_HOST, CONNECTOR_PACS_PORT and CONNECTOR_PACS_AE_TITLE"
_CA = "CONNECTOR_PACS_TLS_CA_FILE"


def check_pacs(pacs: Pacs, *, written: Sequence[str]) -> None:
    """
    Ask by C-ECHO, and propose every SOP class of `written`; nothing is sent.

    Raises Refused when the PACS rejects us, or does not take some of them; TryLater when it does not answer.
    """
    try:
        PacsDestination(pacs).echo()
    except Refused as fault:
        raise Refused(f"{fault}; {_SETTINGS}") from None
    except TryLater as fault:
        raise TryLater(f"{fault}: {_why(pacs)}; {_SETTINGS}") from None
    lacking = _not_taken(pacs, written)
    if lacking:
        names = ", ".join(UID(uid).name for uid in lacking)
        raise Refused(f"the PACS answers and does not take {names} of {pacs.calling_ae_title}: have them enabled there")


def _not_taken(pacs: Pacs, sop_classes: Sequence[str]) -> list[str]:
    try:
        with association(pacs, [Proposal(uid) for uid in sop_classes]) as opened:
            taken = {context.abstract_syntax for context in opened.accepted_contexts}
    except Refused:
        return list(sop_classes)
    return [uid for uid in sop_classes if uid not in taken]


def _why(pacs: Pacs) -> str:
    """What a bare connection meets: of an association that fails the library tells no reason."""
    try:
        with socket.create_connection((pacs.host, pacs.port), pacs.connect_seconds) as plain:
            if pacs.tls is not None:
                pacs.tls.wrap_socket(plain, server_hostname=pacs.host).close()
    except OSError as fault:
        return why_unreached(fault, ca_setting=_CA) or f"{type(fault).__name__}"
    if pacs.tls is None:
        return f"something listens there, and is no DICOM node or speaks TLS: then set {_CA}"
    return "something listens there by TLS: it may want our certificate (CONNECTOR_TLS_CERTIFICATE_FILE)"
