"""What operation needs to know: who did what, what an event still has to be told to, and how long a delivery took."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("study", sa.Column("traceparent", sa.String(length=55), nullable=True))
    op.add_column("job", sa.Column("caused_at", sa.Float(), nullable=True))
    op.add_column("job", sa.Column("traceparent", sa.String(length=55), nullable=True))
    op.add_column("document", sa.Column("took_seconds", sa.Float(), nullable=True))
    op.add_column("event", sa.Column("actor", sa.String(length=255), nullable=True))
    op.add_column("event", sa.Column("succeeded", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("event", sa.Column("forward_to", sa.String(length=32), nullable=True))
    op.create_index(op.f("ix_event_forward_to"), "event", ["forward_to"])


def downgrade() -> None:
    """Take back."""
    op.drop_index(op.f("ix_event_forward_to"), table_name="event")
    # A study whose files were tidied away is, to the version before, one that is complete.
    op.execute("UPDATE study SET state = 'complete' WHERE state IN ('tidying', 'tidied')")
    for table, column in (
        ("event", "forward_to"), ("event", "succeeded"), ("event", "actor"), ("document", "took_seconds"),
        ("job", "traceparent"), ("job", "caused_at"), ("study", "traceparent"),
    ):  # fmt: skip
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column(column)
