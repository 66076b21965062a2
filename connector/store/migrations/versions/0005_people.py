"""People: who signs in, who did what and who saw what; and the order in which the worklist is read."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "account",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.Column("disabled_at", sa.Float(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_account")),
    )
    op.create_table(
        "session",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("began_at", sa.Float(), nullable=False),
        sa.Column("seen_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_session")),
    )
    op.create_index(op.f("ix_session_name"), "session", ["name"], unique=False)
    op.add_column("event", sa.Column("action_key", sa.String(length=64), nullable=True))
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.create_unique_constraint(batch_op.f("uq_event_action_key"), ["action_key"])
        batch_op.create_index(batch_op.f("ix_event_ref"), ["ref"], unique=False)
        batch_op.create_index(batch_op.f("ix_event_case_ref"), ["case_ref"], unique=False)
        batch_op.create_index(batch_op.f("ix_event_actor"), ["actor"], unique=False)
    op.create_index("ix_study_last_received_at_study_instance_uid", "study", ["last_received_at", "study_instance_uid"])
    op.create_index("ix_study_case_ref_last_received_at", "study", ["case_ref", "last_received_at"])


def downgrade() -> None:
    """Take back: accounts and sessions go; a study that was kept out is parted from the patient for good."""
    # The older program knows no rejected study: under a key of its own it is no prior, and no record matches it.
    op.execute(
        "UPDATE study SET state = 'complete', patient_key = patient_key || '#rejected#' || study_instance_uid "
        "WHERE state = 'rejected'"
    )
    op.drop_index("ix_study_case_ref_last_received_at", "study")
    op.drop_index("ix_study_last_received_at_study_instance_uid", "study")
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_event_actor"))
        batch_op.drop_index(batch_op.f("ix_event_case_ref"))
        batch_op.drop_index(batch_op.f("ix_event_ref"))
        batch_op.drop_constraint(batch_op.f("uq_event_action_key"), type_="unique")
        batch_op.drop_column("action_key")
    op.drop_index(op.f("ix_session_name"), "session")
    op.drop_table("session")
    op.drop_table("account")
