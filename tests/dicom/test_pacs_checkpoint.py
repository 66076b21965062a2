"""An answer belongs to who asked: the reactor never takes it while a request is under way."""

import sys
import threading
import time
from types import SimpleNamespace

import pytest
from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification

from connector.dicom.pacs_association import Pacs, Proposal, association
from connector.dicom.pacs_checkpoint import Checkpoint


@pytest.fixture
def switching():
    """Threads change places as often as the interpreter can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("switching")
def test_the_reactor_is_never_past_the_checkpoint_while_it_is_cleared():
    """The two loops are pynetdicom's: `_run_reactor` on one side, `send_c_store` on the other."""
    association = SimpleNamespace(_is_paused=False)
    checkpoint = Checkpoint(association)
    under_way, ended, stolen = threading.Event(), threading.Event(), []

    def reactor():
        while not ended.is_set():
            association._is_paused = True
            checkpoint.wait(1)
            association._is_paused = False
            if under_way.is_set():
                stolen.append(1)

    thread = threading.Thread(target=reactor)
    thread.start()
    for _ in range(1500):
        checkpoint.clear()
        while not association._is_paused:
            time.sleep(0)
        under_way.set()
        time.sleep(0)
        under_way.clear()
        checkpoint.set()
    ended.set()
    thread.join()
    assert not stolen


def test_a_sender_that_clears_while_the_reactor_passes_waits_for_it():
    """The gap itself, held open: the reactor was let through, so it must read as running until it waits again."""
    association = SimpleNamespace(_is_paused=True)
    checkpoint = Checkpoint(association)
    assert checkpoint.wait(1)
    checkpoint.clear()
    assert association._is_paused is False
    assert not checkpoint.wait(0.01), "and it is not let through again"


def test_the_checkpoint_is_in_place_before_the_first_request():
    server = AE()
    server.add_supported_context(Verification)
    listening = server.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_ECHO, lambda _: 0)])
    port = listening.socket.getsockname()[1]
    try:
        to = Pacs(host="127.0.0.1", port=port, ae_title="PACS", calling_ae_title="US")
        with association(to, [Proposal(Verification)]) as opened:
            assert isinstance(opened._reactor_checkpoint, Checkpoint)
            assert [opened.send_c_echo().Status for _ in range(3)] == [0, 0, 0]
    finally:
        listening.shutdown()
