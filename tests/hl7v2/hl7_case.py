"""Messages as laboratories and RIS send them, of a plainly fictitious patient, and a door over a real ledger."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from ledger_case import Bench, make_bench, receipt

from connector.case_refs import CaseRefs
from connector.core.case import Identifier
from connector.fhir.identity import canonical_json
from connector.fhir.read_record import is_read
from connector.hl7v2.intake import Intake, Policy
from connector.hl7v2.message import Segments, decode, parse
from connector.hl7v2.results import ResultReading
from connector.store.messages import MessageBook

HOSPITAL, SYSTEM = "HOSPITAL", "urn:oid:1.2.36.146"
ISSUERS = {HOSPITAL: SYSTEM}
ZONE = ZoneInfo("Europe/Vienna")
NOW = datetime(2026, 1, 12, 9, 30, tzinfo=UTC)

MSH = (
    r"MSH|^~\&|LIS^1.2.3^ISO|LAB|CONNECTOR|CLINIC|20260112103000+0100||{kind}|{control_id}|P|{version}|||{accept}|{apply}"
    "||{charset}"
)
PID = "PID|1||12345^^^HOSPITAL&1.2.36.146&ISO^MR||LESION^TEST||19610304|F"
OBR = "OBR|1|P1^HIS|L26-001^LIS|CHEM^Chemistry^L|||20260112080000|||||||||||||||20260112101500||CH|F"
BILIRUBIN = "OBX|{n}|NM|1975-2^Bilirubin total^LN||{value}|{unit}|{range}|{flag}|||{status}|||20260112080000"


def header(kind="ORU^R01^ORU_R01", control_id="1", version="2.5.1", accept="", apply="", charset="UNICODE UTF-8"):
    return MSH.format(kind=kind, control_id=control_id, version=version, accept=accept, apply=apply, charset=charset)


def bilirubin(value="17", n=1, unit="umol/L^^UCUM", range="<21", flag="N", status="F"):  # noqa: A002 - as OBX calls it
    return BILIRUBIN.format(n=n, value=value, unit=unit, range=range, flag=flag, status=status)


def block(*segments: str, charset: str = "utf-8") -> bytes:
    return ("\r".join(segments) + "\r").encode(charset)


def oru(*lines: str, pid: str = PID, obr: str = OBR, **more) -> bytes:
    return block(header(**more), pid, obr, *(lines or (bilirubin(),)))


def segments(content: bytes) -> Segments:
    return parse(decode(content, "utf-8"))


def reading(**more) -> ResultReading:
    return ResultReading(**{"keeps": is_read, "local_codes": {}, "issuers": ISSUERS, "zone": ZONE, **more})


@dataclass
class Door:
    """The intake over a ledger; acknowledgements come back as lists of fields by segment."""

    bench: Bench
    book: MessageBook
    cases: CaseRefs
    intake: Intake
    aside: Path

    def send(self, content: bytes) -> list[dict[str, list[str]]]:
        return [acknowledged(one) for one in self.intake.answer(content)]

    def code(self, content: bytes) -> str:
        (ack,) = self.send(content)
        return ack["MSA"][1]

    def rows(self, table: sa.Table) -> list[sa.Row]:
        with self.bench.engine.connect() as connection:
            return list(connection.execute(sa.select(table)))

    def results(self, value: str = "12345") -> list[dict]:
        return self.book.results_of(self.cases.of_identifiers([Identifier(value, SYSTEM)]))


def acknowledged(content: bytes) -> dict[str, list[str]]:
    lines = content.decode().rstrip("\r").split("\r")
    found: dict[str, list[str]] = {}
    for line in lines:
        name, *fields = line.split("|")
        found[name] = [name, *(["|"] if name == "MSH" else []), *fields]
    return found


def make_door(folder: Path, *, results: str = "record", allowed: frozenset[str] = frozenset(), **more) -> Door:
    bench = make_bench(f"sqlite:///{folder / 'ledger.sqlite'}", folder)
    cases = CaseRefs(b"key", ISSUERS)
    book = MessageBook(bench.ledger, keep_seconds=90 * 86400.0, now=bench.clock)
    policy = Policy(
        allowed=allowed, reading=reading(**more), keeps_results=results == "record", charset="utf-8",
        case_refs=cases.of_identifiers, spell=canonical_json,
    )  # fmt: skip
    return Door(bench, book, cases, Intake(book, policy, aside=folder / "aside", now=lambda: NOW), folder / "aside")


def with_images(door: Door, *, patient: str = "12345", path: str | Path = __file__) -> str:
    """Let a study of the patient be here, assessed, with its record followed; returns the case."""
    case_ref = door.cases.of_patient(f"{HOSPITAL}\x1f{patient}")
    door.bench.inbox._case_ref = door.cases.of_patient
    door.bench.inbox.receive(replace(receipt(patient=patient, path=path), issuer_of_patient_id=HOSPITAL))
    with door.bench.engine.begin() as connection:
        door.bench.desk.follow(connection, case_ref=case_ref, record_reference="Patient/1")
        connection.execute(sa.text("UPDATE patient SET polled_at = 5"))
    return case_ref
