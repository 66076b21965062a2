"""Two real FHIR R4 servers on free loopback ports: sekmet-fhir with SMART sign-in, Medplum's router in memory."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from state_peers import answers, free_port, wait_until

from connector.fhir.ehr import EhrClient, SmartCredentials
from connector.fhir.signing_keys import signing_key

PEERS = Path(__file__).parents[2] / ".peers/fhir"
HERE = Path(__file__).parent


@dataclass(frozen=True)
class FhirServer:
    """A running server and what a client needs to sign in."""

    base_url: str
    credentials: SmartCredentials | None = None

    def client(self, **more) -> EhrClient:
        """A client of its own."""
        return EhrClient(self.base_url, credentials=self.credentials, **more)


def key_pair(folder: Path, algorithm: str = "RS384") -> tuple[str, Path]:
    """A private key as PEM and the file of its public key."""
    made = (
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        if algorithm == "RS384"
        else ec.generate_private_key(ec.SECP384R1())
    )
    public = folder / "client.pub"
    public.write_bytes(
        made.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    private = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), public


@contextmanager
def sekmet(
    folder: Path, *, token_lifetime: int = 300, algorithm: str = "RS384", jwks_url: str = ""
) -> Iterator[FhirServer]:
    """sekmet-fhir, from an environment of its own; with `jwks_url` it fetches our public keys there."""
    python = PEERS / "venv/bin/python"
    assert python.exists(), "run tests/peers/setup_fhir first"
    private, public = key_pair(folder, algorithm)
    port = free_port()
    command = [python, HERE / "sekmet_server.py", "--port", port, "--folder", folder, "--public-key", public,
               "--token-lifetime", token_lifetime, *(["--jwks-url", jwks_url] if jwks_url else [])]  # fmt: skip
    with _running(command, port, folder / "sekmet.log"):
        credentials = SmartCredentials("connector", (signing_key(private, "k1"),), "system/*.cruds")
        yield FhirServer(f"http://127.0.0.1:{port}/fhir", credentials)


@contextmanager
def medplum(folder: Path, *, bare: bool = False, everything: bool = False) -> Iterator[FhirServer]:
    """Medplum's router; `bare` declares no transaction, `everything` documents and messages too."""
    modules = PEERS / "node/node_modules"
    assert modules.exists(), "run tests/peers/setup_fhir first"
    own = PEERS / "venv/bin/node"
    node = own if own.exists() else shutil.which("node")
    port = free_port()
    command = [
        node,
        HERE / "medplum_server.mjs",
        port,
        modules,
        *(["bare"] if bare else ["everything"] if everything else []),
    ]
    with _running(command, port, folder / "medplum.log"):
        yield FhirServer(f"http://127.0.0.1:{port}/fhir/R4")


@contextmanager
def _running(command: list, port: int, log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command], stdout=output, stderr=output, env={**os.environ, "NO_PROXY": "*"}
        )
    try:
        wait_until(lambda: process.poll() is not None or answers(port), seconds=60, what="the start of a FHIR server")
        assert process.poll() is None, f"the FHIR server ended: {log.read_text()[-600:]}"
        yield
    finally:
        process.terminate()
        process.wait(10)
