"""Takes one block from the wire and answers it: known kinds from known senders, stored before they are accepted."""

import uuid
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from connector.core.case import Identifier
from connector.core.errors import TryLater
from connector.durable import write_durably
from connector.hl7v2.acknowledge import NOBODY, acknowledgements, batch
from connector.hl7v2.merges import read_merges
from connector.hl7v2.message import BadMessage, Header, Place, Segments, decode, messages_in, parse
from connector.hl7v2.orders import read_orders
from connector.hl7v2.patient import identifiers_of
from connector.hl7v2.results import ResultReading, read_results
from connector.logs import get_logger
from connector.ports import Heard, KeptResult

log = get_logger("hl7v2")

# What is taken, and why: also the table of the conformance statement.
KINDS = {
    ("ORU", "R01"): "results of the laboratory or of radiology",
    ("ORM", "O01"): "an order, as RIS of HL7 2.3 to 2.5 send it",
    ("OMI", "O23"): "an imaging order",
    ("ADT", "A40"): "two numbers of a patient become one: the cases of both are held for a person",
}
_PRODUCTION = "P"
# What waits for a person; the sender of what comes beyond it hears the refusal, and keeps its message.
MOST_ASIDE, MOST_ASIDE_BYTES = 1000, 256 * 2**20


class Book(Protocol):
    """Where messages are noted; every call is committed when it returns."""

    def was_taken(self, heard: Heard) -> bool:
        """Whether just this message was taken before."""

    def take(
        self,
        heard: Heard,
        *,
        results: Sequence[KeptResult] = (),
        cases: Collection[str] = (),
        orders: Sequence[dict[str, Any]] = (),
        merged: bool = False,
    ) -> None:
        """Note a message with all that follows from it; the cases whose numbers are `merged` are held."""

    def set_aside(self, heard: Heard, *, reason: str, path: str, cases: Collection[str] = ()) -> None:
        """Note a message that a person must look at, and the cases that its patient may be."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may send, how results are read, and whether they are kept."""

    allowed: frozenset[str]  # MSH-3 or MSH-3/MSH-4; empty: everybody
    reading: ResultReading
    keeps_results: bool
    charset: str
    case_refs: Callable[[Sequence[Identifier]], Collection[str]]
    spell: Callable[[dict[str, Any]], bytes]  # an Observation as JSON with the digits that were sent


