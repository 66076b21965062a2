"""Desks for the tests of this folder."""

from pathlib import Path

import pytest
from console_case import Desk, make_desk

ROLES = {"olga": ("operator",), "clara": ("clinician",), "phil": ("physicist",), "both": ("operator", "clinician")}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = make_desk(tmp_path, **ROLES)
    yield made
    made.bench.inbox.close()
    made.bench.engine.dispose()
