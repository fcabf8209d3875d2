"""The tables. Rows are the truth: everything that the service knows can be read back from them.

Business keys make recording exactly-once in effect: a session by (station, transaction id), a 1.6 start also
by what the station said, a transaction event by its sequence number, meter values by their instant.
Energy in kWh, power in kW, instants aware UTC.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from csms.state.columns import Instant

# SQLite numbers rows by itself only in columns of exactly this type.
_Number = BigInteger().with_variant(Integer(), "sqlite")


class ConnectionRow(SQLModel, table=True):
    """A grid connection."""

    __tablename__ = "connection"

    id: str = Field(primary_key=True)
    node: str
    ean18: str = Field(unique=True)
    kind: str
    fuse: str
    feed_in_registered: bool = False
    export_limit_kw: float = 0.0


class StationModelRow(SQLModel, table=True):
    """A type of charging station."""

    __tablename__ = "station_model"

    name: str = Field(primary_key=True)
    protocol: str
    vendor: str
    model: str
    rate_unit: str
    max_periods: int
    max_stack_level: int
    phases: int
    max_current_a: float
    min_current_a: float
    discharge_dialect: str
    grid_code_conformant: bool


class StationRow(SQLModel, table=True):
    """A charging station; ``key_hash`` is the HMAC-SHA256 of its key under the server's pepper."""

    __tablename__ = "station"

    id: str = Field(primary_key=True)
    connection_id: str = Field(foreign_key="connection.id")
    model_name: str = Field(foreign_key="station_model.name")
    key_hash: str | None = None
    version: str | None = None
    vendor: str | None = Field(default=None, sa_type=Text)
    model: str | None = Field(default=None, sa_type=Text)
    serial_number: str | None = Field(default=None, sa_type=Text)
    firmware_version: str | None = Field(default=None, sa_type=Text)
    booted_at: datetime | None = Field(default=None, sa_type=Instant)
    seen_at: datetime | None = Field(default=None, sa_type=Instant)


class EvseRow(SQLModel, table=True):
    """An EVSE; number 0 is the station itself. One that is not configured came from a message."""

    __tablename__ = "evse"
    __table_args__ = (UniqueConstraint("station_id", "evse_id"),)

    key: int | None = Field(default=None, sa_column=Column(_Number, primary_key=True, autoincrement=True))
    station_id: str = Field(foreign_key="station.id")
    evse_id: int
    emi3: str | None = None
    phase_rotation: str = "unknown"
    configured: bool = False
    connector_id: int | None = None
    status: str | None = None
    status_at: datetime | None = Field(default=None, sa_type=Instant)


class VehicleRow(SQLModel, table=True):
    """A car that its owner made known."""

    __tablename__ = "vehicle"

    id: str = Field(primary_key=True)
    capacity_kwh: float
    max_charge_kw: float
    max_discharge_kw: float
    phases: int
    charge_efficiency: float
    discharge_efficiency: float
    discharge_opt_in: bool = False
    floor_soc_fraction: float | None = None


class VehicleConformityRow(SQLModel, table=True):
    """A car conforms to the grid code together with a station model when it feeds in."""

    __tablename__ = "vehicle_conformity"

    vehicle_id: str = Field(primary_key=True, foreign_key="vehicle.id")
    model_name: str = Field(primary_key=True)


class TokenRow(SQLModel, table=True):
    """An id token; ``folded`` is its value without case, by which it is found."""

    __tablename__ = "token"

    folded: str = Field(primary_key=True)
    value: str
    kind: str = "ISO14443"
    status: str = "Accepted"
    expires_at: datetime | None = Field(default=None, sa_type=Instant)
    vehicle_id: str | None = Field(default=None, foreign_key="vehicle.id")


