"""A Subscription is made, watched and revived; notices are counted, and what did not come is looked for."""

import json

import pytest
from judge_fhir import findings

from connector.core.errors import TryLater
from connector.fhir.capabilities import read_capabilities
from connector.fhir.ehr_answers import NotOffered
from connector.fhir.memory import ProcessMemory
from connector.fhir.notices import Heard, notice_of
from connector.fhir.subscribe import SUBSCRIPTION_NOTE, Wanted, Watch, subscription

TOPIC = "http://ehr.test/SubscriptionTopic/observation"
PLAIN = Wanted("https://connector.test/", "s3cret")
BY_TOPIC = Wanted("https://connector.test", "s3cret", TOPIC)


def notice(kind, total, *numbers, camel=False, r5=False):
    """A notification Bundle as servers send it: R4 Parameters in kebab or camel case, or R4B's SubscriptionStatus."""
    if r5:
        events = [{"eventNumber": str(one)} for one in numbers]
        status = {"resourceType": "SubscriptionStatus", "type": kind, "status": "active",
                  "eventsSinceSubscriptionStart": str(total), "notificationEvent": events}  # fmt: skip
    else:
        since, event, number = ("events-since-subscription-start", "notification-event", "event-number")
        if camel:
            since, event, number = "eventsSinceSubscriptionStart", "notificationEvent", "eventNumber"
        told = [{"name": event, "part": [{"name": number, "valueString": str(one)}]} for one in numbers]
        status = {"resourceType": "Parameters", "parameter": [
            {"name": "type", "valueCode": kind}, {"name": "status", "valueCode": "active"},
            {"name": since, "valueString": str(total)}, *told]}  # fmt: skip
    return json.dumps({"resourceType": "Bundle", "type": "history", "entry": [{"resource": status}]}).encode()


@pytest.mark.parametrize("form", [{}, {"camel": True}, {"r5": True}])
def test_a_notice_is_read_in_every_form(form):
    assert notice_of(notice("event-notification", 7, 6, 7, **form)) == {
        "kind": "event-notification", "status": "active", "total": 7, "numbers": [6, 7],
    }  # fmt: skip


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b'{"entry": 3}', b'{"resourceType": "Observation"}',
                                  b'{"entry": [{"resource": {"resourceType": "Parameters"}}]}'])  # fmt: skip
def test_any_other_body_says_look(body):
    assert notice_of(body) is None
    assert Heard(ProcessMemory()).notice(body)


@pytest.mark.parametrize(
    ("heard", "total", "missed", "why"),
    [
        ((1, 2, 3), 3, 0, "each came"),
        ((3, 1, 2), 3, 0, "in another order"),
        ((1, 1, 2, 2, 3), 3, 0, "each twice"),
        ((1, 3), 3, 1, "the second did not come"),
        ((), 4, 4, "none came"),
        ((1, 2, 3), 5, 2, "the last two did not come"),
        ((1, 2, 3), 0, 0, "the server began to count anew"),
    ],
)
def test_gaps_are_found_by_the_numbers_and_told_once(heard, total, missed, why):
    listening = Heard(ProcessMemory())
    for number in heard:
        listening.notice(notice("event-notification", number, number))
    assert listening.missed(total) == missed, why
    assert listening.missed(total) == 0


@pytest.mark.parametrize(
    ("body", "is_hint"),
    [(notice("handshake", 0), False), (notice("heartbeat", 0), False), (notice("heartbeat", 2), True),
     (notice("event-notification", 1, 1), True)],
    ids=["handshake", "heartbeat", "heartbeat that counts events we did not hear", "event"],
)  # fmt: skip
def test_a_heartbeat_is_no_news(body, is_hint):
    assert Heard(ProcessMemory()).notice(body) is is_hint


@pytest.mark.parametrize("wanted", [PLAIN, BY_TOPIC])
def test_what_is_asked_for_is_clean_and_brings_no_patient(wanted):
    asked = subscription(wanted)
    # The judges know no extension's value and no `_payload`: fhirkit judges the shape of both.
    told = [one for one in findings(asked) if "ext-1" not in one and "channel._payload" not in one]
    assert told == []
    assert asked["channel"]["endpoint"] == "https://connector.test/fhir/notify/observations"
    assert asked["channel"]["header"] == ["X-Connector-Secret: s3cret"]
    assert "payload" not in asked["channel"] or asked["channel"]["_payload"]["extension"][0]["valueCode"] == "empty"


