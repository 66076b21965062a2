"""What a person decides: once, under a name, with a reason; the second one to act is told who was faster."""

import json
import re

import pytest
import sqlalchemy as sa
from console_case import Desk, Files, form_of, set_aside
from ledger_case import assessment, complete_quiet, document, receipt

from connector.console.wording import short_ref
from connector.contract.assessment import render
from connector.contract.reading import dumps
from connector.core.case import Identifier, PatientIdentity
from connector.core.errors import BadCase
from connector.flow import RELEASE_HINT
from connector.ports import COMMITMENT_ASKED
from connector.store import tables as t
from connector.store.acts import BY_HAND, KEPT, REJECT, RELEASE, REPLAY, RESTORE, Act
from connector.store.desk import Desk as LedgersDesk
from connector.store.promises import Promise, Promises

CONTRADICTS = f"the patient of the images and of the record contradict in sex: {RELEASE_HINT}"


def _place(case_ref: str, study: str, act: str) -> str:
    return f"/cases/{case_ref}/studies/{short_ref(study)}/{act}"


def _send(client, place: str, reason: str = "compared on the phone", **changed: str):
    fields = form_of(client.get(place).text) | {"reason": reason} | changed
    return client.post(place, data=fields), fields


def test_release_confirms_the_identity_and_asks_for_the_assessment(desk: Desk) -> None:
    case_ref = set_aside(desk.bench, "1.2.3", CONTRADICTS)
    answer, _ = _send(desk.browser("clara"), _place(case_ref, "1.2.3", "release"))
    assert (answer.status_code, answer.headers["location"]) == (303, f"/cases/{case_ref}?done=release")
    study = desk.bench.ledger.study("1.2.3")
    assert study.identity_released
    (told,) = desk.events("identity_released")
    assert (told["actor"], told["detail"], told["case_ref"]) == ("clara", "compared on the phone", case_ref)


def test_a_form_sent_twice_acts_once_and_answers_the_same(desk: Desk) -> None:
    case_ref = set_aside(desk.bench, "1.2.3", CONTRADICTS)
    client, place = desk.browser("clara"), _place(case_ref, "1.2.3", "release")
    first, fields = _send(client, place)
    second = client.post(place, data=fields)
    assert (first.status_code, second.status_code) == (303, 303)
    assert len(desk.events("identity_released")) == 1


def test_the_second_person_is_told_who_was_faster_and_changes_nothing(desk: Desk) -> None:
    case_ref = set_aside(desk.bench, "1.2.3", CONTRADICTS)
    place = _place(case_ref, "1.2.3", "release")
    one, other = desk.browser("clara"), desk.browser("olga")
    fields = form_of(other.get(place).text) | {"reason": "also compared"}
    _send(one, place)
    answer = other.post(place, data=fields)
    assert answer.status_code == 409
    assert "clara released it" in answer.text
    assert len(desk.events("identity_released")) == 1


def test_a_page_that_is_older_than_the_last_change_decides_nothing(desk: Desk) -> None:
    case_ref = set_aside(desk.bench, "1.2.3", CONTRADICTS)
    client, place = desk.browser("clara"), _place(case_ref, "1.2.3", "release")
    answer, _ = _send(client, place, seen="set_aside@1.000000")
    assert answer.status_code == 409
    assert not desk.bench.ledger.study("1.2.3").identity_released


@pytest.mark.parametrize(("reason", "why"), [("", "none"), (" x ", "one letter"), ("y" * 501, "too long")])
def test_a_decision_needs_a_reason(desk: Desk, reason, why) -> None:
    case_ref = set_aside(desk.bench, "1.2.3", CONTRADICTS)
    answer, _ = _send(desk.browser("clara"), _place(case_ref, "1.2.3", "release"), reason)
    assert answer.status_code == 422, why
    assert desk.events("identity_released") == []


@pytest.mark.parametrize(
    ("who", "act", "status"),
    [("olga", "replay", 303), ("clara", "replay", 403), ("clara", "reject", 303), ("phil", "complete", 403)],
)
def test_who_may_decide_what(desk: Desk, who, act, status) -> None:
    case_ref = set_aside(desk.bench, "1.2.3", "cannot be read")
    client, place = desk.browser(who), _place(case_ref, "1.2.3", act)
    page = client.get(place)
    assert page.status_code == (200 if status == 303 else 403)
    if status == 303:
        assert client.post(place, data=form_of(page.text) | {"reason": "as agreed"}).status_code == 303


