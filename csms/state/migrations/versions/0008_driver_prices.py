"""What drivers pay: the price of a session, announced fees and their lines."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from csms.state.columns import instant_storage

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def _session() -> sa.Column[int]:
    return sa.Column("session_number", sa.BigInteger(), sa.ForeignKey("session.number"), nullable=False)


def upgrade() -> None:
    op.create_table(
        "session_price",
        _session(),
        sa.Column("choice", sa.String(), nullable=False),
        sa.Column("cents_per_kwh", sa.Integer(), nullable=False),
        sa.Column("quoted_at", instant_storage(), nullable=False),
        sa.PrimaryKeyConstraint("session_number"),
    )
    op.create_table(
        "idle_notice",
        _session(),
        sa.Column("announced_at", instant_storage(), nullable=False),
        sa.Column("runs_from", instant_storage(), nullable=False),
        sa.PrimaryKeyConstraint("session_number", "announced_at"),
    )
    op.create_table(
        "idle_fee",
        _session(),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.Column("amount_cents", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("session_number", "day"),
    )
