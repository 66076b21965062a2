"""Ledgers for the tests of this folder."""

from pathlib import Path

import pytest
from ledger_case import Bench, make_bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = make_bench(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path)
    yield made
    made.inbox.close()
    made.engine.dispose()