class Intake:
    """Answers blocks; safe to share between connections."""

    def __init__(
        self,
        book: Book,
        policy: Policy,
        *,
        aside: Path,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._book = book
        self._policy = policy
        self._aside = aside
        self._now = now

    def answer(self, block: bytes) -> Sequence[bytes]:
        """The acknowledgements of a block, in the order in which they leave; none when none was asked for."""
        try:
            decoded = decode(block, self._policy.charset)
            held = messages_in(decoded)
        except BadMessage as fault:
            return self._refuse(NOBODY, block, fault)
        answers = [answer for one in held for answer in self._one(one)]
        if block.startswith(b"MSH") and len(held) == 1:
            return answers
        return [batch(answers, now=self._now())] if answers else []

    def _one(self, decoded: str) -> Sequence[bytes]:
        content = decoded.encode("utf-8", "surrogatepass")
        header, message = NOBODY, None
        try:
            message = parse(decoded)
            header = message.header
            if header.message_type == "ACK":
                return []  # an acknowledgement of an acknowledgement would never end
            self._check(header, decoded)
            self._take(message, content)
        except NotOurs as fault:
            # Its content is none of ours to keep: neither a stranger nor a feed of every admission may fill the disk,
            # nor hide what a person must look at.
            log.warning("message_not_ours", kind=header.message_type, reason=fault.says)
            self._note_once(header, fault)
            return acknowledgements(header, fault, now=self._now(), new_id=_new_id)
        except BadMessage as fault:
            return self._refuse(header, content, fault, self._cases(message))
        except TryLater as fault:
            away = BadMessage(207, f"{fault}", rejects=True)
            return acknowledgements(header, away, now=self._now(), new_id=_new_id)
        except Exception as fault:  # noqa: BLE001 - the door stays open, and a person sees what it stumbled over
            says = f"the message could not be read (unexpected {type(fault).__name__}): report it"
            return self._refuse(header, content, BadMessage(207, says), self._cases(message))
        return acknowledgements(header, None, now=self._now(), new_id=_new_id)

    def _check(self, header: Header, decoded: str) -> None:
        """Raise BadMessage for what is not taken whatever it holds."""
        if "\0" in decoded:
            raise BadMessage(102, "the message holds a NUL character, which no text has: have the sender mended")
        application, facility = header.sending
        allowed = self._policy.allowed
        if allowed and application not in allowed and f"{application}/{facility}" not in allowed:
            says = "the sending application is not in CONNECTOR_HL7_ALLOWED_SENDERS"
            raise NotOurs(103, says, Place("MSH", 1, 3), rejects=True)
        if not header.control_id:
            raise BadMessage(101, "MSH-10 holds no control id", Place("MSH", 1, 10))
        if not header.version.startswith("2."):
            raise BadMessage(203, "MSH-12 is no version of HL7 v2", Place("MSH", 1, 12), rejects=True)
        if header.processing_id not in ("", _PRODUCTION):
            raise NotOurs(202, "MSH-11 is not P: tests and training stay out", Place("MSH", 1, 11), rejects=True)
        if header.message_type not in {kind for kind, _ in KINDS}:
            raise NotOurs(200, f"only {_kinds()} are taken", Place("MSH", 1, 9), rejects=True)
        if (header.message_type, header.trigger) not in KINDS:
            raise NotOurs(201, f"only {_kinds()} are taken", Place("MSH", 1, 9, 2), rejects=True)

    def _take(self, message: Segments, content: bytes) -> None:
        heard = _heard(message.header, content)
        if self._book.was_taken(heard):
            log.info("message_again", kind=heard.kind)
            return
        if message.header.message_type == "ORU":
            self._take_results(message, heard)
        elif message.header.message_type == "ADT":
            numbers = read_merges(message, self._policy.reading.issuers)
            cases = {case for number in numbers for case in self._policy.case_refs([number])}
            self._book.take(heard, cases=cases, merged=True)
        else:
            orders = read_orders(message, self._policy.reading.issuers)
            cases = {case for order in orders for case in self._policy.case_refs(order.identifiers)}
            self._book.take(heard, cases=cases, orders=[order.details for order in orders])
        log.info("message_taken", kind=heard.kind)

    def _take_results(self, message: Segments, heard: Heard) -> None:
        policy = self._policy
        found = read_results(message, policy.reading)
        # Pairs, since some laboratories begin with PID again for each order of one patient.
        pairs = [
            (case, patient)
            for patient in found
            if patient.results or not policy.keeps_results
            for case in policy.case_refs(patient.identifiers)
        ]
        kept = [
            KeptResult(case, result.key, _seconds(result.spoken_at), policy.spell(result.observation).decode())
            for case, patient in pairs if policy.keeps_results
            for result in patient.results
        ]  # fmt: skip
        self._book.take(heard, results=kept, cases={case for case, _ in pairs})

    def _cases(self, message: Segments | None) -> set[str]:
        """Whose a message is that was not taken, as far as that can be read."""
        cases: set[str] = set()
        # Whatever else of it cannot be read either, the message is set aside all the same.
        with suppress(Exception):
            for name, number, segment in message or ():
                if name == "PID":
                    cases.update(self._policy.case_refs(identifiers_of(segment, number, self._policy.reading.issuers)))
        return cases

    def _refuse(
        self, header: Header, content: bytes, fault: BadMessage, cases: Collection[str] = ()
    ) -> Sequence[bytes]:
        """Set the message aside for a person, with the reason, and say so to the sender."""
        log.warning("message_refused", kind=header.message_type, reason=fault.says)
        try:
            heard = _heard(header, content)
            path = self._aside / f"{heard.digest}.hl7"
            if not path.exists() and self._is_full():
                log.warning("message_not_kept", reason="too many messages wait for a person", kind=header.message_type)
                return acknowledgements(header, fault, now=self._now(), new_id=_new_id)
            write_durably(path, content)
            path.chmod(0o600)
            self._book.set_aside(heard, reason=fault.says, path=str(path), cases=cases)
        except (TryLater, OSError) as lost:
            # The sender hears the refusal all the same, and keeps the message.
            log.warning("message_not_kept", exception_type=type(lost).__name__, kind=header.message_type)
        return acknowledgements(header, fault, now=self._now(), new_id=_new_id)

    def _is_full(self) -> bool:
        """Whether so many messages wait that the sender had better keep the next one."""
        sizes = [one.stat().st_size for one in self._aside.iterdir()] if self._aside.is_dir() else []
        return len(sizes) >= MOST_ASIDE or sum(sizes) >= MOST_ASIDE_BYTES

    def _note_once(self, header: Header, fault: BadMessage) -> None:
        """One row for all that are refused for one reason, so that a person sees the last one that tried."""
        heard = _heard(header, b"")
        name = sha256(f"not ours: {fault.condition}".encode()).hexdigest()
        try:
            self._book.set_aside(Heard(name, name, heard.sender, heard.kind), reason=fault.says, path="")
        except TryLater:
            log.warning("message_not_kept", exception_type="TryLater", kind=header.message_type)


class NotOurs(BadMessage):
    """The sender is not on the list, or what it sends is none of what is taken here: no content is kept."""


def _heard(header: Header, content: bytes) -> Heard:
    digest = sha256(content).hexdigest()
    named = "\x1f".join((*header.sending, header.control_id)) if header.control_id else digest
    kind = "^".join(part for part in (header.message_type, header.trigger) if part)
    sender = "/".join(filter(None, header.sending)).replace("\0", "")[:255]  # PostgreSQL keeps no NUL
    return Heard(
        sha256(named.encode("utf-8", "surrogatepass")).hexdigest(), digest, sender, kind.replace("\0", "")[:16]
    )


def _seconds(spoken_at: str) -> float:
    try:
        parsed = datetime.fromisoformat(spoken_at)
    except ValueError:
        return 0.0
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def _kinds() -> str:
    return ", ".join("^".join(kind) for kind in KINDS)


def _new_id() -> str:
    return uuid.uuid4().hex[:20]  # MSH-10 is 20 characters long before 2.7
