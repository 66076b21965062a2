"""How each session was begun, and which addresses failed to sign in lately."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    # Sessions that are there may be of either way; ended by both, as before.
    op.add_column("session", sa.Column("way", sa.String(length=16), nullable=False, server_default=""))
    op.create_table(
        "sign_in_failure",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_failure")),
    )
    op.create_index("ix_sign_in_failure_address_at", "sign_in_failure", ["address", "at"])


def downgrade() -> None:
    """Take back."""
    op.drop_table("sign_in_failure")
    op.drop_column("session", "way")
