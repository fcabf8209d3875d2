"""Grid operators that speak OSCP."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from csms.state.columns import instant_storage

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "oscp_partner",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("our_token_hash", sa.String(), nullable=False),
        sa.Column("their_token", sa.String(), nullable=True),
        sa.Column("base_url", sa.String(), nullable=True),
        sa.Column("heartbeat_interval_s", sa.Integer(), nullable=True),
        sa.Column("intermittent", sa.Boolean(), nullable=False),
        sa.Column("agreed_at", instant_storage(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