class SessionRow(SQLModel, table=True):
    """One plug-in: an OCPP transaction.

    ``start_key`` is what a 1.6 start says of itself. ``start_seen`` is false while only later messages came.
    ``end_presumed``: ended because another session began on the EVSE; the station's own end replaces it.
    ``end_received_at``: when we learnt the end of one that ran on an EVSE.
    ``rolled_up``: its samples are gone, its energy stands in `SessionQuarterRow`.
    """

    __tablename__ = "session"
    __table_args__ = (
        UniqueConstraint("station_id", "transaction_id"),
        UniqueConstraint("station_id", "start_key"),
        Index("ix_session_evse_started", "evse_key", "started_at"),
        Index("ix_session_ended", "ended_at"),
    )

    number: int | None = Field(default=None, sa_column=Column(_Number, primary_key=True, autoincrement=True))
    id: str = Field(unique=True)
    station_id: str = Field(foreign_key="station.id")
    evse_key: int | None = Field(default=None, sa_type=BigInteger, foreign_key="evse.key")
    transaction_id: str
    start_key: str | None = None
    start_seen: bool = True
    token: str | None = None
    token_status: str | None = None
    started_at: datetime = Field(sa_type=Instant)
    station_started_at: datetime = Field(sa_type=Instant)
    received_at: datetime = Field(sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)
    end_received_at: datetime | None = Field(default=None, sa_type=Instant)
    end_presumed: bool = False
    meter_start_kwh: float | None = None
    meter_stop_kwh: float | None = None
    rolled_up: bool = False
    stopped_reason: str | None = None
    stop_token_status: str | None = None
    charging_state: str | None = None
    charging_state_at: datetime | None = Field(default=None, sa_type=Instant)
    max_power_kw: float


class TransactionEventRow(SQLModel, table=True):
    """A TransactionEvent of OCPP 2.x."""

    __tablename__ = "transaction_event"
    __table_args__ = ({"sqlite_with_rowid": False},)

    session_number: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="session.number")
    seq_no: int = Field(primary_key=True, sa_type=BigInteger)
    phase: str
    at: datetime = Field(sa_type=Instant)
    station_at: datetime = Field(sa_type=Instant)
    received_at: datetime = Field(sa_type=Instant)
    trigger_reason: str | None = None
    charging_state: str | None = None
    offline: bool = False
    token_status: str | None = None


class SampleShapeRow(SQLModel, table=True):
    """What the values of a meter row are: JSON list of [measurand, unit, phase, location, context].

    The id is a hash of the definition.
    """

    __tablename__ = "sample_shape"

    id: int = Field(primary_key=True, sa_type=BigInteger)
    definition: str = Field(sa_type=Text)


class MeterValueRow(SQLModel, table=True):
    """All samples of an EVSE at one instant, as packed doubles in the order of their shape.

    ``station_at`` is what the station's clock said, ``at`` what we hold for true. 0 is no session, no EVSE.
    The registers over all phases stand beside the packed values, for energy.
    """

    __tablename__ = "meter_value"
    __table_args__ = ({"sqlite_with_rowid": False},)

    session_number: int = Field(primary_key=True, sa_type=BigInteger)
    evse_key: int = Field(primary_key=True, sa_type=BigInteger)
    station_at: datetime = Field(primary_key=True, sa_type=Instant)
    at: datetime = Field(sa_type=Instant)
    received_at: datetime = Field(sa_type=Instant)
    shape_id: int = Field(sa_type=BigInteger)
    packed: bytes = Field(sa_type=LargeBinary)
    import_kwh: float | None = None
    export_kwh: float | None = None


class RejectedSampleRow(SQLModel, table=True):
    """A sample that could not be read, as it came."""

    __tablename__ = "rejected_sample"

    id: int | None = Field(default=None, sa_column=Column(_Number, primary_key=True, autoincrement=True))
    station_id: str = Field(index=True)
    evse_id: int | None = None
    session_number: int = Field(default=0, sa_type=BigInteger)
    received_at: datetime = Field(sa_type=Instant)
    raw: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)


