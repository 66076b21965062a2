"""The composition root: settings in, adapters out; the only file that knows both rooms."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from starlette.applications import Starlette

from connector.case_refs import CaseRefs, shared_key
from connector.core.case import Identifier
from connector.core.errors import TryLater
from connector.dicom.read_study import DicomImaging
from connector.dicom.receive import Listener
from connector.dicom.receive_same import same_dataset
from connector.dicom.workitems import Workitems
from connector.dicom.write_pdf import PdfWriter
from connector.dicom.write_rejection import RejectionWriter
from connector.dicom.write_rrdsr import AdministrationWriter
from connector.dicom.write_rtdose import DoseMapWriter
from connector.dicom.write_sr import ReportWriter
from connector.doors import dicom_door, hl7_door, http_door
from connector.fhir.deliver import EhrDestination
from connector.fhir.read_bundle import BundleRecordSource
from connector.fhir.read_ehr import EhrRecordSource
from connector.fhir.receive import poll
from connector.fhir.serve import resource_ids
from connector.fhir.subscribe import Wanted, Watch
from connector.fhir.write_card import CardWriter
from connector.fhir.write_retraction import RetractionWriter
from connector.fhir.write_transaction import TransactionWriter
from connector.flow import Flow
from connector.forward import Forwarder
from connector.hl7v2.listen import MllpListener
from connector.looks import Look, Looks
from connector.neighbours import (
    audit_repositories,
    check_neighbours,
    ehr_client,
    pacs_destination,
    pacs_priors,
    result_sender,
)
from connector.operation import engine_of, ledger_of, tidy_of
from connector.orders import Orders
from connector.ports import Destination, Writer
from connector.report.board_report import BoardReport, ReportFile
from connector.reporting import Reporting
from connector.settings import Settings
from connector.settings.reading import read_settings
from connector.settings.routing import read_routing
from connector.steps import Priors, Steps
from connector.store.away import DatabaseAway, FolderShut, why_away
from connector.store.cards import CardShelf
from connector.store.commitments import Commitments
from connector.store.desk import Desk
from connector.store.figures import LedgerFigures
from connector.store.inbox import PriorInbox, SqlInbox
from connector.store.ledger import StudyRow
from connector.store.memory import SqlMemory
from connector.store.messages import MessageBook
from connector.store.procedure_steps import SqlProcedureSteps
from connector.store.promises import Promises
from connector.store.pulse import Pulse
from connector.store.shelf import SqlShelf
from connector.store.tidy import Tidied
from connector.tls import why_out_of_date
from connector.tracing import Tracing
from connector.web.pages import Check


def _writers(settings: Settings, report: BoardReport) -> Sequence[Writer]:
    """Every output; a new one is one line here."""
    return (
        ReportWriter(),
        DoseMapWriter(bits=settings.rt_dose_bits, plan=settings.rt_dose_plan),
        AdministrationWriter(),
        PdfWriter(report),
        TransactionWriter(board=settings.ehr_board or None, report=report),
    )


def file_flow(bundle: Any, patient_issuers: str, *, pictures: bool = False) -> Flow:
    """
    Make a flow over files, for `connector process`, with the `pictures` as files when asked for.

    Raises BadCase when the issuers, or another setting, cannot be read.
    """
    settings = read_settings(patient_issuers=patient_issuers)
    report = BoardReport()
    more: list[Writer] = [ReportFile(report)]
    if pictures:
        from connector.report.response_sheet import PictureFiles  # noqa: PLC0415 - drawing loads slowly

        more.append(PictureFiles())
    return Flow(
        imaging=DicomImaging(),
        record=BundleRecordSource(bundle),
        writers=(*_writers(settings, report), *more),
        issuers=settings.issuers,
    )


class App:
    """All parts over one ledger; each is made when asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._engine = engine_of(settings)
        self.cases = CaseRefs(shared_key(settings.data_dir, "case"), settings.issuers)
        self.ledger = ledger_of(settings, self._engine)
        self.desk = Desk(self.ledger)
        self.commitments = Commitments(self.ledger)
        self.promises = Promises(self.ledger)
        self.memory = SqlMemory(self._engine)
        self.messages = MessageBook(self.ledger, keep_seconds=settings.hl7_keep_days * 86400.0)
        self.inbox = SqlInbox(self._engine, case_ref=self.cases.of_patient, same_dataset=same_dataset)
        self.procedure_steps = SqlProcedureSteps(self._engine, trail=self.ledger.trail)
        self._ehr = ehr_client(settings)
        self.destinations = self._destinations()
        self.tidy = tidy_of(settings, self.ledger)
        self.forwarder = Forwarder(self.ledger.trail, audit_repositories(settings), self.memory)
        self._tracing = Tracing(settings.otlp_endpoint)
        self.pulse = Pulse(self._engine, sign_in=self._ehr.sign_in if self._ehr else None)
        self.more_checks: dict[str, Check] = {}  # of the process that runs these parts
        self.steps = Steps(
            ledger=self.ledger,
            desk=self.desk,
            flow=Flow(
                imaging=DicomImaging(),
                record=EhrRecordSource(self._ehr, beside=self._kept_results) if self._ehr else None,
                writers=(*_writers(settings, BoardReport()), CardWriter(takes_plans=self._ehr_takes_plans)),
                issuers=settings.issuers,
            ),
            destinations=self.destinations,
            priors=self._priors(),
            orders=Orders(self.ledger, Workitems(self.procedure_steps), retrieve_ae_title=settings.pacs_ae_title),
            retrieve=self._retrieve(),
            quiet_seconds=settings.quiet_seconds,
            routing=read_routing(settings.routing_file, quiet_seconds=settings.quiet_seconds),
            maximum_attempts=settings.maximum_attempts,
            withdrawers=(RejectionWriter(), RetractionWriter()),
            tracing=self._tracing,
        )
        self.looks = Looks(
            self.desk,
            self._look(),
            watch=self._watch(),
            poll_seconds=settings.ehr_poll_seconds,
            follow_days=settings.ehr_follow_days,
        )

    def close(self) -> None:
        """Let go of the database and of connections."""
        self.inbox.close()
        self._tracing.close()
        if self._ehr is not None:
            self._ehr.close()
        self._engine.dispose()

    def look_after(self) -> Tidied:
        """What is due now and then, in `serve` as in a worker: ask for what the PACS said nothing of, and tidy."""
        self.commitments.ask_overdue()
        return self.tidy.run()

    def reporting(self) -> Reporting:
        """What tells senders the results of storage commitment; for who listens to them."""
        return Reporting(self.ledger, self.promises, result_sender(self.settings, self.inbox).send)

    def listener(self, *, reuse_port: bool = False) -> Listener:
        """The DICOM listener, not started."""
        return dicom_door(
            self.settings,
            inbox=self.inbox,
            commitments=self.commitments,
            promises=self.promises,
            steps=self.procedure_steps,
            reuse_port=reuse_port,
        )

    def hl7_listener(self) -> MllpListener | None:
        """The HL7 v2 listener, not started; None when no port is set."""
        return hl7_door(self.settings, book=self.messages, cases=self.cases)

    def web(self, *, on_hint: Callable[[], None] = lambda: None) -> Starlette:
        """The HTTP door; `on_hint` is called once a hint at news of a record is in the ledger."""
        return http_door(
            self.settings,
            on_hint=on_hint,
            ledger=self.ledger,
            inbox=self.inbox,
            desk=self.desk,
            steps=self.procedure_steps,
            shelf=SqlShelf(self._engine, resource_ids=resource_ids, results=self.messages.results_of),
            memory=self.memory,
            cards=CardShelf(self._engine, trail=self.ledger.trail),
            cases=self.cases,
            checks=self.checks(),
            figures=LedgerFigures(self._engine, self.ledger.trail),
            key=shared_key(self.settings.data_dir, "console"),
        )

    def checks(self) -> Mapping[str, Check]:
        """What must be well before work is taken: the database and the disk."""
        return {"database": self._check_database, "disk": self._check_disk, **self.more_checks}

    def _check_database(self) -> str | None:
        try:
            with self._engine.connect() as connection:
                connection.execute(sa.text("SELECT 1"))
        except sa.exc.SQLAlchemyError as fault:
            return why_away(fault)
        return None

    def _check_disk(self) -> str | None:
        free_mb = shutil.disk_usage(self.settings.data_dir).free // 2**20
        if free_mb < self.settings.disk_reserve_mb:
            return (
                f"{free_mb} MB free, {self.settings.disk_reserve_mb} MB are kept in reserve"
                " (CONNECTOR_DISK_RESERVE_MB): make room; until then senders are answered A700"
            )
        return None

    def _kept_results(self, identifiers: Sequence[Identifier]) -> list[dict[str, Any]]:
        return self.messages.results_of(self.cases.of_identifiers(identifiers))

    def _ehr_takes_plans(self) -> bool:
        destination = self.destinations.get("ehr")
        return isinstance(destination, EhrDestination) and "CarePlan" in destination.ladder.way().kinds

    def _destinations(self) -> dict[str, Destination]:
        found: dict[str, Destination] = {}
        if self.settings.pacs_host:
            found["pacs"] = pacs_destination(
                self.settings, lambda result: self.commitments.told(result.committed, result.failed)
            )
        if self._ehr is not None:
            found["ehr"] = EhrDestination(
                self._ehr, self.memory, wanted=self.settings.ehr_write,
                within_seconds=self.settings.lease_seconds / 2,  # so that no other worker takes the patient over
            )  # fmt: skip
        return found

    def _priors(self) -> Priors | None:
        priors = pacs_priors(self.settings, PriorInbox(self.inbox)) if self.settings.pacs_priors else None
        if priors is None:
            return None

        def fetch(study: StudyRow) -> str:
            came = priors.retrieve_priors(
                patient_id=study.patient_id, issuer_of_patient_id=study.issuer_of_patient_id, beside=study.studies_here
            )
            return f"{came.failed} earlier objects did not come from the PACS" if came.failed else ""

        return fetch

    def _watch(self) -> Callable[[], None] | None:
        settings, secret = self.settings, self.settings.hook_secret.get_secret_value()
        if self._ehr is None or not (settings.ehr_hook_url and secret):
            return None
        wanted = Wanted(settings.ehr_hook_url, secret, settings.ehr_subscription_topic)
        return Watch(self._ehr, self.memory, wanted, look_now=self.desk.look_now).when_due

    def _retrieve(self) -> Callable[[str], None] | None:
        # As a prior until all of it is here: its quiet time must not have a part of it assessed.
        pacs = pacs_priors(self.settings, PriorInbox(self.inbox))
        if pacs is None:
            return None

        def retrieve(study_instance_uid: str) -> None:
            came = pacs.retrieve_study(study_instance_uid)
            if came.failed:
                raise TryLater(f"{came.failed} objects of the ordered study did not come from the PACS")

        return retrieve

    def _look(self) -> Look | None:
        client = self._ehr
        if client is None:
            return None

        def look(record_reference: str, seen_until: str | None) -> tuple[bool, str | None]:
            changed, mark = poll(client, record_reference, seen_until)
            # The first look sets the mark; what came between the assessment and this look would else be missed.
            return bool(changed) or seen_until is None, mark or "-"

        return look


