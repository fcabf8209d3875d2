"""Message log, and quarters in the place of old samples."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from csms.state.columns import instant_storage

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "message",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("station_id", sa.String(), nullable=False),
        sa.Column("at", instant_storage(), nullable=False),
        sa.Column("way", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=True),
        sa.Column("message_id", sa.String(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_message_station_id", "message", ["station_id", "id"])
    op.create_index("ix_message_at", "message", ["at"])
    op.create_table(
        "session_quarter",
        sa.Column("session_number", sa.BigInteger(), nullable=False),
        sa.Column("quarter", instant_storage(), nullable=False),
        sa.Column("import_kwh", sa.Float(), nullable=False),
        sa.Column("export_kwh", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["session_number"], ["session.number"]),
        sa.PrimaryKeyConstraint("session_number", "quarter"),
        sqlite_with_rowid=False,
    )
    op.add_column("session", sa.Column("end_received_at", instant_storage(), nullable=True))
    op.add_column("session", sa.Column("rolled_up", sa.Boolean(), nullable=False, server_default=sa.false()))
