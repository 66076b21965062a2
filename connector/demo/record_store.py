"""The FHIR resources of the demo's archive: versions, searches, conditional updates and transactions in memory."""

import copy
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
_SUBJECTS = ("subject", "patient", "for")


class NotPossible(Exception):
    """A request that a FHIR server answers with this status and reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class RecordStore:
    """Resources by type and id; every change makes a new version; a transaction happens whole or not at all."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._resources: dict[str, dict[str, Json]] = {}
        self._lock = threading.RLock()
        self._now = now

    def read(self, kind: str, resource_id: str) -> Json:
        """Get one resource. Raises NotPossible (404)."""
        with self._lock:
            try:
                return copy.deepcopy(self._resources[kind][resource_id])
            except KeyError:
                raise NotPossible(404, f"no {kind} has this id") from None

    def search(self, kind: str, parameters: list[tuple[str, str]]) -> list[Json]:
        """Find resources that meet every parameter: _id, identifier, patient, subject, code, _lastUpdated, status."""
        with self._lock:
            return [copy.deepcopy(each) for each in self._resources.get(kind, {}).values() if _meets(each, parameters)]

    def all(self) -> Iterator[Json]:
        """Every resource, newest version."""
        with self._lock:
            yield from [copy.deepcopy(each) for by_id in self._resources.values() for each in by_id.values()]

    def put(self, resource: Json, *, if_match: str | None = None) -> Json:
        """Store a resource under its id. Raises NotPossible (412) when `if_match` names another version."""
        with self._lock:
            kind, resource_id = resource["resourceType"], resource["id"]
            before = self._resources.get(kind, {}).get(resource_id)
            version = before["meta"]["versionId"] if before else None
            if if_match is not None and if_match.removeprefix("W/").strip('"') != version:
                raise NotPossible(412, "the resource has another version: read it again")
            stored = copy.deepcopy(resource)
            stored["meta"] = {
                **stored.get("meta", {}),
                "versionId": str(int(version or 0) + 1),
                "lastUpdated": self._now().isoformat(timespec="milliseconds"),
            }
            self._resources.setdefault(kind, {})[resource_id] = stored
            return copy.deepcopy(stored)

    def conditional(self, resource: Json, parameters: list[tuple[str, str]], *, update: bool) -> tuple[Json, bool]:
        """Create a resource unless one meets the parameters, or update that one; tells whether it was created."""
        with self._lock:
            found = self.search(resource["resourceType"], parameters)
            if len(found) > 1:
                raise NotPossible(412, "several resources meet the condition")
            if not found:
                return self.put({**resource, "id": uuid.uuid4().hex}), True
            return (self.put({**resource, "id": found[0]["id"]}) if update else found[0]), False

    def transaction(self, bundle: Json) -> Json:
        """Do every entry of a transaction Bundle, references between them resolved. Raises NotPossible, then undone."""
        with self._lock:
            before = copy.deepcopy(self._resources)
            try:
                return {"resourceType": "Bundle", "type": "transaction-response", "entry": self._entries(bundle)}
            except BaseException:
                self._resources = before
                raise

    def _entries(self, bundle: Json) -> list[Json]:
        entries = [entry for entry in bundle.get("entry", []) if entry.get("resource")]
        targets = [self._place(entry) for entry in entries]
        places = {
            entry["fullUrl"]: target for entry, target in zip(entries, targets, strict=True) if "fullUrl" in entry
        }
        answers = []
        for entry, target in zip(entries, targets, strict=True):
            resource = _resolved(entry["resource"], places, self)
            kind, resource_id = target.split("/")
            request = entry["request"]
            exists = resource_id in self._resources.get(kind, {})
            if request["method"] == "POST" and exists and request.get("ifNoneExist"):
                stored = self.read(kind, resource_id)
            else:
                stored = self.put({**resource, "id": resource_id}, if_match=request.get("ifMatch"))
            answers.append(
                {
                    "fullUrl": entry.get("fullUrl"),
                    "response": {
                        "status": "200 OK" if exists else "201 Created",
                        "location": f"{kind}/{resource_id}/_history/{stored['meta']['versionId']}",
                        "etag": f'W/"{stored["meta"]["versionId"]}"',
                    },
                }
            )
        return answers

    def _place(self, entry: Json) -> str:
        """Where the entry's resource is or will be: the match of its condition, its own id, or a new one."""
        request, kind = entry["request"], entry["resource"]["resourceType"]
        _, _, query = request["url"].partition("?")
        condition = request.get("ifNoneExist") or query
        if condition:
            found = self.search(kind, parse_query(condition))
            if len(found) > 1:
                raise NotPossible(412, "several resources meet the condition")
            if found:
                return f"{kind}/{found[0]['id']}"
        elif request["method"] == "PUT":
            return str(request["url"])
        return f"{kind}/{uuid.uuid4().hex}"


