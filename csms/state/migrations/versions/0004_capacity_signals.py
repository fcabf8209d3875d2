"""What grid operators said."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from csms.state.columns import instant_storage

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "capacity_signal",
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("group_id", sa.String(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("binding", sa.Boolean(), nullable=False),
        sa.Column("blocks", sa.Text(), nullable=False),
        sa.Column("received_at", instant_storage(), nullable=False),
        sa.Column("ends_at", instant_storage(), nullable=False),
        sa.Column("withdrawn_at", instant_storage(), nullable=True),
        sa.PrimaryKeyConstraint("sender", "id"),
    )
    op.create_index("ix_capacity_signal_ends", "capacity_signal", ["ends_at"])
    op.create_table(
        "signal_sender",
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("heard_at", instant_storage(), nullable=False),
        sa.Column("offline_at", instant_storage(), nullable=True),
        sa.PrimaryKeyConstraint("sender"),
    )
