"""Orthanc and DCMTK of the test run's own: free loopback ports, temporary folders, nothing left behind."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from state_peers import answers, free_port, wait_until

ORTHANC_PLUGINS = Path("/usr/share/orthanc/plugins")
PASSWORD = "for-this-run-only"  # noqa: S105 - of a server that lives for one test


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc: AE title ORTHANC, its DICOM port, and its REST interface."""

    dicom_port: int
    http: httpx.Client

    @property
    def web(self) -> dict[str, str]:
        """Root of its DICOMweb service, and who may use it."""
        return {"url": f"{self.http.base_url}/dicom-web", "user": "connector", "password": PASSWORD}

    def instances(self) -> list[str]:
        """SOP Instance UIDs that it holds."""
        return [
            self.http.get(f"/instances/{name}/simplified-tags").json()["SOPInstanceUID"]
            for name in self.http.get("/instances").json()
        ]

    def upload(self, octets: bytes) -> str:
        """Put an instance in by HTTP; returns Orthanc's name for it."""
        return self.http.post("/instances", content=octets).raise_for_status().json()["ID"]


@contextmanager
def orthanc(folder: Path, *, connector_port: int, allow_get: bool = True) -> Iterator[Orthanc]:
    """An Orthanc that knows us as CONNECTOR at a port of this machine, and checks AE titles and addresses."""
    dicom_port, http_port = free_port(), free_port()
    ours = {
        "AET": "CONNECTOR", "Host": "127.0.0.1", "Port": connector_port, "AllowEcho": True, "AllowFind": True,
        "AllowGet": allow_get, "AllowMove": True, "AllowStore": True, "AllowStorageCommitment": True,
    }  # fmt: skip
    settings = {
        "HttpPort": http_port, "RemoteAccessAllowed": False, "AuthenticationEnabled": True,
        "RegisteredUsers": {"connector": PASSWORD}, "DicomAet": "ORTHANC", "DicomPort": dicom_port,
        "DicomCheckCalledAet": True, "DicomAlwaysAllowStore": False, "DicomAlwaysAllowEcho": True,
        "DicomCheckModalityHost": True, "DicomModalities": {"connector": ours}, "OverwriteInstances": True,
        "Plugins": [str(ORTHANC_PLUGINS / "libOrthancDicomWeb.so")],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        "StorageDirectory": str(folder), "IndexDirectory": str(folder),
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(settings))
    process = subprocess.Popen(
        ["Orthanc", str(folder / "orthanc.json")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: answers(dicom_port) and answers(http_port), seconds=30, what="the start of Orthanc")
        with httpx.Client(base_url=f"http://127.0.0.1:{http_port}", auth=("connector", PASSWORD), timeout=30) as client:
            yield Orthanc(dicom_port, client)
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def storescp(folder: Path, *options: str, port: int | None = None) -> Iterator[int]:
    """DCMTK's storage SCP, AE title DCMTK; yields its port."""
    port = port or free_port()
    process = subprocess.Popen(
        ["storescp", "-aet", "DCMTK", "-od", str(folder), *options, str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(lambda: answers(port), seconds=20, what="the start of storescp")
        yield port
    finally:
        process.kill()
        process.wait(10)


def storescu(
    port: int, files: Sequence[Path], *options: str, called: str = "CONNECTOR", calling: str = "STORESCU"
) -> subprocess.CompletedProcess[str]:
    """Send files with DCMTK's storescu as shipped (Nagle's algorithm on)."""
    command = ["storescu", "-v", "-aet", calling, "-aec", called, *options, "127.0.0.1", str(port), *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=_environment())


def start_storescu(port: int, files: Sequence[Path], *options: str) -> "subprocess.Popen[bytes]":
    """The same in the background."""
    return subprocess.Popen(
        ["storescu", "-aec", "CONNECTOR", *options, "127.0.0.1", str(port), *map(str, files)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_environment(),
    )  # fmt: skip


def dcmtk(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run another DCMTK program to its end."""
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=60)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "TCP_NODELAY"}