def test_a_wrong_patients_study_stays_out_and_the_others_are_judged_again(desk: Desk) -> None:
    bench = desk.bench
    bench.inbox.receive(receipt("1.9.1", study="1.9", date="20260201"))
    bench.ledger.complete_study("1.9", "test")
    case_ref = set_aside(bench, "1.2.3", CONTRADICTS)
    for job, _ in bench.ledger.jobs.take_due():
        lease = bench.ledger.jobs.claim(job)
        if lease:
            with bench.ledger.transaction() as connection:
                bench.ledger.jobs.done(connection, lease)
    act = Act(REJECT, "1.2.3", "olga", "scanned under another ID", "key-1")
    assert desk.site.acts.act(act).done
    assert bench.ledger.study("1.2.3").is_rejected
    assert bench.ledger.study("1.9").prior_paths == (), "what is left is compared without it"
    assert [bench.ledger.jobs.claim(job).ref for job, _ in bench.ledger.jobs.take_due()] == ["1.9"]

    bench.inbox.receive(receipt("1.2.3.2", study="1.2.3"))
    bench.clock.seconds += 3600
    complete_quiet(bench, 1)
    assert bench.ledger.study("1.2.3").is_rejected, "a late image does not bring it back"
    assert not bench.ledger.complete_study("1.2.3", "command")
    assert not desk.site.acts.act(Act(RELEASE, "1.2.3", "clara", "mistaken", "key-2")).done
    assert desk.site.worklist.case(case_ref)["studies"][1]["state"] == "wrong_patient"

    assert desk.site.acts.act(Act(RESTORE, "1.2.3", "olga", "it was right after all", "key-3")).done
    assert not bench.ledger.study("1.2.3").is_rejected
    assert len(bench.ledger.study("1.9").prior_paths) == 2


def test_what_was_not_yet_sent_of_a_wrong_patient_is_never_sent(desk: Desk) -> None:
    bench = desk.bench
    case_ref = set_aside(bench, "1.2.3", "x")
    with bench.ledger.transaction() as connection:
        bench.ledger.save(connection, assessment(case_ref, "1.2.3", "d"), {}, [document("2.25.1"), document("2.25.2")])
    sent = next(bench.ledger.jobs.claim(job) for job, kind in bench.ledger.jobs.take_due() if kind == "deliver")
    with bench.ledger.transaction() as connection:
        bench.ledger.delivered(connection, sent, "")
    page = desk.browser("olga").get(_place(case_ref, "1.2.3", "reject"))
    assert "Delivered before" in page.text, "the person is told what will be taken back, and where"
    assert desk.site.acts.act(Act(REJECT, "1.2.3", "olga", "wrong", "k")).done
    bench.clock.seconds += 3600
    assert [kind for _, kind in bench.ledger.jobs.take_due()] == ["withdraw"], "what was sent is taken back"
    rows = desk.site.worklist.documents(case_ref)
    assert sorted((row["note"] or "")[:8] for row in rows) == ["", "not sent"]
    assert bench.ledger.is_rejected("1.2.3")


def test_the_name_above_an_assessment_is_that_of_its_own_images(desk: Desk, monkeypatch) -> None:
    """A newer study waits because it names somebody else: that name must not stand above the earlier assessment."""
    people = {"1.2.3": "Testerin", "1.2.4": "Fremde"}
    monkeypatch.setattr(
        Files, "identity", lambda _, uid: PatientIdentity((Identifier("P1", "TEST"),), people[uid], "Tilda", None, "F")
    )
    bench = desk.bench
    case_ref = set_aside(bench, "1.2.3", "x")
    made = assessment(case_ref, "1.2.3", "d")
    with bench.ledger.transaction() as connection:
        bench.ledger.save(connection, made, json.loads(dumps(render(made))), [])
    set_aside(bench, "1.2.4", RELEASE_HINT)
    page = desk.browser("clara").get(f"/cases/{case_ref}").text
    (banner,) = re.findall(r'<section class="identity".*?</section>', page, re.DOTALL)
    assert ("Testerin" in banner, "Fremde" in banner) == (True, False)
    assert "Fremde" in page.split("Whose images are these?")[1], "where images and record are compared"
    row = desk.browser("clara").get("/").text
    assert ("Testerin" in row, "Fremde" in row) == (True, False), "nor beside what was found and proposed"
    studies = desk.browser("clara").get("/?view=studies").text
    assert ("Testerin" in studies, "Fremde" in studies) == (True, True), "each study has its own name"


