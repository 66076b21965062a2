"""Delivers a FHIR document: looks first, writes only what changed, never over a clinician's work."""

import json
import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connector.core.errors import Refused, TryLater
from connector.fhir.deliver_provenance import OwedProvenance
from connector.fhir.deliver_state import EhrState, token
from connector.fhir.ehr import EhrClient
from connector.fhir.ehr_answers import Changed, NotOffered, failure
from connector.fhir.ladder import TRANSACTION, Ladder, NotDone, Way, require
from connector.fhir.memory import ProcessMemory
from connector.fhir.reconcile import SAID_ONCE, Plan, Write, own_identifier, reconcile, studies_of
from connector.fhir.resource import Json, items, members, reference_of, replaced, study_day_of
from connector.fhir.retract import retract, sought
from connector.fhir.write_for_way import fitted
from connector.fhir.write_retraction import KIND, MARKED_KINDS, surely_arrived
from connector.fhir.write_transaction import identifier_query
from connector.ports import Delivery, Document, Memory

_MOST_READS = 3  # a version that changes under us more often is left for later
_MOST_WAYS = 12  # a server that refuses every kind that it declares has none left by then

Resource = dict[str, Any]


@dataclass(slots=True)
class _Try:
    """One try of a delivery: until when it may write, and how much it wrote by itself."""

    until: float
    written: int = 0


