"""Opens the ports we listen on, or says which settings name one that cannot be opened, and why."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from connector.core.errors import ConnectorError

_WHY_SHUT = {
    errno.EADDRINUSE: "another program listens there: stop that one, or choose another port",
    errno.EADDRNOTAVAIL: "this machine has no such address: give one of its own, or 0.0.0.0 for all of them",
    errno.EACCES: "this user may not open a port so low: choose one above 1023, or grant CAP_NET_BIND_SERVICE",
}


class PortShut(ConnectorError):
    """A port that we are to listen on cannot be opened."""


@contextmanager
def opening(door: Literal["DICOM", "HTTP", "HL7"], host: str, port: int) -> Iterator[None]:
    """Turn a failure to bind `host` and `port` into PortShut, which names the settings of that door."""
    try:
        yield
    except OSError as fault:
        if isinstance(fault, socket.gaierror):
            why = "no address has that name: give an address of this machine, or 0.0.0.0 for all of them"
        else:
            why = _WHY_SHUT.get(fault.errno or 0) or os.strerror(fault.errno or 0)
        names = f"CONNECTOR_{door}_HOST={host} CONNECTOR_{door}_PORT={port}"
        raise PortShut(f"{names} cannot be listened on: {why}") from fault


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens on the first address of `host`. Raises OSError when it cannot."""
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
    return socket.create_server((host, port), family=family, backlog=2048)
