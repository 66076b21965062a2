"""Delivery to a PACS that answers as it is told: every status, rejection and commitment, and what we make of it."""

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from pacs_case import COMMITMENT, CT, VERIFICATION, scripted
from pydicom import Dataset
from pynetdicom import AE, evt
from receive_case import as_file, make_image

from connector.core.errors import Refused, TryLater
from connector.dicom.pacs import PacsDestination, judge_store
from connector.dicom.pacs_association import Pacs, Proposal, association
from connector.dicom.receive_commitment import CommitmentResult, read_request, result_information
from connector.ports import Document


def document(image: Dataset | None = None) -> Document:
    image = image if image is not None else make_image()
    return Document(
        kind="sr", destination="pacs", identity=image.SOPInstanceUID, content=as_file(image),
        study_instance_uid=image.StudyInstanceUID,
    )  # fmt: skip


TAKEN = [
    (0x0000, "", "success"),
    (0xB000, "B000", "stored, elements coerced"),
    (0xB006, "B006", "stored, elements discarded"),
    (0xB007, "B007", "stored though it does not match its class"),
    (0xB0FF, "B0FF", "a warning of this PACS's own"),
    (0x0001, "0001", "a warning of any service"),
    (0x0107, "0107", "attribute list warning"),
    (0x0111, "already", "the PACS has it: equal identity is equal content"),
]
LATER = [
    (0xA700, "out of resources"),
    (0xA7FF, "out of resources, of this PACS's own"),
    (0x0110, "processing failure"),
    (0xFE00, "cancelled"),
    (None, "no status"),
]
NEVER = [
    (0xA900, "does not match the SOP class"),
    (0xA9FF, "the same, of this PACS's own"),
    (0xC000, "cannot understand"),
    (0xCFFF, "the same, of this PACS's own"),
    (0x0122, "SOP class not supported"),
    (0x0124, "not authorised"),
    (0x0211, "unrecognised operation"),
    (0x1234, "no status of the standard"),
]


@pytest.mark.parametrize(("status", "note", "why"), TAKEN)
def test_taken(status: int, note: str, why: str) -> None:
    assert note in judge_store(status).note, why
    assert bool(judge_store(status).note) is bool(note), why


@pytest.mark.parametrize(("status", "why"), LATER)
def test_try_later(status: int | None, why: str) -> None:
    with pytest.raises(TryLater):
        assert judge_store(status) is None, why


@pytest.mark.parametrize(("status", "why"), NEVER)
def test_refused(status: int, why: str) -> None:
    with pytest.raises(Refused, match=f"{status:04X}"):
        assert judge_store(status) is None, why


@pytest.mark.parametrize(("status", "failure"), [(0x0000, None), (0xB000, None), (0xA700, TryLater), (0xC000, Refused)])
def test_the_status_of_the_instance_decides(status: int, failure: type[Exception] | None) -> None:
    received: list[Dataset] = []

    def store(event: Any) -> int:
        received.append(event.dataset)
        return status

    image = make_image()
    with scripted((evt.EVT_C_STORE, store)) as pacs:
        if failure is None:
            PacsDestination(pacs).deliver(document(image))
        else:
            with pytest.raises(failure):
                PacsDestination(pacs).deliver(document(image))
    assert received == [image]


def test_a_pacs_that_hangs_up_is_tried_later() -> None:
    with (
        scripted((evt.EVT_C_STORE, lambda event: event.assoc.abort())) as pacs,
        pytest.raises(TryLater, match="hung up"),
    ):
        PacsDestination(pacs).deliver(document())


def test_a_pacs_that_does_not_answer_is_tried_later() -> None:
    with scripted((evt.EVT_C_STORE, lambda _: time.sleep(3) or 0)) as pacs, pytest.raises(TryLater, match="not answer"):
        PacsDestination(pacs).deliver(document())


@pytest.mark.parametrize(
    ("change", "failure", "reason"),
    [
        (lambda entity: setattr(entity, "require_calling_aet", ["SOMEBODY"]), Refused, "does not know our AE title"),
        (lambda entity: setattr(entity, "ae_title", "OTHER") or setattr(entity, "require_called_aet", True), Refused,
         "another AE title"),
        (lambda entity: setattr(entity, "supported_contexts", []) or entity.add_supported_context("1.2.3"), Refused,
         "supports none"),
    ],
)  # fmt: skip
def test_a_rejection_for_good_is_not_retried(
    change: Callable[[AE], None], failure: type[Exception], reason: str
) -> None:
    with scripted(change=change) as pacs, pytest.raises(failure, match=reason):
        PacsDestination(pacs).deliver(document())


