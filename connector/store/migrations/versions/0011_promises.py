"""What senders asked us to commit to and have not been told yet."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "promise",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("peer", sa.String(length=16), nullable=False),
        sa.Column("transaction_uid", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promise")),
        sa.UniqueConstraint("peer", "transaction_uid", name=op.f("uq_promise_peer_transaction_uid")),
    )
    op.create_table(
        "promised_instance",
        sa.Column("promise_id", sa.String(length=36), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("sop_class_uid", sa.String(length=64), nullable=False),
        sa.Column("case_ref", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("promise_id", "sop_instance_uid", "sop_class_uid", name=op.f("pk_promised_instance")),
    )
    op.create_index(op.f("ix_promised_instance_sop_instance_uid"), "promised_instance", ["sop_instance_uid"])
    op.create_index(op.f("ix_promised_instance_case_ref"), "promised_instance", ["case_ref"])


def downgrade() -> None:
    """Take back; a result that was not told yet is told to nobody: its sender asks again."""
    op.execute("DELETE FROM job WHERE kind = 'report'")
    op.drop_table("promised_instance")
    op.drop_table("promise")
