"""The ledger as the flow sees it: studies that complete, assessments saved with their documents, events told."""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from connector.core.assess import PARTS
from connector.core.assessment import Assessment
from connector.ports import Document, Predecessor
from connector.routing import Rule
from connector.store import tables as t
from connector.store.cards import shelve
from connector.store.engine import for_reading
from connector.store.jobs import Jobs
from connector.store.outbox import Outbox
from connector.store.trail import Trail, tidied_before

# News of a patient asks for no assessment of such a study: the newest other one has it.
NEVER_ASSESSED = ("prior", "rejected", "kept_out")
# Nothing of such a study is here, or only what was fetched of it to be compared with.
TIDIED = ("tidying", "tidied")
NOT_HERE = ("prior", *TIDIED)


@dataclass(frozen=True, slots=True)
class StudyRow:
    """One study in the ledger with the files of its patient, ordered by study."""

    study_instance_uid: str
    case_ref: str
    completed_at: float
    received_from: float
    received_until: float
    traceparent: str | None  # the trace of its reception
    identity_released: bool
    is_rejected: bool  # a person said that it is a wrong patient's
    is_latest: bool
    latest_study_instance_uid: str
    patient_id: str
    issuer_of_patient_id: str
    studies_here: tuple[str, ...]  # of the patient, sent to be assessed and not tidied away
    paths: tuple[Path, ...]  # of this study
    prior_paths: tuple[Path, ...]  # of the patient's earlier studies that are not kept out
    assess: tuple[str, ...] = PARTS  # what the routing rule wants of an assessment
    told: tuple[str, ...] = ()  # what a reader of the result should know of how the study came
    is_here: bool = True  # not only what was fetched of it to be compared with
    is_waiting: bool = False  # still coming in, incomplete or kept out: being completed asks for its assessment