def test_a_rejection_for_now_is_retried() -> None:
    with (
        scripted(change=lambda entity: setattr(entity, "maximum_associations", 1)) as pacs,
        association(pacs, [Proposal(VERIFICATION)]),
        pytest.raises(TryLater, match="limit of associations"),
    ):
        PacsDestination(pacs).deliver(document())


def test_a_refused_connection_is_retried() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        pacs = Pacs(host="127.0.0.1", port=bound.getsockname()[1], ae_title="PACS", calling_ae_title="CONNECTOR")
        with pytest.raises(TryLater, match="could not be reached"):
            PacsDestination(pacs).deliver(document())


def test_a_class_the_pacs_does_not_support_is_refused_though_it_commits() -> None:
    with (
        scripted(contexts=(VERIFICATION, COMMITMENT)) as pacs,
        pytest.raises(Refused, match="does not support SOP class"),
    ):
        PacsDestination(pacs, storage_commitment=True).deliver(document())


def test_what_is_no_dicom_file_is_refused() -> None:
    broken = Document(kind="sr", destination="pacs", identity="1.2", content=b"text", study_instance_uid="1.2")
    with scripted() as pacs, pytest.raises(Refused, match="no DICOM file"):
        PacsDestination(pacs).deliver(broken)


def test_echo() -> None:
    with scripted() as pacs:
        PacsDestination(pacs).echo()
    with scripted((evt.EVT_C_ECHO, lambda _: 0x0122)) as pacs, pytest.raises(TryLater, match="0122"):
        PacsDestination(pacs).echo()


# Storage commitment


def committing(*, kept: bool, reports: bool = True, status: int = 0x0000) -> Any:
    """A handler that takes a commitment request and reports on the same association."""

    def on_action(event: Any) -> tuple[int, None]:
        request = read_request(event.action_information)
        event_type, information = result_information(request, {i: c for c, i in request.references} if kept else {})
        if reports:
            threading.Timer(
                0.05,
                event.assoc.send_n_event_report,
                (information, event_type, COMMITMENT, "1.2.840.10008.1.20.1.1"),
            ).start()
        return status, None

    return (evt.EVT_N_ACTION, on_action)


STORES = (evt.EVT_C_STORE, lambda _: 0x0000)
WITH_COMMITMENT = (CT, COMMITMENT)


def test_a_commitment_on_the_same_association_is_noted() -> None:
    results: list[CommitmentResult] = []
    image = make_image()
    with scripted(STORES, committing(kept=True), contexts=WITH_COMMITMENT) as pacs:
        destination = PacsDestination(
            pacs, storage_commitment=True, commitment_seconds=3.0, on_commitment_result=results.append
        )
        assert destination.deliver(document(image)).note == "committed"
    assert [result.committed for result in results] == [(image.SOPInstanceUID,)]


def test_a_commitment_that_fails_is_stored_again_later() -> None:
    with scripted(STORES, committing(kept=False), contexts=WITH_COMMITMENT) as pacs:
        destination = PacsDestination(pacs, storage_commitment=True, commitment_seconds=3.0)
        with pytest.raises(TryLater, match="does not keep"):
            destination.deliver(document())


def test_a_commitment_that_comes_later_is_awaited_elsewhere() -> None:
    with scripted(STORES, committing(kept=True, reports=False), contexts=WITH_COMMITMENT) as pacs:
        destination = PacsDestination(pacs, storage_commitment=True, commitment_seconds=0.1)
        assert destination.deliver(document()).note == "commitment asked"


def test_a_commitment_refused_for_good_leaves_the_instance_stored() -> None:
    with scripted(STORES, committing(kept=True, reports=False, status=0x0124), contexts=WITH_COMMITMENT) as pacs:
        note = PacsDestination(pacs, storage_commitment=True).deliver(document()).note
    assert note == "stored without commitment: the PACS refused the request (0124)", "not authorised: no answer changes"


def test_a_commitment_request_that_is_not_taken_is_tried_later() -> None:
    with (
        scripted(STORES, committing(kept=True, reports=False, status=0x0213), contexts=WITH_COMMITMENT) as pacs,
        pytest.raises(TryLater, match="0213"),
    ):
        PacsDestination(pacs, storage_commitment=True).deliver(document())


def test_a_pacs_without_commitment_still_stores() -> None:
    with scripted(STORES) as pacs:
        assert "does not offer" in PacsDestination(pacs, storage_commitment=True).deliver(document()).note


def test_a_host_that_has_no_address_is_asked_for_again_and_named() -> None:
    """The name server may be back in a moment; a typing error in the setting is seen in the reason."""
    nowhere = Pacs(host="pacs.invalid", port=104, ae_title="PACS", calling_ae_title="CONNECTOR")
    with pytest.raises(TryLater, match=r"pacs\.invalid has no address: correct the setting"):
        PacsDestination(nowhere).echo()