def build(settings: Settings) -> App:
    """Make everything the settings ask for."""
    return App(settings)


def check_all(settings: Settings) -> dict[str, str | None]:
    """Try everything that is needed; None is well, else what was wrong and what to do."""
    try:
        app = build(settings)
    except (DatabaseAway, FolderShut) as fault:
        # Nothing can be built over it, and the neighbours are tried all the same.
        place = "database" if isinstance(fault, DatabaseAway) else "disk"
        results: dict[str, str | None] = {place: str(fault)}
    else:
        try:
            results = {name: check() for name, check in app.checks().items()}
            # What they need is read when they are made: a wrong key or code is told here, before they are started.
            app.listener(), app.hl7_listener(), app.web()
        finally:
            app.close()
    if settings.offer_storage_commitment:
        results["commitment"] = _why_no_promise(settings.retain_instances_days)
    if settings.tls_certificate_file is not None:
        results["certificate"] = why_out_of_date(settings.tls_certificate_file)
    # Rules that cannot be read do not come so far: nothing starts with them.
    routing = None if settings.routing_file else "not set: CONNECTOR_ROUTING_FILE, so every study is assessed"
    return {**results, "routing": routing, **check_neighbours(settings)}


def _why_no_promise(retain_instances_days: float) -> str | None:
    """What is wrong with promising senders to keep what goes after so many days; 0: it never goes."""
    if not retain_instances_days:
        return None
    return (
        "senders are promised (CONNECTOR_OFFER_STORAGE_COMMITMENT), and may then delete their copy of, what"
        f" CONNECTOR_RETAIN_INSTANCES_DAYS={retain_instances_days:g} deletes here: set that to 0, or promise nothing"
    )
