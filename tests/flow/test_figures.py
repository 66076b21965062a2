"""What Prometheus is told of a ledger: ages, reasons, times to delivery, who lives; and nothing of a patient."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from ledger_case import Bench, assessment, complete_quiet, document, receipt
from prometheus_client import generate_latest

from connector.core.errors import ImpossibleInput, Refused, TryLater
from connector.flow import outcome_of
from connector.store import tables as t
from connector.store.figures import LedgerFigures, reason_class
from connector.store.pulse import Pulse
from connector.web.metrics import Disk, registry


def told(bench: Bench, tmp_path: Path, reserve_bytes: int = 7) -> str:
    figures = LedgerFigures(bench.engine, bench.ledger.trail, now=bench.clock)
    return generate_latest(registry(figures, Disk(tmp_path, reserve_bytes))).decode()


def complete(bench: Bench) -> str:
    bench.clock.seconds += 30
    complete_quiet(bench, 30)
    ((job, _),) = bench.ledger.jobs.take_due()
    return job


def test_an_empty_ledger_tells_zeros_and_the_disk(bench: Bench, tmp_path: Path) -> None:
    text = told(bench, tmp_path)
    for line in ("connector_instances 0.0", "connector_last_instance_timestamp_seconds 0.0",
                 'connector_queue_age_seconds{kind="assess"} 0.0', "connector_associations 0.0",
                 "connector_disk_reserve_bytes 7.0", "connector_ehr_sign_in_refused 0.0"):  # fmt: skip
        assert line in text


def test_the_age_of_the_queue_is_that_of_the_oldest_step_that_could_run(bench: Bench, tmp_path: Path) -> None:
    bench.inbox.association_opened("a")
    bench.inbox.receive(receipt("1.2.3.1"))
    assert "connector_associations 1.0" in told(bench, tmp_path)
    job = complete(bench)
    bench.clock.seconds += 12
    assert 'connector_queue_age_seconds{kind="assess"} 12.0' in told(bench, tmp_path)
    lease = bench.ledger.jobs.claim(job)
    assert lease
    assert 'connector_queue_age_seconds{kind="assess"} 0.0' in told(bench, tmp_path), "it runs"
    bench.ledger.jobs.retry(lease, "the EHR is busy", in_seconds=100)
    text = told(bench, tmp_path)
    assert 'connector_queue_age_seconds{kind="assess"} 0.0' in text, "it waits for the EHR, not for a worker"
    assert 'connector_failing{kind="assess",reason="retrying"} 1.0' in text


def test_a_delivery_behind_another_of_its_patient_does_not_wait_for_a_worker(bench: Bench, tmp_path: Path) -> None:
    with bench.ledger.transaction() as connection:
        for digest in ("d1", "d2"):
            bench.ledger.save(connection, assessment("c", "1.2.3", digest), "{}", [document(digest, destination="ehr")])
    (first, _), _ = bench.ledger.jobs.take_due()
    assert bench.ledger.jobs.claim(first)
    bench.clock.seconds += 50
    assert 'connector_queue_age_seconds{kind="deliver"} 0.0' in told(bench, tmp_path)


@pytest.mark.parametrize(
    ("fault", "expected", "why"),
    [
        (
            ImpossibleInput("the patient of the images and of the record contradict in sex"),
            "identity",
            "a person looks",
        ),
        (ImpossibleInput("no study has a date"), "input", "the sender corrects it"),
        (Refused("the PACS refused the instance (A900)"), "refused", "the PACS corrects it"),
        (TryLater("busy"), "away", "given up after the last try"),
        (KeyError("x"), "unexpected", "a fault of ours"),
    ],
)
def test_each_failure_has_its_reason_class(fault: Exception, expected: str, why: str) -> None:
    def step() -> None:
        raise fault

    with pytest.raises(type(fault)) as raised:
        step()
    outcome = outcome_of(raised.value, attempts=12, maximum_attempts=12, back_off=lambda *_: 1.0)
    assert reason_class(outcome.state, outcome.reason) == expected, why


def test_the_time_to_delivery_is_a_histogram_by_kind_and_destination(bench: Bench, tmp_path: Path) -> None:
    with bench.ledger.transaction() as connection:
        bench.ledger.save(connection, assessment("c", "1.2.3", "d"), "{}", [document("2.25.7")])
    assert 'connector_documents_waiting{destination="pacs",kind="sr"} 1.0' in told(bench, tmp_path)
    bench.clock.seconds += 45  # at the bound of a bucket: it counts within it
    ((job, _),) = bench.ledger.jobs.take_due()
    lease = bench.ledger.jobs.claim(job)
    assert lease
    with bench.ledger.transaction() as connection:
        bench.ledger.delivered(connection, lease, "")
    text = told(bench, tmp_path)
    place = 'destination="pacs",kind="sr"'
    assert f'connector_delivery_seconds_bucket{{{place},le="30.0"}} 0.0' in text
    assert f'connector_delivery_seconds_bucket{{{place},le="45.0"}} 1.0' in text
    assert f'connector_delivery_seconds_bucket{{{place},le="+Inf"}} 1.0' in text
    assert f"connector_delivery_seconds_sum{{{place}}} 45.0" in text
    assert f"connector_documents_delivered{{{place}}} 1.0" in text


def test_processes_that_stopped_no_longer_live_and_the_soonest_token_counts(bench: Bench, tmp_path: Path) -> None:
    sign_in = [("held", bench.clock() + 300)]
    pulse = Pulse(bench.engine, sign_in=lambda: sign_in[0], now=bench.clock)
    pulse.beat("worker")
    pulse.beat("sweep")
    text = told(bench, tmp_path)
    assert 'connector_processes{part="worker"} 1.0' in text
    assert "connector_ehr_token_expires_timestamp_seconds 1.0003e+06" in text
    bench.clock.seconds += 9
    sign_in[0] = ("refused", None)
    pulse.beat("worker")  # too soon: the ledger is not asked to write at every step
    assert "connector_ehr_sign_in_refused 0.0" in told(bench, tmp_path)
    bench.clock.seconds += 1
    pulse.beat("worker")
    text = told(bench, tmp_path)
    assert "connector_ehr_sign_in_refused 1.0" in text
    assert "connector_ehr_token_expires_timestamp_seconds 0.0" in text
    bench.clock.seconds += 121
    text = told(bench, tmp_path)
    assert 'connector_processes{part="worker"} 0.0' in text
    assert 'connector_last_seen_timestamp_seconds{part="sweep"} 1e+06' in text
    bench.clock.seconds += 90000
    pulse.beat("worker")
    with bench.engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(t.pulse)).scalar_one() == 1, "others forgotten"


def test_no_figure_holds_a_patient(bench: Bench, tmp_path: Path) -> None:
    bench.inbox.receive(receipt("1.2.3.1", patient="SECRET-ID"))
    complete(bench)
    text = told(bench, tmp_path)
    assert "SECRET" not in text
    assert "1.2.3.1" not in text