class ChargingNeedsRow(SQLModel, table=True):
    """What a car said that it needs, as JSON in the words of the vocabulary."""

    __tablename__ = "charging_needs"

    id: int | None = Field(default=None, sa_column=Column(_Number, primary_key=True, autoincrement=True))
    evse_key: int = Field(sa_type=BigInteger, foreign_key="evse.key", index=True)
    session_number: int = Field(default=0, sa_type=BigInteger, index=True)
    at: datetime = Field(sa_type=Instant)
    needs_json: str = Field(sa_type=Text)


class DeclarationRow(SQLModel, table=True):
    """What a driver declared; the last one of a session counts."""

    __tablename__ = "declaration"

    id: int | None = Field(default=None, sa_column=Column(_Number, primary_key=True, autoincrement=True))
    session_number: int = Field(sa_type=BigInteger, foreign_key="session.number", index=True)
    at: datetime = Field(sa_type=Instant)
    departure: datetime = Field(sa_type=Instant)
    energy_kwh: float | None = None
    target_soc_fraction: float | None = None
    discharge_opt_in: bool = False
    floor_soc_fraction: float | None = None


class BookingRow(SQLModel, table=True):
    """A shared car is booked."""

    __tablename__ = "booking"
    __table_args__ = (Index("ix_booking_token_starts", "token_folded", "starts_at"),)

    id: str = Field(primary_key=True)
    token: str
    token_folded: str
    starts_at: datetime = Field(sa_type=Instant)
    ends_at: datetime = Field(sa_type=Instant)
    energy_kwh: float
    made_at: datetime = Field(sa_type=Instant)


class StreetMeterRow(SQLModel, table=True):
    """First and last telegram of a street meter within a quarter; power is that of the last."""

    __tablename__ = "street_meter"

    meter_id: str = Field(primary_key=True)
    quarter: datetime = Field(primary_key=True, sa_type=Instant)
    first_at: datetime = Field(sa_type=Instant)
    first_import_kwh: float
    first_export_kwh: float
    at: datetime = Field(sa_type=Instant)
    import_kwh: float
    export_kwh: float
    power_kw: float


class PlanRow(SQLModel, table=True):
    """A plan with the problem that it solves; the documents are JSON under zlib."""

    __tablename__ = "plan"

    id: str = Field(primary_key=True)
    at: datetime = Field(sa_type=Instant, index=True)
    trigger: str
    status: str
    objective_eur: float | None = None
    gap: float | None = None
    solve_seconds: float
    problem: bytes = Field(sa_type=LargeBinary)
    plan: bytes = Field(sa_type=LargeBinary)


class NoticeKind(StrEnum):
    """What a station did that somebody should look at."""

    CLOCK_OFF = "clock off"
    FOREIGN_TRANSACTION = "foreign transaction"
    REGISTER_DECREASED = "register decreased"
    REGISTER_TOO_FAST = "register too fast"
    SEQUENCE_GAP = "sequence gap"
    SEQUENCE_REUSED = "sequence reused"
    SESSION_OVERLAP = "session overlap"
    UNKNOWN_EVSE = "unknown evse"
    UNKNOWN_TRANSACTION = "unknown transaction"


class NoticeRow(SQLModel, table=True):
    """Something remarkable, once per station, kind and session (0: none), with how often and what last."""

    __tablename__ = "notice"

    station_id: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    session_number: int = Field(primary_key=True, sa_type=BigInteger)
    first_at: datetime = Field(sa_type=Instant)
    last_at: datetime = Field(sa_type=Instant)
    count: int
    detail: str = Field(sa_type=Text)


class SessionQuarterRow(SQLModel, table=True):
    """Energy of an old session in a quarter, for which its samples were given up."""

    __tablename__ = "session_quarter"
    __table_args__ = ({"sqlite_with_rowid": False},)

    session_number: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="session.number")
    quarter: datetime = Field(primary_key=True, sa_type=Instant)
    import_kwh: float
    export_kwh: float


