"""When senders of signals were not heard."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from csms.state.columns import instant_storage

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sender_silence",
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("start_at", instant_storage(), nullable=False),
        sa.Column("end_at", instant_storage(), nullable=False),
        sa.PrimaryKeyConstraint("sender", "start_at"),
    )
