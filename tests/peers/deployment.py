"""The four processes of a deployment over Redis and PostgreSQL, started, killed and restarted as a supervisor would."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from fhir_servers import FhirServer
from state_peers import answers, free_port, wait_until

from connector.store import SqlLedger, open_ledger
from connector.store.desk import Desk

PARTS = ("listen", "worker", "beat", "web")


@dataclass
class Deployment:
    """Running parts by name, and the environment they share."""

    environment: dict[str, str]
    folder: Path
    parts: dict[str, subprocess.Popen] = field(default_factory=dict)

    @property
    def dicom_port(self) -> int:
        return int(self.environment["CONNECTOR_DICOM_PORT"])

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.environment['CONNECTOR_HTTP_PORT']}"

    def start(self, part: str) -> None:
        """Start one part in a process group of its own."""
        log = (self.folder / f"{part}.log").open("ab")
        self.parts[part] = subprocess.Popen(
            [sys.executable, "-m", "connector", part],
            env=self.environment, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        log.close()

    def kill(self, part: str) -> None:
        """Kill -9 a part with all its children."""
        process = self.parts.pop(part)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def wait_until_open(self) -> None:
        ports = [self.dicom_port, int(self.environment["CONNECTOR_HTTP_PORT"])]
        wait_until(lambda: self._ended() or all(map(answers, ports)), seconds=60, what="the doors' opening")
        # What answers on the port of a part that has ended is a stranger.
        assert not self._ended(), "\n".join((self.folder / f"{part}.log").read_text()[-600:] for part in self._ended())

    def _ended(self) -> list[str]:
        return [part for part, process in self.parts.items() if process.poll() is not None]

    def run(self, *arguments: str) -> dict:
        """Run an operator's command."""
        command = [sys.executable, "-m", "connector", *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True, timeout=60)
        return json.loads(done.stdout)

    def wait_until_idle(self, *, studies: int, seconds: float) -> dict:
        """Wait until so many studies are complete and nothing is due; returns the status."""
        last: dict = {}
        engine = open_ledger(self.environment["CONNECTOR_DATABASE_URL"])
        desk = Desk(SqlLedger(engine, outbox_dir=self.folder / "data" / "outbox"))

        def idle() -> bool:
            # In this process: the command's start would take more than the parts' work in between.
            last.update(desk.status())
            busy = [name for name in last["jobs"] if name.endswith((".due", ".leased"))]
            return last["studies"].get("complete", 0) >= studies and not busy and "receiving" not in last["studies"]

        try:
            wait_until(idle, seconds=seconds, what="the end of all work", every_seconds=0.3)
        except TimeoutError as fault:
            raise TimeoutError(
                f"{fault}; status: {json.dumps({**last, 'documents': '...'}, indent=1)[:4000]}"
            ) from fault
        finally:
            engine.dispose()
        return last


@contextmanager
def deployment(
    folder: Path,
    *,
    database_url: str,
    broker_url: str,
    pacs_port: int,
    fhir: FhirServer,
    issuers: str,
    parts: tuple[str, ...] = PARTS,
    dicom_port: int | None = None,
    **more: object,
) -> Iterator[Deployment]:
    """A deployment against a PACS named ORTHANC and a FHIR server; everything ends with the block."""
    key = folder / "client.pem"
    settings = {
        "data_dir": folder / "data", "database_url": database_url, "broker_url": broker_url,
        "dicom_port": dicom_port or free_port(), "http_port": free_port(), "quiet_seconds": 1, "sweep_seconds": 0.5,
        "lease_seconds": 20, "disk_reserve_mb": 16, "pacs_host": "127.0.0.1", "pacs_port": pacs_port,
        "pacs_ae_title": "ORTHANC", "ehr_url": fhir.base_url, "ehr_poll_seconds": 2, "patient_issuers": issuers,
        "hook_secret": "hook-secret", "stow_token": "stow-token", **more,
    }  # fmt: skip
    if fhir.credentials:
        key.write_text(fhir.credentials.keys[0].private_pem)
        settings |= {"ehr_client_id": fhir.credentials.client_id, "ehr_private_key_file": key, "ehr_key_id": "k1"}
    environment = {f"CONNECTOR_{name.upper()}": str(value) for name, value in settings.items()}
    made = Deployment({**os.environ, **environment}, folder)
    try:
        for part in parts:
            made.start(part)
        made.wait_until_open()
        yield made
    finally:
        for part in list(made.parts):
            made.kill(part)


def put_all(fhir: FhirServer, bundle: dict) -> None:
    """Put every resource of a collection into the EHR under its id."""
    headers = {"Content-Type": "application/fhir+json"}
    if fhir.credentials:
        headers["Authorization"] = f"Bearer {token(fhir)}"
    with httpx.Client(headers=headers, timeout=30) as http:
        for entry in bundle["entry"]:
            resource = entry["resource"]
            place = f"{fhir.base_url}/{resource['resourceType']}/{resource['id']}"
            http.put(place, json=resource).raise_for_status()


def token(fhir: FhirServer) -> str:
    """An access token as the connector itself gets one."""
    with fhir.client()._http as http:
        from connector.fhir.ehr_token import TokenSource  # noqa: PLC0415 - only servers with sign-in need it

        return TokenSource(http, fhir.base_url, fhir.credentials).token()
