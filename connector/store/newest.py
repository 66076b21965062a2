"""The newest assessment of each case on a page of the worklist, read at once and kept: an assessment never changes."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

import sqlalchemy as sa

from connector.store import tables as t
from connector.store.engine import for_reading

_KEPT = 2000
T = TypeVar("T")


class Newest(Generic[T]):
    """`read` makes of a summary what a row shows of it."""

    def __init__(self, engine: sa.Engine, read: Callable[[str], T]) -> None:
        self._reading = for_reading(engine)
        self._read = read
        self._kept: OrderedDict[str, T] = OrderedDict()

    def of_cases(self, case_refs: Sequence[str]) -> Mapping[str, T]:
        """What is shown of each case that was assessed; of a wrong patient's study nothing is."""
        place = sa.func.row_number().over(
            partition_by=t.assessment.c.case_ref,
            order_by=(t.study.c.study_date.desc(), t.assessment.c.assessed_at.desc()),
        )
        ranked = (
            sa.select(t.assessment.c.id, t.assessment.c.case_ref, place.label("place"))
            .join(t.study, t.study.c.study_instance_uid == t.assessment.c.study_instance_uid)
            .where(t.assessment.c.case_ref.in_(case_refs), t.study.c.state != "rejected")
            .subquery()
        )
        with self._reading.connect() as connection:
            newest = connection.execute(sa.select(ranked.c.id, ranked.c.case_ref).where(ranked.c.place == 1)).all()
            known: dict[str, T] = {}
            for row in newest:
                # Other pages are read at the same time and push out what is kept: this one holds what it shows.
                with suppress(KeyError):
                    known[row.id] = self._kept[row.id]
            unread = [row.id for row in newest if row.id not in known]
            for row in connection.execute(
                sa.select(t.assessment.c.id, t.assessment.c.summary).where(t.assessment.c.id.in_(unread))
            ):
                known[row.id] = self._kept[row.id] = self._read(row.summary)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return {row.case_ref: known[row.id] for row in newest if row.id in known}
