"""The ledger's promises on a real PostgreSQL: claims under contention, and every migration forwards and back."""

import copy
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from backup_case import filled, paths
from ledger_case import Bench, assessment, complete_quiet, document, make_bench, receipt, received_together
from state_peers import postgres_server
from step_case import order

from connector.core.errors import BadCase, ImpossibleInput
from connector.dicom.receive_commitment import Request
from connector.dicom.workitems import Workitems
from connector.orders import Orders
from connector.ports import COMMITMENT_ASKED, ProcedureStep, ReceiptOutcome
from connector.reporting import Reporting
from connector.store import tables as t
from connector.store.acts import REJECT, REPLAY, Act, Acts, Done
from connector.store.backup import Place, back_up, restore
from connector.store.cards import CardShelf
from connector.store.commitments import ANSWER_SECONDS, OLDEST_SECONDS, Commitments
from connector.store.desk import Desk
from connector.store.engine import migrate
from connector.store.erase import Eraser
from connector.store.promises import Promise, Promises
from connector.store.worklist import Wanted, Worklist


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres_server(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture
def bench(url: str, tmp_path: Path) -> Iterator[Bench]:
    migrate(url, "base")
    made = make_bench(url, tmp_path)
    yield made
    made.inbox.close()
    made.engine.dispose()


def test_migrations_run_forwards_and_back(url: str) -> None:
    assert migrate(url, "base") == "empty"
    newest = migrate(url)
    assert migrate(url) == newest, "a second start changes nothing"
    assert migrate(url, "base") == "empty"


def test_several_processes_may_migrate_at_once(url: str) -> None:
    migrate(url, "base")
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(lambda _: migrate(url), range(4)))) == 1


def test_receipts_of_one_uid_from_two_listeners_are_one_instance(bench: Bench, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.dcm" for number in range(8)]
    for file in files:
        file.touch()
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda file: bench.inbox.receive(receipt(path=file)), files))
    assert sorted(outcomes) == [ReceiptOutcome.SAME] * 7 + [ReceiptOutcome.STORED]


def test_one_instance_that_the_ledger_cannot_hold_keeps_no_other_out(bench: Bench) -> None:
    good, bad = receipt("1.2.3.1"), replace(receipt("1.2.3.2"), modality="M" * 17)
    told = received_together(bench.inbox, [good, bad])
    assert told["1.2.3.1"] is ReceiptOutcome.STORED
    assert isinstance(told["1.2.3.2"], ImpossibleInput)
    assert "does not fit the ledger" in str(told["1.2.3.2"])


