"""Makes and watches a Subscription where the EHR offers one: revived on error and silence, its gaps found and told."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from connector.core.errors import ConnectorError
from connector.fhir.ehr import EhrClient
from connector.fhir.ehr_answers import NotOffered
from connector.fhir.notices import Heard, status_of
from connector.fhir.read_observations import USED_STATUSES
from connector.fhir.receive_hook import SECRET_HEADER
from connector.fhir.resource import Json, items, members, reference_of
from connector.logs import get_logger
from connector.ports import Memory

log = get_logger("ehr")

SUBSCRIPTION_NOTE, _WATCHED_NOTE = "ehr_subscription", "ehr_watched"
HEARTBEAT_SECONDS = 60
SILENT_HEARTBEATS = 3  # after so many that did not come, the subscription is asked for anew
WATCH_SECONDS = 60.0
_ENDPOINT = "fhir/notify/observations"
_BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"
_DEAD = ("error", "off")

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What we subscribe to: Observations that we read, or a topic; where notices go, and the secret they bring."""

    hook_url: str
    secret: str
    topic: str = ""
    heartbeat_seconds: int = HEARTBEAT_SECONDS

    @property
    def endpoint(self) -> str:
        """The address of our hook."""
        return f"{self.hook_url.rstrip('/')}/{_ENDPOINT}"


def subscription(wanted: Wanted) -> Resource:
    """
    The Subscription to ask for; its notices are empty, since what counts is read from the record.

    With a topic it is shaped after Subscriptions R5 Backport 1.1.0, with numbered events and a heartbeat.
    """
    channel: Resource = {
        "type": "rest-hook",
        "endpoint": wanted.endpoint,
        "header": [f"{SECRET_HEADER}: {wanted.secret}"],
    }
    asked: Resource = {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "New results of patients with a study are looked for",
        "criteria": wanted.topic or f"Observation?status={','.join(sorted(USED_STATUSES))}",
        "channel": channel,
    }
    if wanted.topic:
        asked["meta"] = {"profile": [f"{_BACKPORT}/backport-subscription"]}
        channel["extension"] = [
            {"url": f"{_BACKPORT}/backport-heartbeat-period", "valueUnsignedInt": wanted.heartbeat_seconds}
        ]
        channel["payload"] = "application/fhir+json"
        content = {"url": f"{_BACKPORT}/backport-payload-content", "valueCode": "empty"}
        channel["_payload"] = {"extension": [content]}
    return asked


class Watch:
    """Keeps one Subscription alive; whatever happens to it, the sweep finds what it would have told."""

    def __init__(
        self,
        client: EhrClient,
        memory: Memory,
        wanted: Wanted,
        *,
        look_now: Callable[[], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._memory = memory
        self._wanted = wanted
        self._look_now = look_now
        self._now = now
        self._heard = Heard(memory, now=now)
        self._patience_seconds = SILENT_HEARTBEATS * wanted.heartbeat_seconds

    def when_due(self) -> None:
        """Watch once a minute over all workers; a failure is logged and never stops the sweep."""
        if self._now() < float(self._memory.recall(_WATCHED_NOTE) or 0) + WATCH_SECONDS:
            return
        self._memory.remember(_WATCHED_NOTE, str(self._now()))
        try:
            with self._memory.alone(SUBSCRIPTION_NOTE):
                self.once()
        except ConnectorError as fault:
            log.warning("subscription_away", reason=str(fault))

    def once(self) -> str:
        """Make the subscription, or see how it is and do what it needs; its state. Raises TryLater or Refused."""
        if "create" not in self._client.capabilities().interactions.get("Subscription", frozenset()):
            return self._note("not offered", "the EHR offers no Subscription: results are found by looking only")
        held = self._held()
        if held is None:
            return self._make()
        if not _same(held, self._wanted):
            return self._revive(held, "the subscription was not as we asked for it, and was set right")
        if held.get("status") in _DEAD:
            return self._revive(held, f"the subscription was {held['status']} and was asked for again")
        if self._wanted.topic:
            return self._compare(held)
        return self._note(str(held.get("status")), reference=reference_of(held))

    def _held(self) -> Json | None:
        """Ours: by the reference we kept, else by its endpoint, for a ledger that was begun anew."""
        kept = json.loads(self._memory.recall(SUBSCRIPTION_NOTE) or "{}").get("reference")
        if kept:
            try:
                return self._client.read(kept)
            except NotOffered:
                pass  # deleted in the EHR
        offered = self._client.capabilities()
        if not offered.reads("Subscription"):
            return None
        asked = [("url", self._wanted.endpoint)] if offered.searches_by("Subscription", "url") else []
        found = self._client.search("Subscription", asked)
        ours = [one for one in found if items(one, "channel").get("endpoint") == self._wanted.endpoint]
        return min(ours, key=reference_of, default=None)

    def _make(self) -> str:
        made = self._client.create(subscription(self._wanted))
        self._heard.begun()
        self._look_now()
        return self._note("requested", "the EHR was asked for a subscription", reference=reference_of(made))

    def _revive(self, held: Json, told: str) -> str:
        """Ask for it again. What happened meanwhile is never sent, so it is looked for."""
        version = str(items(held, "meta").get("versionId"))
        self._client.update({**subscription(self._wanted), "id": held["id"]}, if_match=version)
        self._heard.waiting()
        self._look_now()
        log.warning("subscription_revived", reason=told)
        return self._note("requested", told, reference=reference_of(held))

    def _compare(self, held: Json) -> str:
        """Compare the server's count with what was heard, and listen for the heartbeat."""
        reference = reference_of(held)
        status = self._asked_status(reference)
        if status is not None and status["status"] in _DEAD:
            return self._revive(held, f"the subscription was {status['status']} and was asked for again")
        missed = self._heard.missed(status["total"]) if status is not None else 0
        if missed:
            self._look_now()
            return self._note("gap", f"{missed} notices did not come, so every record is looked at", reference)
        if held.get("status") == "active" and self._silent():
            return self._revive(held, f"no heartbeat came for {self._patience_seconds} s")
        return self._note(str(held.get("status")), reference=reference)

    def _asked_status(self, reference: str) -> dict[str, Any] | None:
        try:
            answer = self._client.read(f"{reference}/$status")
        except NotOffered:
            return None
        entries = [items(entry, "resource") for entry in members(answer, "entry")]
        found = [status for one in (entries or [answer]) if (status := status_of(one)) is not None]
        return dict(found[0]) if found else None

    def _silent(self) -> bool:
        return bool(self._now() > self._heard.state()["at"] + self._patience_seconds)

    def _note(self, state: str, told: str = "", reference: str = "") -> str:
        note = {"state": state, "reference": reference} if reference else {"state": state}
        self._memory.remember(SUBSCRIPTION_NOTE, json.dumps(note), told=told or f"the subscription is {state}")
        return state


def _same(held: Json, wanted: Wanted) -> bool:
    """Whether the EHR's Subscription is the one we ask for; a server may hide the header with the secret."""
    channel, asked = items(held, "channel"), subscription(wanted)
    headers = channel.get("header")
    return (
        held.get("criteria") == asked["criteria"]
        and channel.get("endpoint") == wanted.endpoint
        and headers in (None, asked["channel"]["header"])
    )
