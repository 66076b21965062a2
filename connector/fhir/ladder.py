"""Chooses how an EHR is written: everything, results with a document, a document only; kept, told, and chosen anew."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from connector.core.errors import Refused
from connector.fhir.capabilities import Capabilities
from connector.fhir.ehr import EhrClient
from connector.fhir.vendors import Vendor
from connector.logs import get_logger
from connector.ports import Memory

log = get_logger("ehr")

# In the order of references, so that entry by entry each finds what it points at.
OUR_KINDS = ("Device", "BodyStructure", "Observation", "RiskAssessment", "DetectedIssue", "CarePlan",
             "DocumentReference", "Task", "Communication", "Provenance")  # fmt: skip
WHOLE = frozenset({"CarePlan", "RiskAssessment", "Observation"})
DENIED_SECONDS = 86400.0  # after so long it is tried again whether the server does what it says
TRANSACTION = "transaction"
WAY_NOTE, DENIED_NOTE = "ehr_way", "ehr_denied"


class NotDone(Exception):
    """The server refuses a kind (or `transaction`) that it declares: choose another way."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind
        self.why = why


class Rung(StrEnum):
    """How much an EHR takes."""

    FULL = "full"
    RESULTS = "results"
    DOCUMENT = "document"
    NOTHING = "nothing"


_SENTENCES = {
    Rung.FULL: "everything is written",
    Rung.RESULTS: "results are written; what the EHR does not take goes into a document",
    Rung.DOCUMENT: "one document is written, with the FHIR resources in it",
    Rung.NOTHING: "nothing can be written: have CarePlan, Observation or DocumentReference opened for writing",
}


@dataclass(frozen=True, slots=True)
class Way:
    """The way one EHR is written."""

    rung: Rung
    transaction: bool
    kinds: frozenset[str]
    vendor: Vendor
    forced: bool = False

    @property
    def sentence(self) -> str:
        """The way in one sentence, for a person."""
        how = "in one transaction" if self.transaction else "entry by entry"
        stands_in = {"Communication"} if "Task" in self.kinds else set()
        missing = [kind for kind in OUR_KINDS if kind not in self.kinds | stands_in]
        return "; ".join([
            f"{self.vendor.title}: {_SENTENCES[self.rung]}",
            *([] if self.rung is Rung.NOTHING else [how]),
            *([f"without {', '.join(missing)}"] if missing and self.rung is not Rung.DOCUMENT else []),
            *(["as set by CONNECTOR_EHR_WRITE"] if self.forced else []),
        ])  # fmt: skip


def choose(
    offered: Capabilities, vendor: Vendor, *, wanted: str = "auto", denied: Mapping[str, object] | None = None
) -> Way:
    """
    Choose the highest rung that the server offers.

    `wanted` is CONNECTOR_EHR_WRITE: `full` takes the server for able whatever it says, a lower rung is kept to.
    `denied` are types (or `transaction`) that the server declared and then refused.
    """
    refused = denied or {}
    able = {kind for kind in OUR_KINDS if kind not in refused and kind not in vendor.never_written}
    if wanted != Rung.FULL:
        able = {kind for kind in able if offered.writes(kind) and _can_look(offered, kind)}
    if able >= WHOLE and wanted in ("auto", Rung.FULL):
        rung, kinds = Rung.FULL, able
    elif WHOLE & able and wanted != Rung.DOCUMENT:
        rung, kinds = Rung.RESULTS, able - ({"CarePlan", "RiskAssessment"} if wanted == Rung.RESULTS else set())
    else:
        rung, kinds = Rung.DOCUMENT, able & {"DocumentReference"}
    if "Task" in kinds:
        kinds = kinds - {"Communication"}  # one message is enough
    if not kinds - {"Provenance"}:
        rung, kinds = Rung.NOTHING, set()
    together = offered.transaction and TRANSACTION not in refused
    return Way(rung, together, frozenset(kinds), vendor, forced=wanted != "auto")


def _can_look(offered: Capabilities, kind: str) -> bool:
    """Whether one of ours could be found before it is written again; a Provenance names what it is about."""
    if kind == "Provenance":
        return True
    by_patient = kind != "Device" and offered.patient_parameter(kind) is not None
    return offered.reads(kind) and (by_patient or offered.finds_by_identifier(kind))


class Ladder:
    """The choice for one server, shared by all workers through the memory."""

    def __init__(
        self, client: EhrClient, memory: Memory, *, wanted: str = "auto", now: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._memory = memory
        self._wanted = wanted
        self._now = now

    def way(self) -> Way:
        """The way for now; news of it are logged and stand in the logbook. Raises TryLater or Refused."""
        offered = self._client.capabilities()
        way = choose(offered, self._client.vendor(), wanted=self._wanted, denied=self._denied(offered))
        note = json.dumps({
            "rung": way.rung, "transaction": way.transaction, "vendor": way.vendor.name, "writes": sorted(way.kinds),
            "forced": way.forced, "says": way.sentence,
        })  # fmt: skip
        if self._memory.remember(WAY_NOTE, note, told=way.sentence):
            log.info("ehr_way", state=way.rung.value, reason=way.sentence)
        return way

    def deny(self, kind: str, why: str) -> None:
        """Note that the server refuses what it declares; the next way goes without it, for a day."""
        offered = self._client.capabilities()
        denied = {**self._denied(offered), kind: self._now()}
        note = {"statement": offered.digest, "denied": denied}
        if self._memory.remember(DENIED_NOTE, json.dumps(note), told=f"the EHR declares {kind} and refuses it: {why}"):
            log.warning("ehr_denies", resource_type=kind, reason=why)
        self._client.ask_again()

    def _denied(self, offered: Capabilities) -> dict[str, float]:
        note = json.loads(self._memory.recall(DENIED_NOTE) or "{}")
        if note.get("statement") != offered.digest:
            return {}  # it says something else by now, so it is believed again
        return {kind: at for kind, at in note["denied"].items() if at > self._now() - DENIED_SECONDS}


def require(way: Way) -> None:
    """Raise Refused when nothing can be written."""
    if way.rung is Rung.NOTHING:
        raise Refused(f"the EHR takes none of the resources ({way.sentence})")
