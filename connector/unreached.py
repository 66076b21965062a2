"""Says why another machine could not be reached, from what a library raised, in words for its administrator."""

import socket
import ssl
from collections.abc import Iterator


def why_unreached(fault: BaseException, *, ca_setting: str) -> str:
    """What the system or TLS said below the library's own exception, and what to do; empty when neither did."""
    for one in below(fault):
        if isinstance(one, ssl.SSLCertVerificationError):
            return (
                f"its certificate is refused ({one.verify_message}): name the CA that issued it in {ca_setting}, or"
                " have it put right there"
            )
        if isinstance(one, ssl.SSLError):
            return f"TLS fails ({one.reason}): it may speak none at that port, or want a certificate of ours"
        if isinstance(one, socket.gaierror):
            return "no address has its name: correct the name, or ask the DNS"
        if isinstance(one, ConnectionRefusedError):
            return "nothing listens there: correct host and port, or have it started"
        if isinstance(one, TimeoutError):
            return "no answer in time: look for a firewall"
    return ""


def below(fault: BaseException | None) -> Iterator[BaseException]:
    """An exception, and those it was raised from or while."""
    seen: set[int] = set()
    while fault is not None and id(fault) not in seen:
        seen.add(id(fault))
        yield fault
        fault = fault.__cause__ or fault.__context__
