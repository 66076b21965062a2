"""Answers the requests that are no storage: MPPS, Instance Availability Notification, Unified Procedure Steps."""

import uuid
from collections.abc import Callable
from datetime import datetime

from pydicom import Dataset

from connector.core.errors import ImpossibleInput, TryLater
from connector.dicom import receive_wire as wire
from connector.dicom.receive_association import C_FIND, N_ACTION, N_CREATE, N_GET, N_SET, Answer, Reply
from connector.dicom.receive_head import is_uid
from connector.dicom.receive_negotiation import INSTANCE_AVAILABILITY, MPPS, UPS_CLASSES
from connector.dicom.receive_steps import (
    INVALID_ATTRIBUTE_VALUE,
    PROCESSING_FAILURE,
    SUCCESS,
    StepFault,
    create_ian,
    create_mpps,
    set_mpps,
)
from connector.dicom.receive_wire import Command
from connector.dicom.workitems import NOT_OFFERED, StepWarning, Workitems, asked_attributes
from connector.logs import get_logger
from connector.ports import StepBook

log = get_logger("dicom.steps")

UNRECOGNISED_OPERATION = 0x0211
_CHANGE_STATE, _REQUEST_CANCEL = 1, 2


class StepRequests:
    """Every request is on disk in the ledger before it is answered."""

    def __init__(self, book: StepBook, *, now: Callable[[], datetime] | None = None) -> None:
        self._book = book
        self._workitems = Workitems(book, now=now) if now else Workitems(book)

    def answer(self, kind: int, command: Command, abstract_syntax: str, information: Dataset, *, owner: str) -> Reply:
        """Do what a peer asks; whatever fails is told by its status."""
        try:
            _require_readable(information)
            if abstract_syntax in UPS_CLASSES:
                return self._of_workitem(kind, command, information, owner)
            return self._of_report(kind, command, abstract_syntax, information, owner)
        except StepWarning as told:
            return Reply(Answer(told.status, told.comment))
        except StepFault as fault:
            log.info("step_refused", calling_ae_title=owner, status=f"{fault.status:04X}", reason=fault.comment)
            return Reply(Answer(fault.status, fault.comment))
        except ImpossibleInput as fault:
            return Reply(Answer(INVALID_ATTRIBUTE_VALUE, str(fault)[:64]))
        except TryLater:
            return Reply(Answer(PROCESSING_FAILURE, "the ledger is away, ask again later"))

    def _of_report(self, kind: int, command: Command, abstract_syntax: str, information: Dataset, owner: str) -> Reply:
        if kind == N_CREATE and abstract_syntax in {MPPS, INSTANCE_AVAILABILITY}:
            uid = _created_uid(command)
            create = create_mpps if abstract_syntax == MPPS else create_ian
            create(self._book, uid=uid, attributes=information, owner=owner)
            return Reply(Answer(SUCCESS), sop_instance_uid=uid)
        if kind == N_SET and abstract_syntax == MPPS:
            set_mpps(self._book, uid=command.text(wire.REQUESTED_SOP_INSTANCE), changes=information, owner=owner)
            return Reply(Answer(SUCCESS))
        return Reply(Answer(UNRECOGNISED_OPERATION))

    def _of_workitem(self, kind: int, command: Command, information: Dataset, owner: str) -> Reply:
        uid = command.text(wire.REQUESTED_SOP_INSTANCE)
        if kind == N_CREATE:
            uid = _created_uid(command)
            self._workitems.create(uid, information, owner=owner)
            return Reply(Answer(SUCCESS), sop_instance_uid=uid)
        if kind == N_GET:
            held = self._workitems.get(uid)
            asked = command.text(wire.ATTRIBUTE_LIST)
            if asked:
                held = asked_attributes(held, [int(tag, 16) for tag in asked.split(",")])
            return Reply(Answer(SUCCESS), attributes=held)
        if kind == N_SET:
            transaction = str(information.get("TransactionUID", ""))
            self._workitems.update(uid, information, transaction_uid=transaction)
            return Reply(Answer(SUCCESS))
        if kind == C_FIND:
            found = [asked_attributes(one, list(information)) for one in self._workitems.search(information)]
            return Reply(Answer(SUCCESS), matches=found)
        return self._act(kind, command, uid, information)

    def _act(self, kind: int, command: Command, uid: str, information: Dataset) -> Reply:
        action = command.number(wire.ACTION_TYPE)
        if kind != N_ACTION:
            return Reply(Answer(UNRECOGNISED_OPERATION))
        if action == _CHANGE_STATE:
            self._workitems.change_state(
                uid,
                str(information.get("ProcedureStepState", "")),
                transaction_uid=str(information.get("TransactionUID", "")),
            )
        elif action == _REQUEST_CANCEL:
            self._workitems.request_cancel(uid, information)
        else:  # subscriptions: no events are sent, a worklist is asked again
            raise StepFault(NOT_OFFERED, "subscriptions are not offered: ask again instead")
        return Reply(Answer(SUCCESS))


def _require_readable(information: Dataset) -> None:
    """Raise ImpossibleInput unless every value is of its VR: pydicom converts them only when they are looked at."""
    try:
        for _ in information.iterall():
            pass
    except Exception as fault:  # pydicom raises whatever the octets lead it to
        raise ImpossibleInput("an attribute holds a value that its VR does not allow") from fault


def _created_uid(command: Command) -> str:
    """The UID of what is created: that of the peer, or a new one (PS3.7, 10.1.5)."""
    given = command.text(wire.AFFECTED_SOP_INSTANCE)
    if given and not is_uid(given):
        raise StepFault(INVALID_ATTRIBUTE_VALUE, "the instance's UID is malformed")
    return given or f"2.25.{uuid.uuid4().int}"