class MessageRow(SQLModel, table=True):
    """A frame from or to a station, without secrets."""

    __tablename__ = "message"
    __table_args__ = (Index("ix_message_station_id", "station_id", "id"),)

    id: int | None = Field(default=None, sa_column=Column(_Number, primary_key=True, autoincrement=True))
    station_id: str
    at: datetime = Field(sa_type=Instant, index=True)
    way: str
    kind: str
    action: str | None = None
    message_id: str | None = None
    payload: str = Field(sa_type=Text)


class CapacitySignalRow(SQLModel, table=True):
    """A capacity signal as it was taken; ``blocks`` is JSON."""

    __tablename__ = "capacity_signal"
    __table_args__ = (Index("ix_capacity_signal_ends", "ends_at"),)

    sender: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    source: str
    group_id: str
    direction: str
    kind: str
    binding: bool
    blocks: str = Field(sa_type=Text)
    received_at: datetime = Field(sa_type=Instant)
    ends_at: datetime = Field(sa_type=Instant)
    withdrawn_at: datetime | None = Field(default=None, sa_type=Instant)


class SignalSenderRow(SQLModel, table=True):
    """Until when a sender of signals counts as heard."""

    __tablename__ = "signal_sender"

    sender: str = Field(primary_key=True)
    heard_at: datetime = Field(sa_type=Instant)
    offline_at: datetime | None = Field(default=None, sa_type=Instant)


class SenderSilenceRow(SQLModel, table=True):
    """A span in which a sender of signals was not heard, so that its fallback ruled; written when it ends."""

    __tablename__ = "sender_silence"

    sender: str = Field(primary_key=True)
    start_at: datetime = Field(primary_key=True, sa_type=Instant)
    end_at: datetime = Field(sa_type=Instant)


class SessionPriceRow(SQLModel, table=True):
    """What a kWh of a session costs the driver, VAT included."""

    __tablename__ = "session_price"

    session_number: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="session.number")
    choice: str
    cents_per_kwh: int
    quoted_at: datetime = Field(sa_type=Instant)


class IdleNoticeRow(SQLModel, table=True):
    """The driver of a full car was told from when on staying costs something."""

    __tablename__ = "idle_notice"

    session_number: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="session.number")
    announced_at: datetime = Field(primary_key=True, sa_type=Instant)
    runs_from: datetime = Field(sa_type=Instant)


class IdleFeeRow(SQLModel, table=True):
    """How long the idle fee ran on a local day (ISO), and what that costs, VAT included."""

    __tablename__ = "idle_fee"

    session_number: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="session.number")
    day: str = Field(primary_key=True)
    seconds: int
    amount_cents: int


class OscpPartnerRow(SQLModel, table=True):
    """A grid operator that speaks OSCP; ``our_token_hash`` is what it shows, ``their_token`` what we show."""

    __tablename__ = "oscp_partner"

    name: str = Field(primary_key=True)
    our_token_hash: str
    their_token: str | None = None
    base_url: str | None = None
    heartbeat_interval_s: int | None = None
    intermittent: bool = False
    agreed_at: datetime | None = Field(default=None, sa_type=Instant)


class LoadForecastRow(SQLModel, table=True):
    """What a connection was expected to take on a local day (ISO), as it was announced; never changed.

    ``net_kwh`` is a JSON list: import less export of the day's quarters in order, from ``start_at`` on;
    ``late`` was made after suppliers had to have it.
    """

    __tablename__ = "load_forecast"
    __table_args__ = (UniqueConstraint("day", "ean18"),)

    id: int | None = Field(default=None, sa_column=Column(_Number, primary_key=True, autoincrement=True))
    day: str
    ean18: str
    supplier: str
    made_at: datetime = Field(sa_type=Instant, index=True)
    late: bool
    start_at: datetime = Field(sa_type=Instant)
    net_kwh: str = Field(sa_type=Text)
