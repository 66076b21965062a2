"""Has records of the EHR looked at again: every hint at news comes to this one line."""

import sqlalchemy as sa

from connector.store import tables as t


def look_again(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> None:
    """Have the records of these followed patients, or of all, read in the next round."""
    connection.execute(sa.update(t.patient).where(*which).values(polled_at=0.0))
