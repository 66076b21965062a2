"""The service: everything in one process (`serve`), or its four parts beside Redis and PostgreSQL."""

import signal
import sys
import threading
from typing import TYPE_CHECKING

import click

from connector import logs

if TYPE_CHECKING:
    from connector.settings import Settings


def _settings() -> "Settings":
    from connector.settings.reading import read_settings, unknown_names  # noqa: PLC0415 - keeps --help fast

    logs.configure(human=sys.stderr.isatty())
    settings = read_settings()
    log = logs.get_logger("settings")
    for told in unknown_names():
        log.warning("setting_unknown", reason=told)
    return settings


def until_stopped() -> None:
    """Wait for SIGINT or SIGTERM."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    # A wait with a time limit lets the interpreter run signal handlers on every platform.
    while not stopped.wait(1.0):
        pass


@click.command()
def serve() -> None:
    """
    Run everything in one process: DICOM, HTTP, worker and sweep, with SQLite and without a broker.

    Example: CONNECTOR_PACS_HOST=127.0.0.1 CONNECTOR_PACS_PORT=4242 connector serve
    """
    settings = _settings()
    from connector.service import Service  # noqa: PLC0415 - keeps --help fast, and what is refused is refused at once

    with Service(settings) as service:
        click.echo(f"DICOM {settings.ae_title} on {settings.dicom_host}:{service.dicom_port}", err=True)
        if service.hl7_port is not None:
            click.echo(f"HL7 v2 (MLLP) on {settings.hl7_host}:{service.hl7_port}", err=True)
        click.echo(f"HTTP http://{settings.http_host}:{service.http_port}/", err=True)
        until_stopped()


@click.command()
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Listener processes sharing the port (Linux).",
)
def listen(processes: int) -> None:
    """
    Run the listeners alone, DICOM and, with CONNECTOR_HL7_PORT, HL7 v2: they store and record, and need no broker.

    Example: connector listen --processes 2
    """
    settings = _settings()
    from connector.service import listen as run  # noqa: PLC0415 - as above

    run(settings, processes=processes, wait=until_stopped)


@click.command()
@click.option("--concurrency", type=click.IntRange(1, 64), default=2, show_default=True, help="Worker processes.")
def worker(concurrency: int) -> None:
    """
    Run Celery workers that assess and deliver.

    Example: CONNECTOR_BROKER_URL=redis://localhost/0 connector worker --concurrency 4
    """
    from connector.worker import run_worker  # noqa: PLC0415 - keeps --help fast

    run_worker(_settings(), concurrency)


@click.command()
def beat() -> None:
    """
    Run the clock that makes workers sweep the ledger; run exactly one.

    Example: CONNECTOR_BROKER_URL=redis://localhost/0 connector beat
    """
    from connector.worker import run_beat  # noqa: PLC0415 - keeps --help fast

    run_beat(_settings())


@click.command()
def web() -> None:
    """
    Run the HTTP door alone: STOW-RS, rest-hooks, health, metrics and the console.

    Example: CONNECTOR_HTTP_PORT=8080 connector web
    """
    settings = _settings()
    from connector.service import web as run  # noqa: PLC0415 - as above

    run(settings, wait=until_stopped)