def test_an_assessment_of_a_wrong_patients_images_says_so_under_that_name(desk: Desk, monkeypatch) -> None:
    """It can still be opened by its address; the page shown without one is that of the patient's own images."""
    people = {"1.2.3": "Testerin", "1.2.4": "Fremde"}
    monkeypatch.setattr(
        Files, "identity", lambda _, uid: PatientIdentity((Identifier("P1", "TEST"),), people[uid], "Tilda", None, "F")
    )
    bench = desk.bench
    case_ref = set_aside(bench, "1.2.3", "x")
    set_aside(bench, "1.2.4", "x")
    for study in people:
        bench.clock.seconds += 1
        with bench.ledger.transaction() as connection:
            bench.ledger.save(connection, assessment(case_ref, study, study), {}, [])
    found = {one["study_instance_uid"]: one["id"] for one in desk.site.worklist.case(case_ref)["assessments"]}
    assert desk.site.acts.act(Act(REJECT, "1.2.4", "olga", "another's", "k")).done
    client = desk.browser("clara")
    own = client.get(f"/cases/{case_ref}").text
    assert ("Testerin" in own, "Fremde" in own, "do not use it" in own) == (True, False, False)
    other = client.get(f"/cases/{case_ref}?assessment={found['1.2.4']}").text
    assert ("Testerin" in other, "Fremde" in other, "do not use it" in other) == (False, True, True)


def _parked(desk: Desk) -> tuple[str, str, str]:
    """A delivery that waits for a person: its case, its job and its document."""
    bench = desk.bench
    case_ref = set_aside(bench, "1.2.3", "x")
    with bench.ledger.transaction() as connection:
        (job,) = bench.ledger.save(connection, assessment(case_ref, "1.2.3", "d"), {}, [document("2.25.1")])
    lease = bench.ledger.jobs.claim(job)
    with bench.ledger.transaction() as connection:
        bench.ledger.jobs.stop(connection, lease, state="parked", reason="the PACS refused it")
    return case_ref, job, lease.ref


def test_what_a_person_did_by_hand_is_not_tried_again_and_stands_in_the_logbook(desk: Desk) -> None:
    case_ref, job, document_id = _parked(desk)
    client = desk.browser("olga")
    assert f"/steps/{job}/by_hand" in client.get("/steps").text
    answer, fields = _send(client, f"/steps/{job}/by_hand", "sent by the PACS desk, ticket 4711")
    assert (answer.status_code, answer.headers["location"]) == (303, "/steps?done=by_hand")
    assert "it is not tried again" in client.get(answer.headers["location"]).text
    (told,) = desk.events("done_by_hand")
    said = (told["actor"], told["detail"], told["ref"], told["case_ref"])
    assert said == ("olga", "sent by the PACS desk, ticket 4711", document_id, case_ref)
    (row,) = desk.site.worklist.documents(case_ref)
    assert (row["note"], row["delivered_at"]) == ("done by hand, says olga", None), "it did not arrive by us"
    desk.bench.clock.seconds += 60
    assert desk.bench.ledger.jobs.take_due() == []
    assert client.post(f"/steps/{job}/by_hand", data=fields).status_code == 303, "sent twice, done once"
    assert len(desk.events("done_by_hand")) == 1
    assert desk.site.acts.act(Act(REPLAY, job, "olga", "again", "k")).text.startswith("Nothing was done: olga said")


@pytest.mark.parametrize(("who", "status"), [("olga", 200), ("clara", 403)])
def test_that_it_was_done_by_hand_is_said_by_an_operator(desk: Desk, who: str, status: int) -> None:
    _, job, _ = _parked(desk)
    assert desk.browser(who).get(f"/steps/{job}/by_hand").status_code == status


def test_an_assessment_cannot_be_done_by_hand(desk: Desk) -> None:
    case_ref = set_aside(desk.bench, "1.2.3", "x")
    (job,) = [one["id"] for one in desk.site.worklist.stopped()]
    assert not desk.site.acts.act(Act(BY_HAND, job, "olga", "done", "k")).done
    assert f"/steps/{job}/by_hand" not in desk.browser("olga").get("/steps").text
    assert desk.browser("olga").get(_place(case_ref, "1.2.3", "by_hand")).status_code == 404


def test_the_command_ends_what_is_parked_under_an_id_and_nothing_else(desk: Desk) -> None:
    _, _, document_id = _parked(desk)
    ledgers_desk = LedgersDesk(desk.bench.ledger, now=desk.bench.clock)
    with pytest.raises(BadCase, match="nothing parked that can be done elsewhere"):
        ledgers_desk.done_by_hand("1.2.3", by="otto", because="done")
    assert ledgers_desk.done_by_hand(document_id, by="otto", because="done, ticket 4711") == 1
    assert [one["actor"] for one in desk.events("done_by_hand")] == ["otto"]