def test_receipts_after_a_database_was_started_anew_are_taken_at_once(
    url: str, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection that a burst holds on to is of the server before."""
    monkeypatch.setattr("connector.batches._IDLE_SECONDS", 60.0)
    bench.inbox.receive(receipt("1.2.3.1"))
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        ended = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        assert connection.execute(sa.text(f"{ended} AND datname = current_database()")).scalar_one() > 0
    engine.dispose()
    assert bench.inbox.receive(receipt("1.2.3.2")) is ReceiptOutcome.STORED
    assert len(bench.rows(t.instance)) == 2


def test_a_nul_from_outside_is_written_out(bench: Bench) -> None:
    step = ProcedureStep("1.2.9", "ups", "SCHEDULED", "1.2.3", "{}", (), "RIS\0")
    assert bench.steps.create(step)
    assert bench.steps.get("1.2.9").owner == "RIS\\x00"


def test_an_order_is_begun_over_a_study_that_came(bench: Bench) -> None:
    workitems = Workitems(bench.steps)
    bench.inbox.receive(receipt())
    workitems.create("1.2.50", order(), owner="RIS")
    Orders(bench.ledger, workitems, retrieve_ae_title="PACS").advance()
    assert workitems.get("1.2.50").ProcedureStepState == "IN PROGRESS"
    with bench.inbox.expecting(["1.2.3"]):
        assert bench.inbox.is_expected(["1.2.3", "1.2.4"])
    assert not bench.inbox.is_expected(["1.2.3"])


def test_of_one_patients_plans_only_one_is_claimed_under_contention(bench: Bench) -> None:
    for digest in map(str, range(6)):
        with bench.ledger.transaction() as connection:
            bench.ledger.save(connection, assessment("c", "1.2.3", digest), {}, [document(digest, destination="ehr")])
    with bench.engine.connect() as connection:
        jobs = list(connection.execute(sa.select(t.job.c.id)).scalars())
    with ThreadPoolExecutor(12) as pool:
        leases = [lease for lease in pool.map(bench.ledger.jobs.claim, jobs * 4) if lease]
    assert len(leases) == 1


def test_a_study_completes_and_its_status_is_told(bench: Bench) -> None:
    bench.inbox.receive(receipt())
    bench.clock.seconds += 31
    assert complete_quiet(bench, 30) == 1
    status = bench.desk.status()
    assert (status["instances"], status["studies"], status["jobs"]) == (1, {"complete": 1}, {"assess.due": 1})


def test_one_forms_key_for_two_studies_at_once_decides_about_one_and_is_told_so(bench: Bench) -> None:
    """Two requests with the same key and other studies: the second finds the first, it does not fail on its key."""
    studies = [f"1.2.{number}" for number in range(8)]
    for study in studies:
        bench.inbox.receive(receipt(f"{study}.1", study=study))
    acts, barrier = Acts(bench.ledger), threading.Barrier(8)

    def decide(study: str) -> Done:
        barrier.wait()
        return acts.act(Act(REJECT, study, by="olga", reason="another patient", key="one form's key"))

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(decide, studies))
    assert sorted(one.done for one in done) == [False] * 7 + [True]
    assert {one.text for one in done if not one.done} == {
        "Nothing was done: this form's key was used for another decision; load the page again and send it anew"
    }


def test_a_promise_being_noted_is_waited_for_before_its_delivery_is(bench: Bench) -> None:
    """Else "commitment asked" would be written over "committed", and the document asked for again every day."""
    sent = document("2.25.1")
    with bench.ledger.transaction() as connection:
        bench.ledger.save(connection, assessment("c", "1.2.3", "d"), {}, [sent])
        connection.execute(sa.update(t.job).values(state="done"))
        connection.execute(sa.update(t.document).values(note=COMMITMENT_ASKED, delivered_at=bench.clock()))
    bench.clock.seconds += ANSWER_SECONDS + 1
    assert Commitments(bench.ledger).ask_overdue() == 1
    asked_at = bench.clock()

    def answered() -> bool:
        with bench.ledger.transaction() as connection:
            return Commitments(bench.ledger).answered(connection, sent, asked_at)

    with ThreadPoolExecutor(1) as pool:
        with bench.ledger.transaction() as connection:
            noting = copy.copy(bench.ledger)
            noting.transaction = lambda: nullcontext(connection)
            Commitments(noting).told([sent.identity], {})
            asking = pool.submit(answered)
            with pytest.raises(TimeoutError):
                asking.result(0.3)
        assert asking.result(10)


@pytest.mark.parametrize("by", ["command", "page"])
def test_a_step_that_ends_while_somebody_replays_it_is_not_done_twice(bench: Bench, by: str) -> None:
    """The PACS's word comes, or another person settles it, between the look at the parked step and the act on it."""
    with bench.ledger.transaction() as connection:
        bench.ledger.save(connection, assessment("c", "1.2.3", "d"), {}, [document("2.25.1")])
        connection.execute(sa.update(t.job).values(state="parked"))
        (job_id,) = connection.execute(sa.select(t.job.c.id)).scalars()

    def replay() -> bool:
        if by == "command":
            return Desk(bench.ledger, now=bench.clock).replay("all") > 0
        return Acts(bench.ledger).act(Act(REPLAY, job_id, by="olga", reason="put right", key="k")).done

    with ThreadPoolExecutor(1) as pool:
        with bench.ledger.transaction() as connection:
            connection.execute(sa.update(t.job).values(state="done"))
            replaying = pool.submit(replay)
            with pytest.raises(TimeoutError):
                replaying.result(1)
        assert not replaying.result(10)
    assert [row.state for row in bench.rows(t.job)] == ["done"]


def test_an_id_is_found_by_its_beginning_in_a_database_of_any_language(url: str, tmp_path: Path) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("CREATE DATABASE lang TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en'"))
    engine.dispose()
    bench = make_bench(sa.make_url(url).set(database="lang").render_as_string(hide_password=False), tmp_path)
    for study in ("1.2.3", "1.20.3", "12.0.3"):
        bench.inbox.receive(receipt(f"{study}.1", study=study))
    for find, expected in (("1.2", {"1.2.3", "1.20.3"}), ("1.2.", {"1.2.3"}), ("12", {"12.0.3"}), ("3.", set())):
        page = Worklist(bench.engine).page(Wanted(view="studies", find=find))
        assert {row["study_instance_uid"] for row in page.rows} == expected, find
    bench.inbox.close()
    bench.engine.dispose()


