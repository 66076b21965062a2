"""Indexes by which PostgreSQL finds opaque ids by their beginning, whatever the language of the database."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_INDEXES = {"ix_study_case_ref_prefix": "case_ref", "ix_study_study_instance_uid_prefix": "study_instance_uid"}


def upgrade() -> None:
    """Apply."""
    if op.get_bind().dialect.name == "postgresql":  # SQLite compares octets as it is
        for name, column in _INDEXES.items():
            op.create_index(name, "study", [sa.text(f'{column} COLLATE "C"')])


def downgrade() -> None:
    """Take back."""
    if op.get_bind().dialect.name == "postgresql":
        for name in _INDEXES:
            op.drop_index(name, table_name="study")
