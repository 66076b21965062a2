"""Performs the assessments that others order by Unified Procedure Step: begun once, ended with what was delivered."""

import uuid

import sqlalchemy as sa

from connector.core.errors import TryLater
from connector.dicom.receive_steps import StepFault, from_json
from connector.dicom.workitems import IN_PROGRESS, Workitems
from connector.logs import get_logger
from connector.ports import ProcedureStep
from connector.store import tables as t
from connector.store.completeness import is_fed
from connector.store.ledger import NOT_HERE, SqlLedger
from connector.store.procedure_steps import absent, outcome

log = get_logger("orders")


class Orders:
    """Looks at every open workitem at each sweep; a crash between two looks costs nothing, the ledger knows."""

    def __init__(self, ledger: SqlLedger, workitems: Workitems, *, retrieve_ae_title: str) -> None:
        self._ledger = ledger
        self._workitems = workitems
        self._retrieve_ae_title = retrieve_ae_title

    def advance(self) -> None:
        """Begin what is due, and finish what came to its end."""
        try:
            for step in self._workitems.open_orders():
                self._advance(step)
        except TryLater as fault:
            log.warning("orders_wait", reason=str(fault))

    def _advance(self, step: ProcedureStep) -> None:
        try:
            if self._names_another_patient(step):
                # Nothing of the number is told: an order is read by more people than the study.
                self._workitems.give_up(
                    step, "the order names another patient than the images of the study: correct it"
                )
                return
            if step.state != IN_PROGRESS:
                # Asked before it is claimed: a crash between the two asks twice, and never forgets.
                if self._ask(step):
                    self._workitems.begin(step, f"2.25.{uuid.uuid4().int}")
                return
            with self._ledger.transaction() as connection:
                failed, outputs = outcome(connection, step.study_instance_uid)
            if failed:
                self._workitems.give_up(step, failed)
            elif outputs is not None:
                self._workitems.complete(step, outputs, retrieve_ae_title=self._retrieve_ae_title)
        except StepFault as fault:  # cancelled at this very moment
            log.info("order_changed_meanwhile", reason=fault.comment)

    def _names_another_patient(self, step: ProcedureStep) -> bool:
        """Whether the order's Patient ID is another than that of the study, once the study is here."""
        asked = str(from_json(step.attributes).get("PatientID") or "").strip()
        study = self._ledger.study(step.study_instance_uid)
        return bool(study and asked and study.patient_id and asked != study.patient_id)

    def _ask(self, step: ProcedureStep) -> bool:
        """
        Have the study assessed, whatever the routing rules say; False while it is still coming in.

        One that was never sent here, or only fetched in part to be compared with, is fetched by the step that assesses.
        """
        uid = step.study_instance_uid
        with self._ledger.transaction() as connection:
            study = connection.execute(
                sa.select(t.study.c.state, t.study.c.case_ref).where(t.study.c.study_instance_uid == uid)
            ).one_or_none()
            if study is None:
                # The patient of a study that is not here is not known yet: the step joins its others later.
                self._ledger.jobs.ask(connection, kind="assess", ref=uid, serial=f"assess:{uid}")
                return True
            if study.state in NOT_HERE:
                self._ledger.ask_assessment(connection, uid, study.case_ref)
                return True
            missing = len(absent(connection, step.awaited))
            if study.state == "receiving" and (
                missing or not step.awaited or is_fed(connection, uid, self._ledger.now())
            ):
                return False  # its quiet time ends it; an order is no word of who sends the study
            told = f"{missing} of the {len(step.awaited)} instances that the order names did not come"
            self._ledger.complete(connection, uid, f"ordered by {step.owner}", told=told if missing else "")
            return True