def parse_query(query: str) -> list[tuple[str, str]]:
    """Parse a FHIR search as it stands in a condition."""
    from urllib.parse import parse_qsl  # noqa: PLC0415 - used by conditions only

    return parse_qsl(query.partition("?")[2] or query)


def _resolved(value: Any, places: dict[str, str], store: RecordStore) -> Any:
    """Replace references to entries and conditional references by the place of what they mean."""
    if isinstance(value, list):
        return [_resolved(each, places, store) for each in value]
    if not isinstance(value, dict):
        return value
    resolved = {name: _resolved(each, places, store) for name, each in value.items()}
    reference = resolved.get("reference")
    if isinstance(reference, str):
        if reference in places:
            resolved["reference"] = places[reference]
        elif "?" in reference:
            kind, _, query = reference.partition("?")
            found = store.search(kind, parse_query(query))
            if len(found) != 1:
                raise NotPossible(412, f"a conditional reference to {kind} meets {len(found)} resources")
            resolved["reference"] = f"{kind}/{found[0]['id']}"
    return resolved


def _meets(resource: Json, parameters: list[tuple[str, str]]) -> bool:
    # What is not in the table (_count, _sort, ...) is let through, as a lenient server does.
    return all(_MEETS.get(name.partition(":")[0], _anything)(resource, value) for name, value in parameters)


def _anything(_: Json, __: str) -> bool:
    return True


def _meets_identifier(resource: Json, value: str) -> bool:
    identifiers = resource.get("identifier", [])
    identifiers = identifiers if isinstance(identifiers, list) else [identifiers]
    tokens = [part.replace("\\|", "\x00") for part in re.split(r"(?<!\\),", value)]
    return any(_token(token, each.get("system"), each.get("value")) for token in tokens for each in identifiers)


def _meets_subject(resource: Json, value: str) -> bool:
    subject = next((resource[key]["reference"] for key in _SUBJECTS if key in resource), "")
    return subject in (value, f"Patient/{value}")


def _meets_code(resource: Json, value: str) -> bool:
    codings = resource.get("code", {}).get("coding", [])
    return any(_token(part, each.get("system"), each.get("code")) for part in value.split(",") for each in codings)


def _meets_update(resource: Json, value: str) -> bool:
    updated, wanted = _moment(resource["meta"]["lastUpdated"]), _moment(value[2:])
    return updated > wanted if value.startswith("gt") else updated >= wanted


_MEETS: dict[str, Callable[[Json, str], bool]] = {
    "_id": lambda resource, value: bool(resource["id"] == value),
    "identifier": _meets_identifier,
    "patient": _meets_subject,
    "subject": _meets_subject,
    "code": _meets_code,
    "status": lambda resource, value: resource.get("status") in value.split(","),
    "_lastUpdated": _meets_update,
}


def _token(token: str, system: str | None, value: str | None) -> bool:
    wanted_system, bar, wanted_value = token.rpartition("|")
    wanted_value = wanted_value.replace("\x00", "|")
    return value == wanted_value and (not bar or wanted_system == (system or ""))


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00").replace(" ", "+"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
