"""The ledger's promises on a real PostgreSQL: claims under contention, and every migration forwards and back."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from backup_case import filled, paths
from ledger_case import Bench, assessment, document, make_bench, receipt
from state_peers import postgres_server

from connector.core.errors import BadCase
from connector.ports import ReceiptOutcome
from connector.store import tables as t
from connector.store.backup import Place, back_up, restore
from connector.store.engine import migrate


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


def test_receipts_of_one_uid_from_two_listeners_are_one_instance(bench: Bench) -> None:
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: bench.inbox.receive(receipt()), range(8)))
    assert sorted(outcomes) == [ReceiptOutcome.SAME] * 7 + [ReceiptOutcome.STORED]


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
    assert bench.ledger.complete_quiet_studies(30) == 1
    status = bench.desk.status()
    assert (status["instances"], status["studies"], status["jobs"]) == (1, {"complete": 1}, {"assess.due": 1})


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
