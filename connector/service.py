"""Running parts: the listener, the HTTP door, and all of it in one process with a Celery worker inside."""

import gc
import multiprocessing
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import uvicorn
from celery.worker import WorkController, state

from connector.app import App, build
from connector.core.errors import ConnectorError
from connector.dicom.receive import Listener
from connector.hl7v2.listen import MllpListener
from connector.listening import bound, opening
from connector.logs import get_logger
from connector.looks import Hints
from connector.neighbours import server_tls
from connector.settings import Settings
from connector.store.pulse import EVERY_SECONDS
from connector.worker import FORWARD_SECONDS, LOOK_SECONDS, TIDY_SECONDS, ask_for_look, hand_out, make_celery

if TYPE_CHECKING:
    import socket

log = get_logger("service")

REPORT_SECONDS = 1.0  # between two looks at what senders are to be told of their requests for storage commitment


class Service:
    """`connector serve`: listener, HTTP door, worker and sweep in one process; a context manager."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.app: App = build(settings)
        self.app.more_checks["worker"] = self._worker_is_dead
        self._listener = self.app.listener()
        self._reporting = self.app.reporting()
        self._hl7 = self.app.hl7_listener()
        self._http = _Http(self.app, settings, Hints(self._look))
        self._celery = make_celery(settings, lambda: self.app)
        self._worker: Any = WorkController(
            app=self._celery, pool_cls="solo", concurrency=1, queues="sweep,assess,deliver", loglevel="WARNING",
            without_gossip=True, without_mingle=True, without_heartbeat=True, quiet=True,
        )  # fmt: skip

    @property
    def dicom_port(self) -> int:
        """The port of the listener."""
        return self._listener.port

    @property
    def hl7_port(self) -> int | None:
        """The port of the HL7 v2 listener, None when it is off."""
        return self._hl7.port if self._hl7 else None

    @property
    def http_port(self) -> int:
        """The port of the HTTP door."""
        return self._http.port

    def __enter__(self) -> Self:
        """Start every part."""
        _open(self._settings, self._listener, self._hl7)
        self._http.start()
        self._run("worker", self._work)
        self._repeat("sweep", self._settings.sweep_seconds, self._sweep)
        self._repeat("look", min(self._settings.ehr_poll_seconds, LOOK_SECONDS), self._look)
        self._repeat("tidy", TIDY_SECONDS, self._tidy)
        self._repeat("forward", FORWARD_SECONDS, self._forward)
        self._repeat("report", REPORT_SECONDS, self._report)
        self.app.ledger.trail.note(kind="started", ref="serve")
        return self

    def __exit__(self, *_: object) -> None:
        """Stop every part; what was not finished is in the ledger."""
        self._stopping.set()
        self._listener.stop()
        if self._hl7:
            self._hl7.stop()
        self._http.stop()
        # Celery's own word for "finish and leave"; it is the process's, so it is taken back for a later service.
        state.should_stop = 0  # type: ignore[assignment] # Celery's module knows only its first value
        for thread in self._threads:
            thread.join(timeout=10.0)
        state.should_stop = None
        self.app.ledger.trail.note(kind="stopped", ref="serve")
        self.app.close()

    def _run(self, name: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _repeat(self, task: str, seconds: float, step: Callable[[], object]) -> None:
        self._run(task, _every(self._stopping, seconds, step, task=task))

    def _work(self) -> None:
        # Celery looks tasks up in the thread's current application.
        self._celery.set_current()
        self._worker.start()

    def _worker_is_dead(self) -> str | None:
        """What readiness says when the worker inside has stopped."""
        alive = any(thread.name == "worker" and thread.is_alive() for thread in self._threads)
        return None if alive else "the worker in this process has stopped: restart the service"

    def _sweep(self) -> None:
        self.app.pulse.beat("sweep")
        if self._worker_is_dead() is None:
            self.app.pulse.beat("worker")
        self.app.pulse.beat("listen")
        hand_out(self._celery, self.app.steps.sweep())

    def _forward(self) -> None:
        self.app.forwarder.run()

    def _report(self) -> None:
        self._reporting.run()

    def _tidy(self) -> None:
        self.app.look_after()

    def _look(self) -> None:
        self.app.looks.round()


def _every(stopping: threading.Event, seconds: float, step: Callable[[], object], *, task: str) -> Callable[[], None]:
    """A clock for a thread: whatever one tick ended with, there is a next one."""

    def loop() -> None:
        while not stopping.wait(seconds):
            try:
                step()
            except Exception as fault:  # noqa: BLE001 - the edge of a thread: the next tick sees the same ledger
                log.warning("tick_failed", task=task, exception_type=type(fault).__name__)

    return loop


def _open(settings: Settings, listener: Listener, hl7: MllpListener | None) -> None:
    with opening("DICOM", settings.dicom_host, settings.dicom_port):
        listener.start()
    if hl7 and settings.hl7_port is not None:
        with opening("HL7", settings.hl7_host, settings.hl7_port):
            hl7.start()


class _Http:
    """uvicorn in a thread, and another one for the hints that it takes."""

    def __init__(self, app: App, settings: Settings, hints: Hints) -> None:
        self._hints = hints
        self._host, self._port = settings.http_host, settings.http_port
        server_tls(settings)  # uvicorn loads the same files, and of a wrong one it says nothing that helps
        self._server = uvicorn.Server(
            uvicorn.Config(
                app.web(on_hint=hints.hint),
                log_config=None,
                access_log=False,
                forwarded_allow_ips=settings.trusted_proxies,
                ssl_certfile=settings.tls_certificate_file,
                ssl_keyfile=settings.tls_key_file,
                timeout_graceful_shutdown=10,
            )
        )
        self._listening: list[socket.socket] = []
        self._thread = threading.Thread(
            target=lambda: self._server.run(sockets=self._listening), name="http", daemon=True
        )

    @property
    def port(self) -> int:
        """The bound port."""
        return int(self._listening[0].getsockname()[1])

    def start(self) -> None:
        """Open the port, start, and wait until it answers. Raises PortShut when it cannot be opened."""
        # uvicorn itself would only log that, and end its thread.
        with opening("HTTP", self._host, self._port):
            self._listening.append(bound(self._host, self._port))
        self._hints.start()
        self._thread.start()
        while not self._server.started:
            self._thread.join(timeout=0.02)
            if not self._thread.is_alive():
                raise ConnectorError("the HTTP door ended while it started: its log line before this one says why")

    def stop(self) -> None:
        """Finish open requests and stop."""
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join(timeout=15.0)
        self._hints.stop()


def listen(settings: Settings, *, processes: int, wait: Callable[[], None]) -> None:
    """
    Run listener processes until `wait` returns; the first one binds the port, the others share it.

    HL7 v2, where it has a port, is heard by the first one: its messages are few and small. It tells senders the results
    of storage commitment too.
    """
    app = build(settings)
    listener, hl7 = app.listener(reuse_port=processes > 1), app.hl7_listener()
    _open(settings, listener, hl7)
    context = multiprocessing.get_context("spawn")
    others = [
        context.Process(target=_listen_beside, args=(settings,), daemon=True, name=f"listener-{number}")
        for number in range(2, processes + 1)
    ]
    for other in others:
        other.start()
    log.info("listening", port=listener.port, count=processes)
    app.ledger.trail.note(kind="started", ref="listen")
    _leave_alone_what_is_here()
    stopping = threading.Event()
    threading.Thread(target=_beat_while_listening, args=(app, stopping), name="pulse", daemon=True).start()
    tell = _every(stopping, REPORT_SECONDS, app.reporting().run, task="report")
    reporting = threading.Thread(target=tell, name="report", daemon=True)
    reporting.start()
    wait()
    stopping.set()
    for other in others:
        other.terminate()
    listener.stop()
    if hl7:
        hl7.stop()
    reporting.join(timeout=10.0)
    app.ledger.trail.note(kind="stopped", ref="listen")
    app.close()


def _listen_beside(settings: Settings) -> None:
    app = build(settings)
    app.listener(reuse_port=True).start()
    _leave_alone_what_is_here()
    _beat_while_listening(app, threading.Event())


def _leave_alone_what_is_here() -> None:
    """Keep modules and the like out of every later search for garbage, which would hold up all associations."""
    gc.collect()
    gc.freeze()


def _beat_while_listening(app: App, stopped: threading.Event) -> None:
    app.pulse.beat("listen")
    while not stopped.wait(EVERY_SECONDS):
        app.pulse.beat("listen")


def web(settings: Settings, *, wait: Callable[[], None]) -> None:
    """Run the HTTP door until `wait` returns."""
    app = build(settings)
    # A worker looks; which one, and whose record, only the ledger knows.
    celery = make_celery(settings, lambda: app)
    http = _Http(app, settings, Hints(lambda: ask_for_look(celery)))
    http.start()
    log.info("http_open", port=http.port)
    app.ledger.trail.note(kind="started", ref="web")
    wait()
    http.stop()
    app.ledger.trail.note(kind="stopped", ref="web")
    app.close()
