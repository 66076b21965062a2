"""Ledgers for the tests of this folder, and a house of steps over one with a study that is quiet."""

from pathlib import Path

import pytest
from ledger_case import Bench, make_bench, receipt
from steps_case import House, make_house


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = make_bench(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path)
    yield made
    made.inbox.close()
    made.engine.dispose()


@pytest.fixture
def house(bench: Bench) -> House:
    made = make_house(bench)
    bench.inbox.receive(receipt())
    bench.clock.seconds += 31
    return made
