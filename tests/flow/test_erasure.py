"""Erasing a case on order: all of it goes but the order itself, and a crash erases all or nothing."""

import json
from pathlib import Path

import pytest
from ledger_case import Bench, complete_quiet, receipt
from tidy_case import assess, file_of, receive

from connector.core.case import PatientIdentity
from connector.core.errors import BadCase, TryLater
from connector.store import contradicting
from connector.store.erase import Eraser


def eraser(bench: Bench, tmp_path: Path) -> Eraser:
    return Eraser(bench.engine, bench.ledger.trail, folder=tmp_path, now=bench.clock)


def test_an_erased_case_leaves_the_order_and_nothing_else(bench, tmp_path) -> None:
    image = receive(bench, tmp_path, "1.2.3.1")
    report = assess(bench)
    aside = file_of(tmp_path, "other.dcm")
    bench.inbox.receive(receipt("1.2.3.1", digest="other", path=aside))
    kept = receive(bench, tmp_path, "1.2.9.1", study="1.2.9", patient="P2")
    row = bench.ledger.study("1.2.3")
    assert row
    with bench.engine.begin() as connection:
        contradicting.keep(connection, "1.2.3", PatientIdentity((), "Testerin"), now=1e9)
    answer = eraser(bench, tmp_path).erase("1.2.3", because="order 17", by="dpo")
    assert answer["erased"] == row.case_ref
    assert answer["still_delivered"] == [{"kind": "sr", "destination": "pacs", "identity": "2.25.7"}]
    assert [image.exists(), report.exists(), aside.exists(), kept.exists()] == [False, False, False, True]
    assert bench.ledger.study("1.2.3") is None
    assert contradicting.Contradicting(bench.engine).record("1.2.3") is None
    assert bench.ledger.study("1.2.9")
    events = bench.desk.status()["events"]
    assert "1.2.3" not in json.dumps(events).replace("1.2.9", "")
    assert (events[0]["kind"], events[0]["actor"], events[0]["detail"]) == ("erased", "dpo", "order 17")
    assert list(tmp_path.glob("erasing-*")) == []


def test_an_unknown_case_and_one_that_is_worked_on_are_not_erased(bench, tmp_path) -> None:
    with pytest.raises(BadCase, match="no such case"):
        eraser(bench, tmp_path).erase("9.9", because="order", by="dpo")
    receive(bench, tmp_path, "1.2.3.1")
    bench.clock.seconds += 31
    complete_quiet(bench, 30)
    ((job, _),) = bench.ledger.jobs.take_due()
    assert bench.ledger.jobs.claim(job)
    with pytest.raises(TryLater, match="busy"):
        eraser(bench, tmp_path).erase("1.2.3", because="order", by="dpo")


def _dies(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("where", "left", "why"),
    [
        ("connector.store.erase.forget_case", True, "before the commit nothing is erased"),
        ("connector.store.erase._unlink", False, "after it the next run unlinks the rest"),
    ],
)
def test_a_crash_in_an_erasure_erases_all_or_nothing(bench, tmp_path, monkeypatch, where, left, why) -> None:
    image = receive(bench, tmp_path, "1.2.3.1")
    with monkeypatch.context() as patched:
        patched.setattr(where, _dies)
        erasing = eraser(bench, tmp_path)
        with pytest.raises(KeyboardInterrupt):
            erasing.erase("1.2.3", because="order", by="dpo")
    assert list(tmp_path.glob("erasing-*"))
    assert (bench.ledger.study("1.2.3") is not None) is left, why
    eraser(bench, tmp_path).resume()
    assert image.exists() is left, why
    assert list(tmp_path.glob("erasing-*")) == []
