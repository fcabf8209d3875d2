"""Tokens of the API, each in a role."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from csms.state.columns import instant_storage

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "access_token",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("created_at", instant_storage(), nullable=False),
        sa.Column("expires_at", instant_storage(), nullable=True),
        sa.Column("revoked_at", instant_storage(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
        sa.UniqueConstraint("token_hash"),
    )
