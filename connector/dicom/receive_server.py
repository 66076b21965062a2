"""Accepts connections and gives each a thread of its own, within a limit; a slow TLS handshake holds up nobody."""

import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from connector.dicom.receive_association import Acceptor, Services, Session
from connector.dicom.receive_negotiation import Doorkeeper
from connector.logs import get_logger

log = get_logger("dicom.receive")

# Connections above the limit of associations, so that the next one hears a proper rejection.
_WAITING_ROOM = 64
_BACKLOG = 128
_NO_THREAD = "the system gives no more threads: raise its limit, or lower CONNECTOR_MAXIMUM_ASSOCIATIONS"


# By OpenSSL's names of reasons.
_WHY_NO_TLS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the sender shows no certificate: give it one of CONNECTOR_TLS_CLIENT_CA_FILE",
    "CERTIFICATE_VERIFY_FAILED": "the sender's certificate is not of CONNECTOR_TLS_CLIENT_CA_FILE, or is out of date",
    "TLSV1_ALERT_UNKNOWN_CA": "the sender does not trust CONNECTOR_TLS_CERTIFICATE_FILE: give it the CA of that",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the sender does not accept CONNECTOR_TLS_CERTIFICATE_FILE: see its own log",
    "WRONG_VERSION_NUMBER": "the sender does not speak TLS: turn it on there",
    "UNSUPPORTED_PROTOCOL": "the sender speaks no TLS newer than 1.1",
    "NO_SHARED_CIPHER": "the sender offers no cipher suite of today",
}


def _why(fault: Exception) -> str:
    """Why a connection failed, for who has to mend it at the sender; OpenSSL's own word where we have none."""
    reason = getattr(fault, "reason", None) if isinstance(fault, ssl.SSLError) else None
    return _WHY_NO_TLS.get(reason or "", reason or "")


class AssociationServer:
    """Serves associations on one address until it is stopped."""

    def __init__(
        self,
        services: Services,
        doorkeeper: Doorkeeper,
        *,
        ended: Callable[[Session], None],
        maximum_associations: int,
        handshake_seconds: float,
        idle_seconds: float,
        tls: ssl.SSLContext | None,
        reuse_port: bool,
    ) -> None:
        self._services = services
        self._doorkeeper = doorkeeper
        self._ended = ended
        self._maximum_associations = maximum_associations
        self._handshake_seconds = handshake_seconds
        self._idle_seconds = idle_seconds
        self._tls = tls
        self._reuse_port = reuse_port
        self._lock = threading.Lock()
        self._open: dict[Session, Acceptor | None] = {}
        self._listening: socket.socket | None = None

    def start(self, host: str, port: int) -> int:
        """Bind, listen, and serve in the background; returns the port. Raises OSError when the address is taken."""
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        self._listening = socket.create_server(
            (host, port), family=family, backlog=_BACKLOG, reuse_port=self._reuse_port
        )
        threading.Thread(target=self._accept, args=(self._listening,), name="dicom-accept", daemon=True).start()
        return int(self._listening.getsockname()[1])

    def stop(self, *, grace_seconds: float) -> None:
        """Accept nothing more, let running associations end for a while, then abort the rest."""
        if self._listening is None:
            return
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listening.close()
        self._wait_for_end(grace_seconds)
        with self._lock:
            left = [acceptor for acceptor in self._open.values() if acceptor is not None]
        for acceptor in left:
            acceptor.abort()
        self._wait_for_end(1.0)

    @property
    def open_sessions(self) -> list[Session]:
        """The connections being served."""
        with self._lock:
            return list(self._open)

    def _wait_for_end(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.open_sessions and time.monotonic() < deadline:
            time.sleep(0.01)

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                if listening.fileno() < 0:
                    return
                time.sleep(0.1)  # no file handles left: others must end first
                continue
            session = Session()
            with self._lock:
                crowded = len(self._open) >= self._maximum_associations + _WAITING_ROOM
                if not crowded:
                    self._open[session] = None
            if crowded:
                connection.close()
                continue
            try:
                threading.Thread(target=self._serve, args=(connection, session), name="dicom", daemon=True).start()
            except RuntimeError:  # no thread to be had: this one must come again, and we must hear the next one
                log.warning("connection_failed", exception_type="RuntimeError", reason=_NO_THREAD)
                with self._lock:
                    del self._open[session]
                connection.close()

    def _serve(self, connection: socket.socket, session: Session) -> None:
        try:
            if self._tls is not None:
                connection.settimeout(self._handshake_seconds)
                connection = self._tls.wrap_socket(connection, server_side=True)
            acceptor = Acceptor(
                connection,
                session,
                self._services,
                doorkeeper=self._doorkeeper,
                is_full=self._is_full,
                handshake_seconds=self._handshake_seconds,
                idle_seconds=self._idle_seconds,
            )
            with self._lock:
                self._open[session] = acceptor
            acceptor.run()
        except Exception as fault:  # noqa: BLE001 - one connection must never end the service
            log.warning("connection_failed", exception_type=type(fault).__name__, reason=_why(fault))
        finally:
            connection.close()
            if session.state == "open":
                session.state = "dropped"
            with self._lock:
                del self._open[session]
            self._ended(session)

    def _is_full(self) -> bool:
        """Whether others hold all associations; a connection that did not ask yet counts as none."""
        with self._lock:
            served = sum(one.calling_ae_title != "" and one.state == "open" for one in self._open)
        return served >= self._maximum_associations
