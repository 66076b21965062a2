"""Opaque names of cases: a keyed hash of a patient's issuer and ID, safe to log and the same in every process."""

import hmac
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from connector.core.case import Identifier
from connector.durable import write_durably

_NO_ISSUER_TYPE = "MR"  # what an identifier of images without issuer is matched by


class CaseRefs:
    """Names of cases by one key; `issuers` maps IssuerOfPatientID to the identifier system of the EHR."""

    def __init__(self, key: bytes, issuers: Mapping[str, str]) -> None:
        self._key = key
        self._issuers = issuers

    def of_patient(self, patient_key: str) -> str:
        """The case of a patient key, which is issuer and ID as the images carry them."""
        return hmac.new(self._key, patient_key.encode("utf-8"), sha256).hexdigest()[:32]

    def of_identifiers(self, identifiers: Sequence[Identifier]) -> frozenset[str]:
        """Every case that a patient of the record with these identifiers may be, as matching would match it."""
        return frozenset(
            self.of_patient(f"{issuer}\x1f{identifier.value}")
            for identifier in identifiers
            for issuer in self._issuers_of(identifier)
        )

    def _issuers_of(self, identifier: Identifier) -> list[str]:
        found = [issuer for issuer, system in self._issuers.items() if system == identifier.system]
        if found and identifier.system:
            found.append(identifier.system)  # images may carry the system itself as their issuer
        return [*found, *([""] if identifier.type_code == _NO_ISSUER_TYPE else [])]


def shared_key(data_dir: Path, name: str) -> bytes:
    """A secret made once and kept in the data folder that all processes share: `case` makes references opaque."""
    path = data_dir / f"{name}.key"
    if not path.exists():
        candidate = data_dir / f".{name}.key-{secrets.token_hex(8)}"
        write_durably(candidate, secrets.token_hex(32).encode("ascii"))
        # Several processes may start together: the first link wins and all read the same key.
        with suppress(FileExistsError):
            os.link(candidate, path)
        candidate.unlink()
    return path.read_bytes()