class EhrDestination:
    """
    A Destination for FHIR documents.

    Safe to repeat and to crash in: each delivery starts from what the EHR holds. Two deliveries for one patient at the
    same moment are kept apart by the caller (the ledger's lease), since conditional creates race on real servers; for
    that a delivery that takes longer than `within_seconds` stops by itself.
    """

    def __init__(
        self,
        client: EhrClient,
        memory: Memory | None = None,
        *,
        wanted: str = "auto",
        within_seconds: float = 450.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._memory = memory or ProcessMemory()
        self.ladder = Ladder(client, self._memory, wanted=wanted)
        self._within_seconds = within_seconds
        self._clock = clock

    def deliver(self, document: Document) -> Delivery:
        """Deliver one document. Raises TryLater or Refused."""
        bundle = json.loads(document.content, parse_float=Decimal)
        attempt = _Try(self._clock() + self._within_seconds)
        unmarked: set[str] = set()
        for _ in range(_MOST_WAYS):
            way = self.ladder.way()
            require(way)
            try:
                return self._by(way, bundle, document.identity, attempt, unmarked)
            except TryLater as fault:
                # What was written is found and not written again, so that each try goes further until all is there.
                fault.progressed = attempt.written > 0
                raise
            except NotDone as fault:
                if document.identity.startswith(f"{KIND}:") and fault.kind in MARKED_KINDS - unmarked:
                    unmarked.add(fault.kind)  # it stands there all the same: a person is asked, nothing is left out
                    continue
                # It refuses what it declares: believe the answer, and go on without.
                self.ladder.deny(fault.kind, fault.why)
        raise Refused("the EHR refuses everything that it declares: have its CapabilityStatement corrected")

    def _by(self, way: Way, bundle: Json, identity: str, attempt: _Try, unmarked: AbstractSet[str]) -> Delivery:
        entries = bundle["entry"]
        is_retraction = identity.startswith(f"{KIND}:")
        wanted, left_out = sought(entries, way) if is_retraction else fitted(entries, way)
        state = EhrState(self._client, way)
        owed = OwedProvenance(self._client, self._memory, identity)
        for _ in range(_MOST_READS):
            held = state.read(wanted)
            if is_retraction:
                updated = {**self._updated(), **dict.fromkeys(unmarked, False)}
                plan = retract(wanted, held, updated, must_be_there=surely_arrived(bundle))
            else:
                plan = reconcile(wanted, held, study_day_of(entries), studies_of(entries))
            plan.notes += left_out
            owed.add_to(plan, wanted)
            if not plan.writes:
                return Delivery(plan.note)
            try:
                self._settle_device(plan, attempt)
                if way.transaction:
                    self._together(plan, attempt)
                else:
                    self._one_by_one(plan, owed, attempt)
            except Changed:
                continue
            return Delivery(plan.note)
        raise TryLater("the EHR's resources changed three times while they were written")

    def _updated(self) -> dict[str, bool]:
        """Which of the types that may be written but once this EHR lets us replace all the same."""
        offered = self._client.capabilities().interactions
        return {kind: "update" in offered.get(kind, ()) for kind in SAID_ONCE}

    def _settle_device(self, plan: Plan, attempt: _Try) -> None:
        """
        Make our Device by itself under a lock: it is the one resource that deliveries for two patients share.

        A transaction would make it again, since a conditional create races on real servers.
        """
        for write in [one for one in plan.writes if one.resource["resourceType"] == "Device" and one.current is None]:
            with self._memory.alone("ehr_device"):
                held = self._client.search("Device", [("identifier", token(str(own_identifier(write.resource))))])
                made = held[0] if held else self._write_one(write, write.resource, attempt)
            plan.places[write.full_url] = reference_of(made)
            plan.writes.remove(write)

    def _together(self, plan: Plan, attempt: _Try) -> None:
        entries = [self._entry(write, plan.places) for write in plan.writes]
        self._require_time(attempt)
        try:
            answer = self._client.transaction({"resourceType": "Bundle", "type": "transaction", "entry": entries})
        except NotOffered as fault:
            raise NotDone(TRANSACTION, str(fault)) from None
        for entry, write in zip(members(answer, "entry"), plan.writes, strict=False):
            _require_done(str(items(entry, "response").get("status", "")), write)

    def _one_by_one(self, plan: Plan, owed: OwedProvenance, attempt: _Try) -> None:
        places = dict(plan.places)
        owed.begin(plan)
        for write in plan.writes:
            resource = replaced(write.resource, places)
            places[write.full_url] = reference_of(self._write_one(write, resource, attempt))
        owed.done()

    def _write_one(self, write: Write, resource: Resource, attempt: _Try) -> Json:
        self._require_time(attempt)
        kind = resource["resourceType"]
        try:
            if write.current is not None:
                made = self._client.update({**resource, "id": write.current["id"]}, if_match=_version(write.current))
                attempt.written += 1
                return made
            identifier = own_identifier(resource)
            conditional = identifier is not None and kind not in self._client.capabilities().unconditional
            query = identifier_query(identifier) if identifier and conditional else None
            made = self._client.create(resource, if_none_exist=query)
        except NotOffered as fault:
            raise NotDone(kind, str(fault)) from None
        if identifier is not None and own_identifier(made) != identifier:
            # One stray is made and no second: what cannot be found again cannot be kept once.
            raise NotDone(kind, "it does not keep identifiers, so a repeat would be a second one")
        attempt.written += 1
        return made

    def _require_time(self, attempt: _Try) -> None:
        if self._clock() > attempt.until:
            raise TryLater("the EHR answers too slowly for one delivery")

    @staticmethod
    def _entry(write: Write, places: Mapping[str, str]) -> Resource:
        """One transaction entry: a PUT of the version that was read, or a POST unless it exists meanwhile."""
        resource = replaced(write.resource, places)
        if write.current is not None:
            address = reference_of(write.current)
            return {
                "resource": {**resource, "id": write.current["id"]},
                "request": {"method": "PUT", "url": address, "ifMatch": f'W/"{_version(write.current)}"'},
            }
        request: Resource = {"method": "POST", "url": resource["resourceType"]}
        identifier = own_identifier(resource)
        if identifier is not None:
            request["ifNoneExist"] = identifier_query(identifier)
        return {"fullUrl": write.full_url, "resource": resource, "request": request}


def _version(resource: Json) -> str:
    version = items(resource, "meta").get("versionId")
    if not isinstance(version, str):
        raise Refused("the EHR gives no version of its resources: without it nothing is replaced safely")
    return version


def _require_done(status: str, write: Write) -> None:
    number = status.split(" ", maxsplit=1)[0]
    if number.isdecimal() and int(number) >= 300:  # noqa: PLR2004 - what is no success inside a transaction's answer
        fault = failure(int(number), what="entry of a transaction")
        raise NotDone(str(write.resource["resourceType"]), str(fault)) if isinstance(fault, NotOffered) else fault
