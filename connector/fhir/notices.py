"""Reads what a subscription's notices say of themselves: of which kind, and by their numbers whether one was lost."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from connector.fhir.resource import items, members
from connector.ports import Memory

HEARD_NOTE = "ehr_heard"
State = dict[str, Any]  # without_gap, beyond, at: see `Heard.state`
_SILENT_KINDS = ("handshake", "heartbeat")
_MOST_BEYOND = 100


def notice_of(body: bytes) -> Mapping[str, Any] | None:
    """
    Kind, number of events so far and numbers told, of a notice of the R5 backport; None for any other body.

    R4 has the status as Parameters, R4B as SubscriptionStatus; names come in kebab and in camel case.
    """
    try:
        bundle = json.loads(body)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        return None
    entries = members(bundle, "entry") if isinstance(bundle, dict) else []
    return status_of(items(entries[0], "resource")) if entries else None


def status_of(status: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The same of a status resource by itself, as `$status` gives it."""
    if status.get("resourceType") == "SubscriptionStatus":
        told = [_number(event.get("eventNumber")) for event in members(status, "notificationEvent")]
        total = _number(status.get("eventsSinceSubscriptionStart"))
        return {"kind": status.get("type"), "status": status.get("status"), "total": total, "numbers": told}
    if status.get("resourceType") != "Parameters":
        return None
    given = {_plain(one.get("name")): one for one in members(status, "parameter")}
    if "eventssincesubscriptionstart" not in given:
        return None
    events = [one for one in members(status, "parameter") if _plain(one.get("name")) == "notificationevent"]
    parts = [part for event in events for part in members(event, "part") if _plain(part.get("name")) == "eventnumber"]
    return {
        "kind": _value(given.get("type", {})),
        "status": _value(given.get("status", {})),
        "total": _number(_value(given["eventssincesubscriptionstart"])),
        "numbers": [_number(_value(part)) for part in parts],
    }


class Heard:
    """How far the notices have been heard without a gap; shared by all workers through the memory."""

    def __init__(self, memory: Memory, *, now: Callable[[], float] = time.time) -> None:
        self._memory = memory
        self._now = now

    def notice(self, body: bytes) -> bool:
        """Take a notice; tells whether there may be news. Repeated, reordered and simultaneous ones do no harm."""
        notice = notice_of(body)
        if notice is None:
            return True  # empty, or the resource: all it says is "look"

        def with_it(heard: State) -> State:
            beyond = {*heard["beyond"], *(number for number in notice["numbers"] if number > heard["without_gap"])}
            without_gap = heard["without_gap"]
            while without_gap + 1 in beyond:
                without_gap += 1
            kept = sorted(number for number in beyond if number > without_gap)[-_MOST_BEYOND:]
            return {"without_gap": without_gap, "beyond": kept, "at": self._now()}

        heard = self._change(with_it)
        return notice["kind"] not in _SILENT_KINDS or bool(
            notice["total"] > max([heard["without_gap"], *heard["beyond"]])
        )

    def state(self) -> State:
        """The number up to which every event was heard, those beyond a gap, and when we last heard."""
        return _state(self._memory.recall(HEARD_NOTE))

    def missed(self, total: int) -> int:
        """How many of the server's events were not heard; from now on they count as looked for."""
        missed = 0

        def looked_for(heard: State) -> State:
            nonlocal missed
            missed = total - int(heard["without_gap"]) - len([one for one in heard["beyond"] if one <= total])
            # A counter that went back was begun anew by the server.
            is_as_told = not missed and total >= heard["without_gap"]
            return heard if is_as_told else {**heard, "without_gap": total, "beyond": []}

        self._change(looked_for)
        return max(0, missed)

    def begun(self) -> None:
        """A new subscription counts from nothing, and has until its next heartbeat to be heard."""
        self._change(lambda _: {"without_gap": 0, "beyond": [], "at": self._now()})

    def waiting(self) -> None:
        """Give a subscription that was silent until its next heartbeat to be heard."""
        self._change(lambda heard: {**heard, "at": self._now()})

    def _change(self, change: Callable[[State], State]) -> State:
        """Change what was heard in one step, whichever processes hear notices at this moment."""
        while True:
            kept = self._memory.recall(HEARD_NOTE)
            heard = change(_state(kept))
            if self._memory.swap(HEARD_NOTE, kept, json.dumps(heard)):
                return heard


def _state(kept: str | None) -> State:
    return json.loads(kept) if kept else {"without_gap": 0, "beyond": [], "at": 0.0}


def _plain(name: object) -> str:
    return str(name).replace("-", "").casefold()


def _value(parameter: Mapping[str, Any]) -> Any:
    return next((value for name, value in parameter.items() if name.startswith("value")), None)


def _number(value: object) -> int:
    try:
        return max(0, int(str(value)))
    except ValueError:
        return 0
