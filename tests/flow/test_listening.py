"""Given a port that cannot be listened on, the sentence names its settings and says what to do."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.core.errors import ConnectorError
from connector.listening import bound, opening
from connector.service import Service
from connector.settings import Settings


@pytest.fixture
def taken() -> Iterator[int]:
    """A loopback port on which another program listens."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


@pytest.mark.parametrize("door", ["DICOM", "HTTP", "HL7"])
def test_a_taken_port_is_told_by_the_settings_of_its_door(door: str, taken: int, tmp_path: Path) -> None:
    ports = {"dicom_port": 0, "http_port": 0, "hl7_port": 0, f"{door.lower()}_port": taken}
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    service = Service(
        Settings(data_dir=tmp_path, database_url=url, broker_url="memory://", hl7_results="record", **ports)
    )
    said = (
        f"CONNECTOR_{door}_HOST=127.0.0.1 CONNECTOR_{door}_PORT={taken} cannot be listened on: "
        "another program listens there: stop that one, or choose another port"
    )
    with pytest.raises(ConnectorError, match=f"^{said}$"):
        service.__enter__()
    service.__exit__()


@pytest.mark.parametrize("part", ["serve", "listen", "web"])
def test_a_part_whose_port_is_taken_ends_with_that_sentence_alone(part: str, taken: int, tmp_path: Path) -> None:
    ports = {"CONNECTOR_DICOM_PORT": "0" if part == "web" else str(taken), "CONNECTOR_HTTP_PORT": str(taken)}
    done = subprocess.run(
        [sys.executable, "-m", "connector", part],
        env={**os.environ, "CONNECTOR_DATA_DIR": str(tmp_path), **ports},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    last = done.stderr.splitlines()[-1]
    assert (done.returncode, f"PORT={taken} cannot be listened on: another program listens there" in last) == (1, True)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("host", "advice"),
    [
        ("192.0.2.1", "this machine has no such address"),  # TEST-NET-1 (RFC 5737) is nobody's
        ("no-such-host.invalid", "no address has that name"),  # RFC 2606: never resolves
    ],
)
def test_an_address_that_is_not_ours_is_told(host: str, advice: str) -> None:
    said = rf"CONNECTOR_DICOM_HOST={host} CONNECTOR_DICOM_PORT=0 .*{advice}"
    with pytest.raises(ConnectorError, match=said), opening("DICOM", host, 0):
        bound(host, 0)


def test_a_port_that_needs_a_right_this_user_lacks_is_told() -> None:
    # Root may open every port, so the kernel's answer to others is raised here.
    said = r"CONNECTOR_HTTP_PORT=80 .*choose one above 1023, or grant CAP_NET_BIND"
    with pytest.raises(ConnectorError, match=said), opening("HTTP", "127.0.0.1", 80):
        raise PermissionError(13, "Permission denied")
