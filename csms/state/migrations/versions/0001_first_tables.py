"""first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from csms.state.columns import instant_storage

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_booking()
    _create_connection()
    _create_meter_value()
    _create_notice()
    _create_plan()
    _create_rejected_sample()
    _create_sample_shape()
    _create_station_model()
    _create_street_meter()
    _create_vehicle()
    _create_station()
    _create_token()
    _create_vehicle_conformity()
    _create_evse()
    _create_charging_needs()
    _create_session()
    _create_declaration()
    _create_transaction_event()


def _create_booking() -> None:
    op.create_table(
        "booking",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("token_folded", sa.String(), nullable=False),
        sa.Column("starts_at", instant_storage(), nullable=False),
        sa.Column("ends_at", instant_storage(), nullable=False),
        sa.Column("energy_kwh", sa.Float(), nullable=False),
        sa.Column("made_at", instant_storage(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("booking", schema=None) as batch_op:
        batch_op.create_index("ix_booking_token_starts", ["token_folded", "starts_at"], unique=False)


def _create_connection() -> None:
    op.create_table(
        "connection",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("ean18", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("fuse", sa.String(), nullable=False),
        sa.Column("feed_in_registered", sa.Boolean(), nullable=False),
        sa.Column("export_limit_kw", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("ean18"),
    )


def _create_meter_value() -> None:
    op.create_table(
        "meter_value",
        sa.Column("session_number", sa.BigInteger(), nullable=False),
        sa.Column("evse_key", sa.BigInteger(), nullable=False),
        sa.Column("station_at", instant_storage(), nullable=False),
        sa.Column("at", instant_storage(), nullable=False),
        sa.Column("received_at", instant_storage(), nullable=False),
        sa.Column("shape_id", sa.BigInteger(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.Column("import_kwh", sa.Float(), nullable=True),
        sa.Column("export_kwh", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("session_number", "evse_key", "station_at"),
        sqlite_with_rowid=False,
    )


def _create_notice() -> None:
    op.create_table(
        "notice",
        sa.Column("station_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("session_number", sa.BigInteger(), nullable=False),
        sa.Column("first_at", instant_storage(), nullable=False),
        sa.Column("last_at", instant_storage(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("station_id", "kind", "session_number"),
    )


def _create_plan() -> None:
    op.create_table(
        "plan",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("at", instant_storage(), nullable=False),
        sa.Column("trigger", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("objective_eur", sa.Float(), nullable=True),
        sa.Column("gap", sa.Float(), nullable=True),
        sa.Column("solve_seconds", sa.Float(), nullable=False),
        sa.Column("problem", sa.LargeBinary(), nullable=False),
        sa.Column("plan", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("plan", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_plan_at"), ["at"], unique=False)


def _create_rejected_sample() -> None:
    op.create_table(
        "rejected_sample",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("station_id", sa.String(), nullable=False),
        sa.Column("evse_id", sa.Integer(), nullable=True),
        sa.Column("session_number", sa.BigInteger(), nullable=False),
        sa.Column("received_at", instant_storage(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("rejected_sample", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rejected_sample_station_id"), ["station_id"], unique=False)


def _create_sample_shape() -> None:
    op.create_table(
        "sample_shape",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _create_station_model() -> None:
    op.create_table(
        "station_model",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("protocol", sa.String(), nullable=False),
        sa.Column("vendor", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("rate_unit", sa.String(), nullable=False),
        sa.Column("max_periods", sa.Integer(), nullable=False),
        sa.Column("max_stack_level", sa.Integer(), nullable=False),
        sa.Column("phases", sa.Integer(), nullable=False),
        sa.Column("max_current_a", sa.Float(), nullable=False),
        sa.Column("min_current_a", sa.Float(), nullable=False),
        sa.Column("discharge_dialect", sa.String(), nullable=False),
        sa.Column("grid_code_conformant", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _create_street_meter() -> None:
    op.create_table(
        "street_meter",
        sa.Column("meter_id", sa.String(), nullable=False),
        sa.Column("quarter", instant_storage(), nullable=False),
        sa.Column("first_at", instant_storage(), nullable=False),
        sa.Column("first_import_kwh", sa.Float(), nullable=False),
        sa.Column("first_export_kwh", sa.Float(), nullable=False),
        sa.Column("at", instant_storage(), nullable=False),
        sa.Column("import_kwh", sa.Float(), nullable=False),
        sa.Column("export_kwh", sa.Float(), nullable=False),
        sa.Column("power_kw", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("meter_id", "quarter"),
    )


def _create_vehicle() -> None:
    op.create_table(
        "vehicle",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("capacity_kwh", sa.Float(), nullable=False),
        sa.Column("max_charge_kw", sa.Float(), nullable=False),
        sa.Column("max_discharge_kw", sa.Float(), nullable=False),
        sa.Column("phases", sa.Integer(), nullable=False),
        sa.Column("charge_efficiency", sa.Float(), nullable=False),
        sa.Column("discharge_efficiency", sa.Float(), nullable=False),
        sa.Column("discharge_opt_in", sa.Boolean(), nullable=False),
        sa.Column("floor_soc_fraction", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )


def _create_station() -> None:
    op.create_table(
        "station",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("connection_id", sa.String(), nullable=False),
        sa.Column("model_name", sa.String(), nullable=False),
        sa.Column("key_hash", sa.String(), nullable=True),
        sa.Column("version", sa.String(), nullable=True),
        sa.Column("vendor", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("serial_number", sa.Text(), nullable=True),
        sa.Column("firmware_version", sa.Text(), nullable=True),
        sa.Column("booted_at", instant_storage(), nullable=True),
        sa.Column("seen_at", instant_storage(), nullable=True),
        sa.ForeignKeyConstraint(["connection_id"], ["connection.id"]),
        sa.ForeignKeyConstraint(["model_name"], ["station_model.name"]),
        sa.PrimaryKeyConstraint("id"),
    )


def _create_token() -> None:
    op.create_table(
        "token",
        sa.Column("folded", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("expires_at", instant_storage(), nullable=True),
        sa.Column("vehicle_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["vehicle_id"], ["vehicle.id"]),
        sa.PrimaryKeyConstraint("folded"),
    )


def _create_vehicle_conformity() -> None:
    op.create_table(
        "vehicle_conformity",
        sa.Column("vehicle_id", sa.String(), nullable=False),
        sa.Column("model_name", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["vehicle_id"], ["vehicle.id"]),
        sa.PrimaryKeyConstraint("vehicle_id", "model_name"),
    )


def _create_evse() -> None:
    op.create_table(
        "evse",
        sa.Column(
            "key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("station_id", sa.String(), nullable=False),
        sa.Column("evse_id", sa.Integer(), nullable=False),
        sa.Column("emi3", sa.String(), nullable=True),
        sa.Column("phase_rotation", sa.String(), nullable=False),
        sa.Column("configured", sa.Boolean(), nullable=False),
        sa.Column("connector_id", sa.Integer(), nullable=True),
        sa.Column("status", sa.String(), nullable=True),
        sa.Column("status_at", instant_storage(), nullable=True),
        sa.ForeignKeyConstraint(["station_id"], ["station.id"]),
        sa.PrimaryKeyConstraint("key"),
        sa.UniqueConstraint("station_id", "evse_id"),
    )


def _create_charging_needs() -> None:
    op.create_table(
        "charging_needs",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("evse_key", sa.BigInteger(), nullable=False),
        sa.Column("session_number", sa.BigInteger(), nullable=False),
        sa.Column("at", instant_storage(), nullable=False),
        sa.Column("needs_json", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["evse_key"], ["evse.key"]),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("charging_needs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_charging_needs_evse_key"), ["evse_key"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_charging_needs_session_number"), ["session_number"], unique=False
        )


def _create_session() -> None:
    op.create_table(
        "session",
        sa.Column(
            "number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("station_id", sa.String(), nullable=False),
        sa.Column("evse_key", sa.BigInteger(), nullable=True),
        sa.Column("transaction_id", sa.String(), nullable=False),
        sa.Column("start_key", sa.String(), nullable=True),
        sa.Column("start_seen", sa.Boolean(), nullable=False),
        sa.Column("token", sa.String(), nullable=True),
        sa.Column("token_status", sa.String(), nullable=True),
        sa.Column("started_at", instant_storage(), nullable=False),
        sa.Column("station_started_at", instant_storage(), nullable=False),
        sa.Column("received_at", instant_storage(), nullable=False),
        sa.Column("ended_at", instant_storage(), nullable=True),
        sa.Column("end_presumed", sa.Boolean(), nullable=False),
        sa.Column("meter_start_kwh", sa.Float(), nullable=True),
        sa.Column("meter_stop_kwh", sa.Float(), nullable=True),
        sa.Column("stopped_reason", sa.String(), nullable=True),
        sa.Column("stop_token_status", sa.String(), nullable=True),
        sa.Column("charging_state", sa.String(), nullable=True),
        sa.Column("charging_state_at", instant_storage(), nullable=True),
        sa.Column("max_power_kw", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["evse_key"], ["evse.key"]),
        sa.ForeignKeyConstraint(["station_id"], ["station.id"]),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id"),
        sa.UniqueConstraint("station_id", "start_key"),
        sa.UniqueConstraint("station_id", "transaction_id"),
    )
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.create_index("ix_session_ended", ["ended_at"], unique=False)
        batch_op.create_index("ix_session_evse_started", ["evse_key", "started_at"], unique=False)


def _create_declaration() -> None:
    op.create_table(
        "declaration",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("session_number", sa.BigInteger(), nullable=False),
        sa.Column("at", instant_storage(), nullable=False),
        sa.Column("departure", instant_storage(), nullable=False),
        sa.Column("energy_kwh", sa.Float(), nullable=True),
        sa.Column("target_soc_fraction", sa.Float(), nullable=True),
        sa.Column("discharge_opt_in", sa.Boolean(), nullable=False),
        sa.Column("floor_soc_fraction", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["session_number"], ["session.number"]),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("declaration", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_declaration_session_number"), ["session_number"], unique=False)


def _create_transaction_event() -> None:
    op.create_table(
        "transaction_event",
        sa.Column("session_number", sa.BigInteger(), nullable=False),
        sa.Column("seq_no", sa.BigInteger(), nullable=False),
        sa.Column("phase", sa.String(), nullable=False),
        sa.Column("at", instant_storage(), nullable=False),
        sa.Column("station_at", instant_storage(), nullable=False),
        sa.Column("received_at", instant_storage(), nullable=False),
        sa.Column("trigger_reason", sa.String(), nullable=True),
        sa.Column("charging_state", sa.String(), nullable=True),
        sa.Column("offline", sa.Boolean(), nullable=False),
        sa.Column("token_status", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["session_number"], ["session.number"]),
        sa.PrimaryKeyConstraint("session_number", "seq_no"),
        sqlite_with_rowid=False,
    )
