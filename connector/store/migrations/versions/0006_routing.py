"""What routing and completeness need: series as they come, why a study is kept out, and procedure steps."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "series",
        sa.Column("series_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("modality", sa.String(length=16), nullable=False),
        sa.Column("body_part", sa.String(length=64), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("procedure_codes", sa.Text(), nullable=False),
        sa.Column("last_received_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("series_instance_uid", name=op.f("pk_series")),
    )
    op.create_index(op.f("ix_series_study_instance_uid"), "series", ["study_instance_uid"])
    op.add_column("study", sa.Column("rule", sa.String(length=64), nullable=True))
    op.add_column("study", sa.Column("assess", sa.String(length=64), nullable=True))
    op.add_column("study", sa.Column("told", sa.Text(), nullable=True))
    op.create_table(
        "procedure_step",
        sa.Column("uid", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.Column("awaited", sa.Text(), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("transaction_uid", sa.String(length=64), nullable=True),
        sa.Column("ours", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.Column("settled_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_procedure_step")),
    )
    op.create_index(op.f("ix_procedure_step_study_instance_uid"), "procedure_step", ["study_instance_uid"])
    op.create_index("ix_procedure_step_settled_at", "procedure_step", ["settled_at"])


def downgrade() -> None:
    """Take back."""
    op.drop_table("procedure_step")
    # To the version before, every study is one to be assessed.
    op.execute("UPDATE study SET state = 'receiving' WHERE state IN ('kept_out', 'incomplete')")
    for column in ("told", "assess", "rule"):
        with op.batch_alter_table("study", schema=None) as batch_op:
            batch_op.drop_column(column)
    op.drop_table("series")