class SqlLedger:
    """Studies, jobs, outbox and events over one database."""

    def __init__(
        self,
        engine: sa.Engine,
        *,
        outbox_dir: Path,
        lease_seconds: float = 900.0,
        audit_repositories: Sequence[str] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        self.engine = engine
        self._reading = for_reading(engine)
        self.jobs = Jobs(engine, lease_seconds=lease_seconds, now=now)
        self.trail = Trail(engine, repositories=audit_repositories, now=now)
        self.tell = self.trail.audit
        self.now = now
        self.outbox = Outbox(engine, self.jobs, folder=outbox_dir, now=now)
        self.document, self.is_superseded = self.outbox.document, self.outbox.is_superseded
        self.delivered, self.withhold = self.outbox.delivered, self.outbox.withhold

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """One transaction; everything in it is committed together or not at all."""
        with self.engine.begin() as connection:
            yield connection

    # Studies

    def complete_study(self, study_instance_uid: str, because: str, *, by: str | None = None) -> bool:
        """Complete a study on an explicit signal, or by a person; False when it is not known."""
        with self.engine.begin() as connection:
            known = self.complete(connection, study_instance_uid, because)
            if known and by:
                self.tell(connection, kind="completed", ref=study_instance_uid, detail="by a person", actor=by)
            return known

    def complete(
        self, connection: sa.Connection, study_instance_uid: str, because: str, *, rule: Rule | None = None,
        told: str = "",
    ) -> bool:  # fmt: skip
        """Complete a study in a transaction, as a rule says; False when it is not known, or a wrong patient's."""
        here = t.study.c.study_instance_uid == study_instance_uid
        # Locked where the database can: a person may mark it as a wrong patient's at this moment.
        row = connection.execute(sa.select(t.study).where(here).with_for_update()).one_or_none()
        if row is None or row.state in ("rejected", "tidying", "tidied"):
            return False
        self.trail.received(connection, row)
        connection.execute(
            sa.update(t.study)
            .where(here)
            .values(
                state="complete", completed_because=because[:64], completed_at=self.now(), told=told or None,
                rule=rule.name if rule else None, assess=",".join(rule.assess) if rule else None,
            )
        )  # fmt: skip
        self.jobs.ask(
            connection, kind="assess", ref=study_instance_uid, serial=f"assess:{row.case_ref}",
            caused_at=row.last_received_at, traceparent=row.traceparent,
        )  # fmt: skip
        return True

    def study(self, study_instance_uid: str) -> StudyRow | None:
        """Get a study with its files and those of the patient's earlier studies."""
        with self._reading.connect() as connection:
            here = connection.execute(
                sa.select(t.study).where(t.study.c.study_instance_uid == study_instance_uid)
            ).one_or_none()
            if here is None:
                return None
            order = (t.study.c.study_date, t.study.c.first_received_at, t.study.c.study_instance_uid)
            rows = connection.execute(
                sa.select(t.study.c.study_instance_uid, t.study.c.state)
                .where(
                    t.study.c.patient_key == here.patient_key,
                    # What a person marked as a wrong patient's is neither assessed nor compared with.
                    sa.or_(t.study.c.state != "rejected", t.study.c.study_instance_uid == study_instance_uid),
                )
                .order_by(*order)
            ).all()
            of_patient = [row.study_instance_uid for row in rows]
            sent = tuple(row.study_instance_uid for row in rows if row.state != "prior")
            held = tuple(row.study_instance_uid for row in rows if row.state not in ("prior", "tidying", "tidied"))
            kept_out = {row.study_instance_uid for row in rows if row.state == "kept_out"} - {study_instance_uid}
            latest = next((uid for uid in reversed(sent) if uid not in kept_out), study_instance_uid)
            issuer, _, patient_id = here.patient_key.partition("\x1f")
            before = of_patient[: of_patient.index(study_instance_uid)]
            told = [f"earlier study {uid} is kept out by the routing rules" for uid in before if uid in kept_out]
            told += tidied_before(connection, here.case_ref, since=here.first_received_at)
            return StudyRow(
                study_instance_uid=study_instance_uid,
                case_ref=here.case_ref,
                completed_at=here.completed_at or here.last_received_at,
                received_from=here.first_received_at,
                received_until=here.last_received_at,
                traceparent=here.traceparent,
                identity_released=here.identity_released_at is not None,
                is_rejected=here.state == "rejected",
                is_latest=study_instance_uid == latest,
                latest_study_instance_uid=latest,
                patient_id=patient_id,
                issuer_of_patient_id=issuer,
                studies_here=held,
                paths=self._paths(connection, [study_instance_uid]),
                prior_paths=self._paths(connection, [uid for uid in before if uid not in kept_out]),
                assess=tuple(here.assess.split(",")) if here.assess else PARTS,
                told=(*([here.told] if here.told else []), *told),
                is_here=here.state not in NOT_HERE,
                is_waiting=here.state in ("receiving", "incomplete", "kept_out"),
            )

    @staticmethod
    def _paths(connection: sa.Connection, studies: Sequence[str]) -> tuple[Path, ...]:
        rows = connection.execute(
            sa.select(t.instance.c.path)
            .where(t.instance.c.study_instance_uid.in_(studies))
            .order_by(t.instance.c.study_instance_uid, t.instance.c.series_instance_uid, t.instance.c.sop_instance_uid)
        ).scalars()
        return tuple(Path(path) for path in rows)

    def ask_assessment(self, connection: sa.Connection, study_instance_uid: str, case_ref: str) -> None:
        """Ask for a (new) assessment of a study."""
        self.jobs.ask(connection, kind="assess", ref=study_instance_uid, serial=f"assess:{case_ref}")

    # Assessments and their documents

    def has_assessment(self, study_instance_uid: str, input_digest: str, ruleset: str) -> bool:
        """Whether the newest assessment of the study was made of just these inputs by this rule set."""
        with self._reading.connect() as connection:
            newest = connection.execute(
                sa.select(t.assessment.c.input_digest, t.assessment.c.ruleset)
                .where(t.assessment.c.study_instance_uid == study_instance_uid)
                .order_by(t.assessment.c.assessed_at.desc())
                .limit(1)
            ).one_or_none()
        return newest is not None and (newest.input_digest, newest.ruleset) == (input_digest, ruleset)

    def earlier_summary(self, study_instance_uid: str) -> str | None:
        """Get the summary of the study's last assessment, else that of the patient's next earlier assessed study."""
        here = sa.select(t.study).where(t.study.c.study_instance_uid == study_instance_uid).subquery()
        with self._reading.connect() as connection:
            newest_first = connection.execute(
                sa.select(t.assessment.c.study_instance_uid, t.assessment.c.summary)
                .join(t.study, t.study.c.study_instance_uid == t.assessment.c.study_instance_uid)
                .join(here, here.c.patient_key == t.study.c.patient_key)
                .where(
                    sa.or_(
                        t.study.c.study_instance_uid == study_instance_uid, t.study.c.study_date < here.c.study_date
                    ),
                    t.study.c.state != "rejected",
                )
                .order_by(t.study.c.study_date.desc(), t.assessment.c.assessed_at.desc())
            ).all()
        own = (row.summary for row in newest_first if row.study_instance_uid == study_instance_uid)
        return next(own, newest_first[0].summary if newest_first else None)

    def predecessors(self, study_instance_uid: str) -> tuple[Predecessor, ...]:
        """Our newest document of each kind in the same study, to be superseded, and every rejection note."""
        with self._reading.connect() as connection:
            rows = connection.execute(
                sa.select(t.document, t.assessment.c.assessed_at)
                .join(t.assessment, t.assessment.c.id == t.document.c.assessment_id)
                .where(t.document.c.study_instance_uid == study_instance_uid, t.document.c.destination == "pacs")
                .order_by(t.assessment.c.assessed_at)
            ).all()
        newest = {(row.kind, row.identity if row.kind == "rejection" else ""): row for row in rows}
        return tuple(
            Predecessor(row.kind, row.identity, row.sop_class_uid, row.series_instance_uid) for row in newest.values()
        )

    def save(
        self,
        connection: sa.Connection,
        assessment: Assessment,
        summary: object,
        documents: Sequence[Document],
        *,
        caused_at: float | None = None,
        traceparent: str | None = None,
    ) -> Sequence[str]:
        """Save an assessment with all its documents and ask for each delivery; returns the jobs' ids."""
        row = {
            "id": str(uuid.uuid4()),
            "case_ref": assessment.case_ref,
            "study_instance_uid": assessment.study_instance_uid,
            "input_digest": assessment.input_digest,
            "ruleset": assessment.ruleset,
            "assessed_at": self.now(),
            "summary": summary if isinstance(summary, str) else json.dumps(summary),
        }
        connection.execute(sa.insert(t.assessment).values(row))
        documents = shelve(connection, str(row["id"]), assessment.case_ref, documents, self.now())
        return self.outbox.send(
            connection, str(row["id"]), assessment.case_ref, documents, caused_at=caused_at, traceparent=traceparent
        )

    def is_rejected(self, study_instance_uid: str) -> bool:
        """Whether a person marked the study as a wrong patient's: nothing of it is sent any more."""
        here = t.study.c.study_instance_uid == study_instance_uid
        with self._reading.connect() as connection:
            found = connection.execute(sa.select(t.study.c.state).where(here)).scalar_one_or_none()
        return found == "rejected"