def test_cards_are_read_and_who_saw_them_is_written_there_too(bench: Bench) -> None:
    """Statements of the door are compiled once and handed to the driver as text: a driver may read text its own way."""
    cards = {about: {"uuid": about, "summary": f"100 % {about}"} for about in ("plan", "TACE", "RFA")}
    with bench.ledger.transaction() as connection:
        shelved = replace(document("cards", destination="cds"), content=json.dumps(cards).encode())
        assert bench.ledger.save(connection, assessment("case", "1.2.3", "d" * 64), {}, [shelved]) == []
        bench.desk.follow(connection, case_ref="case", record_reference="Patient/1")
    shelf = CardShelf(bench.engine)
    for about, expected in (({"plan"}, ["plan"]), ({"TACE", "plan"}, ["plan", "TACE"]), ({"MWA"}, [])):
        assert [json.loads(card.body)["uuid"] for card in shelf.cards("Patient/1", about)] == expected, about
    shelf.note_views(
        [("patient-view", "EHR user\0", ("case", "other")), ("order-select", "him", ("case",))], ["Patient/1"]
    )
    with bench.engine.connect() as connection:
        seen = sa.select(t.event.c.case_ref, t.event.c.actor, t.event.c.detail).order_by(t.event.c.id)
        found = [tuple(row) for row in connection.execute(seen.where(t.event.c.kind == "viewed"))]
    told = [("case", "patient-view"), ("other", "patient-view"), ("case", "order-select")]
    assert [(case, detail) for case, _, detail in found] == [(case, f"card at {hook}") for case, hook in told]
    assert {actor for _, actor, _ in found} == {"EHR user\\x00", "him"}


def test_a_backup_of_postgresql_comes_back_into_an_empty_database(url: str, tmp_path: Path) -> None:
    migrate(url, "base")
    place, bench = filled(tmp_path, url)
    bench.inbox.close()
    bench.engine.dispose()
    back_up(place, tmp_path / "copy")
    with pytest.raises(BadCase, match="is not empty"):
        restore(Place(tmp_path / "new", url), tmp_path / "copy")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("CREATE DATABASE fresh"))
    engine.dispose()
    fresh = sa.make_url(url).set(database="fresh").render_as_string(hide_password=False)
    assert restore(Place(tmp_path / "new", fresh), tmp_path / "copy")["moved"] == 2
    assert all(path.exists() for path in paths(fresh))
    assert migrate(fresh) == migrate(url)


def test_what_senders_asked_for_is_kept_told_once_and_erased_with_its_case(bench: Bench, tmp_path: Path) -> None:
    promises, told = Promises(bench.ledger, now=bench.clock), []
    bench.inbox.receive(receipt("1.2.3.1"))
    for number in range(2):
        promises.keep(Promise("CT1", f"1.9.{number}", (("1.2", "1.2.3.1"), ("1.2", f"1.5.{number}"))))

    def send(_peer: str, request: Request) -> str:
        told.append(request)
        return ""

    Eraser(bench.engine, bench.ledger.trail, folder=tmp_path, now=bench.clock).erase("1.2.3", because="order", by="me")
    listeners = [Reporting(bench.ledger, promises, send, now=bench.clock) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda one: one.run(), listeners)) == 2, "each is told by one of the listeners"
    assert sorted(told, key=str) == [Request(f"1.9.{number}", (("1.2", f"1.5.{number}"),)) for number in range(2)]
    assert promises.due() == []


def test_what_the_pacs_never_answered_for_is_listed_and_asked_for_again(bench: Bench) -> None:
    desk = Desk(bench.ledger, now=bench.clock)
    with bench.ledger.transaction() as connection:
        bench.ledger.save(connection, assessment("c", "1.2.3", "d"), {}, [document("2.25.1"), document("2.25.2")])
        connection.execute(sa.update(t.job).values(state="done"))
        connection.execute(sa.update(t.document).values(note=COMMITMENT_ASKED, delivered_at=bench.clock()))
    bench.clock.seconds += OLDEST_SECONDS + 1
    listed = desk.status()["unanswered"]["documents"]
    assert sorted(one["identity"] for one in listed) == ["2.25.1", "2.25.2"]
    assert desk.done_by_hand(listed[0]["id"], by="olga", because="seen in the PACS") == 1
    assert desk.replay("unanswered", by="olga") == 1
    assert desk.status()["unanswered"]["count"] == 0
