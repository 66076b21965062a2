"""A door for the tests of this folder."""

import pytest
from hl7_case import make_door


@pytest.fixture
def door(tmp_path):
    made = make_door(tmp_path)
    yield made
    made.bench.inbox.close()
    made.bench.engine.dispose()
