"""Which processes live, and whether they are signed in at the EHR."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "pulse",
        sa.Column("process", sa.String(length=128), nullable=False),
        sa.Column("part", sa.String(length=16), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("sign_in", sa.String(length=16), nullable=True),
        sa.Column("sign_in_until", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("process", name=op.f("pk_pulse")),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("pulse")