class Ehr:
    """Offers Subscriptions, and holds what was asked for."""

    def __init__(self, *, offers=True, status=None):
        self.offers, self.status, self.held, self.made = offers, status, {}, 0

    def capabilities(self):
        codes = ("create", "read", "update", "search-type") if self.offers else ("read",)
        kind = {"type": "Subscription", "interaction": [{"code": code} for code in codes]}
        rest = [{"mode": "server", "resource": [kind]}]
        return read_capabilities({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": rest})

    def create(self, resource):
        self.made += 1
        return self._put(resource, f"s{self.made}", 1)

    def update(self, resource, *, if_match):
        assert if_match == self.held[resource["id"]]["meta"]["versionId"]
        return self._put(resource, resource["id"], int(if_match) + 1)

    def read(self, reference):
        if reference.endswith("/$status"):
            if self.status is None:
                raise NotOffered("no $status", 404)
            return json.loads(notice("query-status", self.status))
        if reference.split("/")[1] not in self.held:
            raise NotOffered("gone", 410)
        return self.held[reference.split("/")[1]]

    def search(self, kind, parameters):
        assert (kind, parameters) == ("Subscription", [])
        return list(self.held.values())

    def _put(self, resource, uid, version):
        active = {**resource, "id": uid, "status": "active", "meta": {"versionId": str(version)}}
        self.held[uid] = active
        return active


@pytest.fixture
def watched():
    class Bench:
        clock = 1000.0
        looks = 0

        def make(self, ehr, wanted=PLAIN, memory=None):
            self.ehr, self.memory = ehr, memory or ProcessMemory()
            return Watch(ehr, self.memory, wanted, look_now=self._look, now=lambda: self.clock)

        def _look(self):
            self.looks += 1

        def state(self):
            return json.loads(self.memory.recall(SUBSCRIPTION_NOTE))["state"]

    return Bench()


def test_one_subscription_is_made_and_then_left_alone(watched):
    watch = watched.make(Ehr())
    assert [watch.once() for _ in range(3)] == ["requested", "active", "active"]
    assert watched.ehr.made == 1
    assert watched.looks == 1, "what happened before it is looked for"


def test_a_server_without_subscriptions_is_said_to_have_none(watched):
    assert watched.make(Ehr(offers=False)).once() == "not offered"
    assert watched.ehr.held == {}


@pytest.mark.parametrize("status", ["error", "off"])
def test_a_dead_subscription_is_asked_for_again_and_what_was_missed_is_looked_for(watched, status):
    watch = watched.make(Ehr())
    watch.once()
    watched.ehr.held["s1"] |= {"status": status, "error": "Delivery failed"}
    assert watch.once() == "requested"
    assert "error" not in watched.ehr.held["s1"]
    assert (watched.ehr.made, watched.looks) == (1, 2)


def test_one_that_was_deleted_is_made_anew(watched):
    watch = watched.make(Ehr())
    watch.once()
    watched.ehr.held.clear()
    assert watch.once() == "requested"
    assert list(watched.ehr.held) == ["s2"]


def test_a_ledger_that_was_begun_anew_finds_the_one_there_is(watched):
    ehr = Ehr()
    watched.make(ehr).once()
    assert watched.make(ehr).once() == "active"
    assert ehr.made == 1


def test_one_that_says_something_else_is_set_right(watched):
    watched.make(Ehr(), Wanted("https://connector.test", "old")).once()
    watch = watched.make(watched.ehr, PLAIN, watched.memory)
    assert watch.once() == "requested"
    assert watched.ehr.held["s1"]["channel"]["header"] == ["X-Connector-Secret: s3cret"]


def test_events_that_the_server_counts_and_we_did_not_hear_are_looked_for_once(watched):
    watch = watched.make(Ehr(status=2), BY_TOPIC)
    assert [watch.once() for _ in range(3)] == ["requested", "gap", "active"]
    assert watched.looks == 2


def test_a_heartbeat_that_does_not_come_makes_us_ask_again(watched):
    watch = watched.make(Ehr(status=0), BY_TOPIC)
    watch.once()
    watched.clock += 180
    assert watch.once() == "active", "just in time"
    watched.clock += 1
    assert watch.once() == "requested"
    Heard(watched.memory, now=lambda: watched.clock).notice(notice("heartbeat", 0))
    watched.clock += 180
    assert watch.once() == "active"


def test_it_is_watched_once_a_minute_and_a_failure_stops_nothing(watched):
    class Away(Ehr):
        asked = 0

        def capabilities(self):
            self.asked += 1
            raise TryLater("the EHR is busy")

    watch = watched.make(Away())
    watch.when_due()
    watch.when_due()
    assert watched.ehr.asked == 1
    watched.clock += 60
    watch.when_due()
    assert watched.ehr.asked == 2
