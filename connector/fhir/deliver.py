"""Delivers a FHIR document: looks first, writes only what changed, never over a clinician's work."""

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from connector.core.errors import Refused, TryLater
from connector.fhir.capabilities import Capabilities
from connector.fhir.ehr import EhrClient
from connector.fhir.ehr_answers import Changed, failure
from connector.fhir.identity import IDENTIFIER_SYSTEM
from connector.fhir.reconcile import RETIRED_STATUS, Plan, State, Write, about, own_identifier, reconcile
from connector.fhir.resource import Json, items, members, reference_of
from connector.fhir.write_observations import MEAN_DOSE, RESPONSE, TUMOUR_SIZE
from connector.fhir.write_transaction import identifier_query
from connector.ports import Delivery, Document

_MOST_READS = 3  # a version that changes under us more often is left for later
_MOST_IN_ONE_SEARCH = 15  # keeps the URL below 4 kB
PATIENT_PARAMETER = {"CarePlan": "subject", "Observation": "subject", "Task": "patient", "DetectedIssue": "patient"}
_OUR_CODES = ",".join(f"{one.system}|{one.code}" for one in (TUMOUR_SIZE, RESPONSE, MEAN_DOSE))

Resource = dict[str, Any]


class EhrDestination:
    """
    A Destination for FHIR documents.

    Safe to repeat and to crash in: each delivery starts from what the EHR holds. Two deliveries for one patient at the
    same moment must be kept apart by the caller, since conditional creates race on real servers.
    """

    def __init__(self, client: EhrClient) -> None:
        self._client = client

    def deliver(self, document: Document) -> Delivery:
        """Deliver one document. Raises TryLater or Refused."""
        bundle = json.loads(document.content, parse_float=Decimal)
        capabilities = self._client.capabilities()
        entries, left_out = _offered(bundle["entry"], capabilities)
        if not any(entry["resource"]["resourceType"] != "Provenance" for entry in entries):
            raise Refused("the EHR takes none of the resources: have CarePlan, Observation or Task opened for writing")
        for _ in range(_MOST_READS):
            plan = reconcile(entries, self._state(entries, capabilities))
            plan.notes += left_out
            if not plan.writes:
                return Delivery(plan.note)
            try:
                self._write(plan, capabilities)
            except Changed:
                continue
            return Delivery(plan.note)
        raise TryLater("the EHR's resources changed three times while they were written")

    def _state(self, entries: Sequence[Json], capabilities: Capabilities) -> State:
        urls: dict[str, dict[str, str]] = {}
        for entry in entries:
            identifier = own_identifier(entry["resource"])
            if identifier is not None:
                urls.setdefault(entry["resource"]["resourceType"], {})[identifier] = str(entry["fullUrl"])
        current: dict[str, Json] = {}
        for kind, named in urls.items():
            for held in sorted(self._by_identifier(kind, list(named)), key=reference_of):
                url = named.get(own_identifier(held) or "")
                if url in current and about(held) is None:
                    continue  # our Device serves all patients, so two first deliveries may both have made it
                if url in current:
                    raise Refused(f"the EHR holds one of our {kind} twice: have all but one removed, then replay")
                if url is not None:
                    current[url] = held
        return State(current, self._ours(entries, capabilities))

    def _by_identifier(self, kind: str, identifiers: Sequence[str]) -> Iterator[Json]:
        for start in range(0, len(identifiers), _MOST_IN_ONE_SEARCH):
            some = identifiers[start : start + _MOST_IN_ONE_SEARCH]
            tokens = ",".join(f"{IDENTIFIER_SYSTEM}|{identifier}" for identifier in some)
            yield from self._client.search(kind, [("identifier", tokens)])

    def _ours(self, entries: Sequence[Json], capabilities: Capabilities) -> list[Json]:
        """Everything we wrote about the patient that a newer result may retire."""
        patients = {patient for entry in entries if (patient := about(entry["resource"])) is not None}
        if len(patients) != 1:
            raise Refused(f"the document names {len(patients)} patients by address in the EHR: one is needed")
        patient = patients.pop()
        found = []
        for kind in RETIRED_STATUS:
            if capabilities.writes(kind) and capabilities.reads(kind):
                parameters = [(PATIENT_PARAMETER[kind], patient)]
                if kind == "Observation":
                    parameters.append(("code", _OUR_CODES))
                found += self._client.search(kind, parameters)
        return [one for one in found if own_identifier(one) is not None and about(one) == patient]

    def _write(self, plan: Plan, capabilities: Capabilities) -> None:
        if capabilities.transaction:
            entries = [_entry(write, plan.places) for write in plan.writes]
            answer = self._client.transaction({"resourceType": "Bundle", "type": "transaction", "entry": entries})
            for entry in members(answer, "entry"):
                _require_done(str(items(entry, "response").get("status", "")))
            return
        places = dict(plan.places)
        for write in plan.writes:
            resource = _replaced(write.resource, places)
            places[write.full_url] = reference_of(self._write_one(write, resource))

    def _write_one(self, write: Write, resource: Resource) -> Json:
        if write.current is not None:
            return self._client.update({**resource, "id": write.current["id"]}, if_match=_version(write.current))
        identifier = own_identifier(resource)
        return self._client.create(resource, if_none_exist=identifier_query(identifier) if identifier else None)


def _offered(entries: Sequence[Resource], capabilities: Capabilities) -> tuple[list[Resource], list[str]]:
    """Entries whose type the EHR takes; references to the others stay as identifiers."""
    missing = [entry for entry in entries if not capabilities.writes(entry["resource"]["resourceType"])]
    kinds = sorted({entry["resource"]["resourceType"] for entry in missing})
    logical = {
        str(entry["fullUrl"]): {
            "type": entry["resource"]["resourceType"],
            "identifier": {"system": IDENTIFIER_SYSTEM, "value": own_identifier(entry["resource"])},
        }
        for entry in missing
    }
    kept = [_with_logical(entry, logical) for entry in entries if entry not in missing]
    return kept, [f"the EHR does not take {kind}" for kind in kinds]


def _with_logical(value: Any, logical: Mapping[str, Resource]) -> Any:
    if isinstance(value, dict):
        if value.get("reference") in logical:
            return {**{key: one for key, one in value.items() if key != "reference"}, **logical[value["reference"]]}
        return {key: _with_logical(one, logical) for key, one in value.items()}
    return [_with_logical(one, logical) for one in value] if isinstance(value, list) else value


def _replaced(value: Any, places: Mapping[str, str]) -> Any:
    """The value with references turned into the addresses they stand for."""
    if isinstance(value, dict):
        return {
            key: places.get(one, one) if key == "reference" and isinstance(one, str) else _replaced(one, places)
            for key, one in value.items()
        }
    return [_replaced(one, places) for one in value] if isinstance(value, list) else value


def _entry(write: Write, places: Mapping[str, str]) -> Resource:
    """One transaction entry: a PUT of the version that was read, or a POST unless it exists meanwhile."""
    resource = _replaced(write.resource, places)
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


def _require_done(status: str) -> None:
    number = status.split(" ", maxsplit=1)[0]
    if number.isdecimal() and int(number) >= 300:  # noqa: PLR2004 - what is no success inside a transaction's answer
        raise failure(int(number), what="entry of a transaction")
