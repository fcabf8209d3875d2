"""What suppliers were told that connections would take, a day ahead."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from csms.state.columns import instant_storage

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "load_forecast",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("ean18", sa.String(), nullable=False),
        sa.Column("supplier", sa.String(), nullable=False),
        sa.Column("made_at", instant_storage(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("start_at", instant_storage(), nullable=False),
        sa.Column("net_kwh", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("day", "ean18"),
    )
    op.create_index("ix_load_forecast_made_at", "load_forecast", ["made_at"])