def test_a_sender_that_was_not_told_what_is_kept_is_a_stopped_step_that_an_operator_ends(desk: Desk) -> None:
    ledger = desk.bench.ledger
    Promises(ledger).keep(Promise("CT1", "1.9", (("1.2", "1.3"),)))
    with desk.bench.engine.begin() as connection:
        connection.execute(sa.update(t.job).values(state="parked", reason="CT1 does not take the result (0112H)"))
    client = desk.browser("olga")
    page = client.get("/steps").text
    assert "Tell a sender what is kept of its images" in page
    assert "CT1 does not take the result (0112H)" in page
    (job,) = [one["id"] for one in desk.site.worklist.stopped()]
    answer, _ = _send(client, f"/steps/{job}/by_hand", "the scanner asked anew")
    assert answer.status_code == 303
    assert [one["actor"] for one in desk.events("done_by_hand")] == ["olga"]
    with desk.bench.engine.connect() as connection:
        assert connection.execute(sa.select(t.promise)).all() == []


def _unanswered(desk: Desk) -> tuple[str, str]:
    """A report that the PACS took eight days ago and never answered for; its case and step."""
    case_ref, job, _ = _parked(desk)
    with desk.bench.engine.begin() as connection:
        connection.execute(sa.update(t.job).where(t.job.c.id == job).values(state="done", reason=None))
        taken = {"note": COMMITMENT_ASKED, "delivered_at": desk.bench.clock() - 8 * 86400, "destination": "pacs"}
        connection.execute(sa.update(t.document).values(taken))
    return case_ref, job


@pytest.mark.parametrize(
    ("act", "event", "left"), [("kept", "committed", "done"), ("replay", "replayed", "due")], ids=["kept", "again"]
)
def test_what_the_pacs_never_answered_for_is_listed_and_decided_about(
    desk: Desk, act: str, event: str, left: str
) -> None:
    _, job = _unanswered(desk)
    client = desk.browser("olga")
    page = client.get("/steps").text
    assert "the PACS never said that it keeps them: 1" in page
    assert f'href="/steps/{job}/{act}"' in page
    assert "The PACS never said whether it keeps it" in client.get(f"/steps/{job}/{act}").text
    answer, fields = _send(client, f"/steps/{job}/{act}", "looked with the PACS desk, ticket 4711")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/steps?done={act}")
    (told,) = desk.events(event)
    assert (told["actor"], told["detail"]) == ("olga", "looked with the PACS desk, ticket 4711")
    assert client.post(f"/steps/{job}/{act}", data=fields).status_code == 303, "sent twice, done once"
    assert len(desk.events(event)) == 1
    assert "never said" not in client.get("/steps").text
    with desk.bench.engine.connect() as connection:
        assert connection.execute(sa.select(t.job.c.state).where(t.job.c.id == job)).scalar_one() == left


def test_that_the_pacs_keeps_something_is_said_by_an_operator_and_of_nothing_that_it_answered_for(desk: Desk) -> None:
    _, job, _ = _parked(desk)
    assert not desk.site.acts.act(Act(KEPT, job, "olga", "seen", "k1")).done, "it never arrived"
    with desk.bench.engine.begin() as connection:
        connection.execute(sa.delete(t.document))
    assert desk.browser("clara").get(f"/steps/{job}/kept").status_code == 403


def test_a_delivery_that_waits_for_a_word_of_the_pacs_offers_that_it_is_kept(desk: Desk) -> None:
    _, job, _ = _parked(desk)
    with desk.bench.ledger.transaction() as connection:
        taken = {"note": COMMITMENT_ASKED, "delivered_at": desk.bench.clock(), "destination": "pacs"}
        connection.execute(sa.update(t.document).values(taken))
        desk.bench.ledger.tell(connection, kind="commitment_overdue", ref="2.25.1", detail="", succeeded=False)
    page = desk.browser("olga").get("/steps").text
    assert (f"/steps/{job}/kept" in page, f"/steps/{job}/by_hand" in page) == (True, True)
    answer, _ = _send(desk.browser("olga"), f"/steps/{job}/kept", "seen in the PACS")
    assert answer.status_code == 303
    assert [one["ref"] for one in desk.events("committed")] == ["2.25.1"]
    assert all(one["id"] != job for one in desk.site.worklist.stopped())
