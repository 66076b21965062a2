"""Many commits as one: a single thread writes what several threads bring, and nobody is answered before the commit."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError

from connector.batches import Batches
from connector.core.errors import ImpossibleInput, TryLater
from connector.logs import get_logger

log = get_logger("group_commit")

Brought = TypeVar("Brought")
Told = TypeVar("Told")


class GroupCommit(Generic[Brought, Told]):
    """
    Commits what is brought while the last commit runs in one transaction.

    `write` writes a batch in an open transaction and returns what to tell for each; a batch comes in the order of
    `order`, the same in every process, or two of them could wait for each other's rows.
    """

    def __init__(
        self,
        engine: sa.Engine,
        write: Callable[[sa.Connection, Sequence[Brought]], Sequence[Told]],
        *,
        order: Callable[[Brought], tuple[str, ...]],
        name: str,
    ) -> None:
        self._engine = engine
        self._write = write
        self._order = order
        self._held: sa.Connection | None = None
        # While nobody comes, the connection goes back to the pool.
        self._batches: Batches[Brought, Told] = Batches(self._commit_all, name=name, idle=self._let_go)

    def commit(self, brought: Brought) -> Told:
        """
        Write one thing and return when it is committed.

        Raises TryLater when the database is away or this is closed, ImpossibleInput when a value does not fit it.
        """
        return self._batches.begin(brought).result()

    def close(self) -> None:
        """Commit what is queued and stop; what comes later is refused."""
        self._batches.close()

    def _commit_all(self, batch: list[Brought]) -> list[Told | Exception]:
        places = sorted(range(len(batch)), key=lambda place: self._order(batch[place]))
        told = dict(zip(places, self._committed([batch[place] for place in places]), strict=True))
        return [told[place] for place in range(len(batch))]

    def _committed(self, batch: Sequence[Brought]) -> Sequence[Told | Exception]:
        """What to tell for each of a batch; when this returns, what is told as written is committed."""
        was_held = self._held is not None
        try:
            return self._written(batch)
        except Exception as fault:  # noqa: BLE001 - whatever went wrong, each must hear that nothing is stored
            self._let_go()
            if was_held and _was_cut_before_the_commit(fault):  # the pool tries a connection before it gives it out
                return self._committed(batch)
            is_away = isinstance(fault, SQLAlchemyError | OSError) and not isinstance(fault, DataError)
            if len(batch) > 1 and not is_away:  # one that the database cannot hold must not keep the others out
                return [self._committed([one])[0] for one in batch]
            if not isinstance(fault, SQLAlchemyError | OSError):
                log.warning("not_recorded", exception_type=type(fault).__name__)
            return [_told(fault) for _ in batch]

    def _written(self, batch: Sequence[Brought]) -> Sequence[Told]:
        """Write in one transaction and commit it."""
        if self._held is None:  # kept from batch to batch: to take one for each costs as much as to write it
            self._held = self._engine.connect()
        with self._held.begin():
            return self._write(self._held, batch)

    def _let_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            with suppress(SQLAlchemyError):
                held.close()


def _was_cut_before_the_commit(fault: Exception) -> bool:
    """Whether the connection was lost with a statement, as to a database that was started anew: nothing is written."""
    return isinstance(fault, DBAPIError) and fault.connection_invalidated and fault.statement is not None


def _told(fault: Exception) -> Exception:
    """What a sender hears: of an object that does not fit the database, or of a database that is away."""
    told: Exception
    if isinstance(fault, DataError):
        told = ImpossibleInput("an attribute does not fit the ledger: the sender must correct the object")
    else:
        told = TryLater(f"the ledger did not commit ({type(fault).__name__}): send again")
    told.__cause__ = fault
    return told
