"""The FHIR documents of a case, found by the id of a resource in them or by the patient's reference in the EHR."""

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from connector.store import tables as t
from connector.store.engine import for_reading
from connector.store.inbox import insert_or_ignore


class SqlShelf:
    """
    Reads documents from the ledger, however they were delivered.

    `resource_ids` tells the ids in a document. What is not indexed yet, because it is new or older than the index, is
    indexed when it is first looked for.
    """

    def __init__(
        self,
        engine: sa.Engine,
        *,
        resource_ids: Callable[[bytes], Iterable[str]],
        results: Callable[[Collection[str]], Sequence[dict[str, Any]]] = lambda _: (),
    ) -> None:
        """`results` are Observations kept of a laboratory's messages, by case, without their subject."""
        self._results = results
        self._engine = engine
        self._reading = for_reading(engine)
        self._resource_ids = resource_ids

    def case_of(self, resource_id: str) -> str | None:
        """The case that a resource of ours belongs to, None when we never made it."""
        known = self._indexed(resource_id) or self._of_result(resource_id)
        return known or (self._indexed(resource_id) if self._index_new() else None)

    def cases_of_record(self, record_reference: str) -> Sequence[str]:
        """The cases whose patient has this reference in the EHR (`Patient/17`)."""
        with self._reading.connect() as connection:
            here = t.patient.c.record_reference == record_reference
            return list(connection.execute(sa.select(t.patient.c.case_ref).where(here)).scalars())

    def documents_of(self, case_ref: str) -> Sequence[tuple[bytes, float, bool]]:
        """
        The case's FHIR documents, oldest first, with the time they were made (seconds since the epoch).

        The last value tells whether a person marked the study as a wrong patient's.
        """
        with self._reading.connect() as connection:
            rows = connection.execute(
                sa.select(t.document.c.path, t.assessment.c.assessed_at, t.study.c.state)
                .join(t.assessment, t.assessment.c.id == t.document.c.assessment_id)
                .outerjoin(t.study, t.study.c.study_instance_uid == t.document.c.study_instance_uid)
                .where(t.document.c.kind == "fhir", t.assessment.c.case_ref == case_ref)
                .order_by(t.assessment.c.assessed_at)
            ).all()
        return [
            (Path(row.path).read_bytes(), row.assessed_at, row.state == "rejected")
            for row in rows
            if row.path and Path(row.path).exists()
        ]

    def results_of(self, case_ref: str) -> Sequence[dict[str, Any]]:
        """Laboratory results kept here for the case, about its patient in the EHR; none before that is known."""
        with self._reading.connect() as connection:
            reference = connection.execute(
                sa.select(t.patient.c.record_reference).where(t.patient.c.case_ref == case_ref)
            ).scalar_one_or_none()
        if reference is None:
            return []
        return [{**one, "subject": {"reference": reference}} for one in self._results([case_ref])]

    def _of_result(self, resource_id: str) -> str | None:
        with self._reading.connect() as connection:
            found = sa.select(t.result.c.case_ref).where(t.result.c.id == resource_id)
            # Of whom there are images is certain; until then each case that the patient may be has its copy.
            return connection.execute(
                found.join(t.patient, t.patient.c.case_ref == t.result.c.case_ref).limit(1)
            ).scalar_one_or_none()

    def _indexed(self, resource_id: str) -> str | None:
        with self._reading.connect() as connection:
            found = sa.select(t.served.c.case_ref).where(t.served.c.resource_id == resource_id)
            return connection.execute(found).scalar_one_or_none()

    def _index_new(self) -> bool:
        """Index the documents that are not yet; a document's own id among the rows says that it is."""
        with self._reading.connect() as connection:
            new = connection.execute(
                sa.select(t.document.c.id, t.document.c.path, t.assessment.c.case_ref)
                .join(t.assessment, t.assessment.c.id == t.document.c.assessment_id)
                .outerjoin(t.served, t.served.c.resource_id == t.document.c.id)
                .where(t.document.c.kind == "fhir", t.served.c.resource_id.is_(None))
            ).all()
        for row in new:
            path = Path(row.path)
            ids = [*self._resource_ids(path.read_bytes()), row.id] if path.exists() else [row.id]
            with self._engine.begin() as connection:
                for each in ids:
                    insert_or_ignore(connection, t.served, {"resource_id": each, "case_ref": row.case_ref})
        return bool(new)
