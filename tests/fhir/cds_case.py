"""An EHR as CDS Hooks sees it, with keys of its own, and a door over a real ledger with one patient on it."""

import json
import time
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fhir_cases as cases
import jwt
import sqlalchemy as sa
from cds_schema import ANSWER, faults
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from ledger_case import make_tables
from starlette.applications import Starlette
from starlette.testclient import TestClient

from connector.case_refs import CaseRefs
from connector.fhir.cds_clients import CdsClients
from connector.fhir.cds_hooks import SERVICES, CdsDoor, cds_routes
from connector.fhir.used_tokens import UsedInMemory
from connector.fhir.write_card import CardWriter
from connector.ports import WriteRequest
from connector.store import open_ledger
from connector.store import tables as t
from connector.store.cards import CardShelf
from connector.store.desk import Desk
from connector.store.ledger import SqlLedger
from connector.web.access import is_local

ISSUER = "https://ehr.test/"
PUBLIC = "https://connector.test"
FHIR_SERVER = "https://ehr.test/fhir/r4"
HOSPITAL, SYSTEM = "HOSPITAL", cases.SYSTEM
VIEW, ORDER = (service.id for service in SERVICES)
PATIENT_ID = "p1"


@dataclass
class Ehr:
    """Signs calls with its key, as the specification asks."""

    algorithm: str = "ES384"
    kid: str = "k1"
    key: Any = None

    def __post_init__(self) -> None:
        if self.key is None:
            self.key = (
                ec.generate_private_key(ec.SECP384R1())
                if self.algorithm == "ES384"
                else rsa.generate_private_key(public_exponent=65537, key_size=2048)
            )

    @property
    def jwk(self) -> dict[str, Any]:
        to_jwk = ECAlgorithm.to_jwk if self.algorithm == "ES384" else RSAAlgorithm.to_jwk
        public = to_jwk(self.key.public_key(), as_dict=True)
        return {**public, "kid": self.kid, "alg": self.algorithm, "use": "sig"}

    def token(self, audience: Any, *, header: dict[str, Any] | None = None, **claims: Any) -> str:
        now = int(time.time())
        stated = {"iss": ISSUER, "aud": audience, "iat": now, "exp": now + 300, "jti": str(uuid.uuid4()), **claims}
        stated = {name: value for name, value in stated.items() if value is not None}
        headers = {"kid": self.kid, "typ": "JWT", **(header or {})}
        pem = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return jwt.encode(stated, pem, algorithm=self.algorithm, headers=headers)


@dataclass
class Bench:
    """The door, what stands behind it, and an EHR that may come in."""

    engine: sa.Engine
    ledger: SqlLedger
    shelf: CardShelf
    cases: CaseRefs
    ehr: Ehr
    client: TestClient
    door: CdsDoor

    @property
    def case_ref(self) -> str:
        return self.cases.of_patient(f"{HOSPITAL}\x1f12345")

    def shelve(self, assessed: Any = None, *, case_ref: str = "", patient: str = PATIENT_ID) -> dict[str, Any]:
        """Put an assessment on the shelf as the service does, and follow its patient."""
        assessed = replace(assessed or cases.assessment(), case_ref=case_ref or self.case_ref)
        request = WriteRequest(assessed, cases.IDENTITY, cases.record(f"Patient/{patient}"), ())
        documents = CardWriter().write(request)
        with self.ledger.transaction() as connection:
            assert self.ledger.save(connection, assessed, {}, documents) == [], "a card is delivered nowhere"
            Desk(self.ledger).follow(connection, case_ref=assessed.case_ref, record_reference=f"Patient/{patient}")
        return json.loads(documents[0].content)

    def post(self, path: str, body: Any, **more: Any):
        token = more.pop("token", None) or self.ehr.token(f"{PUBLIC}{path}")
        headers = {"Authorization": f"Bearer {token}", **more.pop("headers", {})}
        return self.client.post(path, json=body, headers=headers, **more)

    def view(self, body: dict[str, Any]):
        return self.post(f"/cds-services/{VIEW}", body)

    def rows(self, table: sa.Table) -> list[sa.Row]:
        with self.engine.connect() as connection:
            return list(connection.execute(sa.select(table)))


def make_bench(folder: Path, *, host: str = "10.0.0.7", signed: bool = True, origins: tuple[str, ...] = ()) -> Bench:
    url = f"sqlite:///{folder / 'ledger.sqlite'}"
    make_tables(url)
    engine = open_ledger(url)
    ledger = SqlLedger(engine, outbox_dir=folder / "outbox")
    shelf, refs, ehr = CardShelf(engine), CaseRefs(b"key", {HOSPITAL: SYSTEM}), Ehr()
    pinned = folder / "ehr.jwks.json"
    pinned.write_text(json.dumps({"keys": [ehr.jwk]}))
    door = CdsDoor(
        shelf,
        clients=CdsClients({ISSUER: str(pinned)}, used=UsedInMemory()) if signed else None,
        is_local=is_local,
        public_url=PUBLIC,
        fhir_servers=[FHIR_SERVER],
        case_refs=refs.of_identifiers,
    )
    web = Starlette(routes=cds_routes(door, origins=origins))
    return Bench(engine, ledger, shelf, refs, ehr, TestClient(web, client=(host, 50000)), door)


def patient(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": PATIENT_ID,
        "identifier": [{"system": SYSTEM, "value": "12345"}],
        "name": [{"family": "Lesion", "given": ["Test"]}],
        **more,
    }


def asks(patient_id: str = PATIENT_ID, *, hook: str = "patient-view", context: dict | None = None, **more: Any) -> dict:
    """A body that an EHR sends; what is given as None is left out."""
    body = {
        "hook": hook,
        "hookInstance": str(uuid.uuid4()),
        "fhirServer": FHIR_SERVER,
        "context": {"userId": "Practitioner/7", "patientId": patient_id, **(context or {})},
        "prefetch": {"patient": patient()},
        **more,
    }
    return {name: value for name, value in body.items() if value is not None}


def feedback_rows(bench: Bench) -> list[tuple[str, str | None, str | None]]:
    return [(row.outcome, row.reason, row.comment) for row in bench.rows(t.feedback)]


def summaries(answer: Any) -> list[str]:
    """What the cards of an answer say first; the answer is one that the specification allows."""
    assert answer.status_code == 200, answer.text
    assert faults(answer.json(), ANSWER) == []
    return [card["summary"] for card in answer.json()["cards"]]


def said(card: dict[str, Any], outcome: str = "accepted", **more: Any) -> dict[str, Any]:
    """What an EHR tells of one card that was looked at."""
    return {"card": card["uuid"], "outcome": outcome, "outcomeTimestamp": "2026-04-08T10:05:31Z", **more}


def tell(bench: Bench, *entries: dict[str, Any]):
    return bench.post(f"/cds-services/{VIEW}/feedback", {"feedback": list(entries)})
