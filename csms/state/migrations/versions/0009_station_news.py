"""What stations tell beside charging, and their device models."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from csms.state.columns import instant_storage

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_news()
    _create_variables()


def _create_news() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "station_news",
        sa.Column("number", number, autoincrement=True, nullable=False),
        sa.Column("station_id", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("at", instant_storage(), nullable=False),
        sa.Column("received_at", instant_storage(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("digest"),
    )
    op.create_index("ix_station_news_station_id", "station_news", ["station_id"])
    op.create_index("ix_station_news_received_at", "station_news", ["received_at"])


def _create_variables() -> None:
    names = ["station_id", "component", "component_instance", "evse_id", "connector_id"]
    names += ["variable", "variable_instance", "attribute"]
    numbers = {"evse_id", "connector_id"}
    op.create_table(
        "device_variable",
        *(
            sa.Column(name, sa.Integer() if name in numbers else sa.String(), nullable=False)
            for name in names
        ),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("mutability", sa.String(), nullable=False),
        sa.Column("data_type", sa.String(), nullable=True),
        sa.Column("unit", sa.String(), nullable=True),
        sa.Column("reported_at", instant_storage(), nullable=False),
        sa.PrimaryKeyConstraint(*names),
    )
