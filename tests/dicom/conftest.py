"""A ledger in memory, a listener and a scripted PACS for the tests of the DICOM network edge."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from listener_case import end_associations
from receive_case import MemoryInbox, listening

from connector.dicom.receive import Listener


@pytest.fixture
def inbox() -> MemoryInbox:
    return MemoryInbox()


@pytest.fixture
def listener(inbox: MemoryInbox, tmp_path: Path) -> Iterator[Listener]:
    with listening(inbox, tmp_path) as running:
        yield running
    end_associations()
