"""What stations say and what we tell them, whatever OCPP version they speak.

The words are those of OCPP 2.x (charging station, EVSE, connector, transaction, id token). The codecs `v16`,
`v201` and `v21` translate payloads to these dataclasses and back; nothing behind them asks which version a
station speaks.
Signs: power and current > 0 flow into the vehicle. Energy in kWh, power in kW, instants aware UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from csms.ocpp.operations import Operation
from csms.ocpp.reporting import NewsReport, VariableReport

Payload = dict[str, Any]


class OcppVersion(StrEnum):
    """Websocket subprotocol of a connection."""

    V16 = "ocpp1.6"
    V201 = "ocpp2.0.1"
    V21 = "ocpp2.1"


class RegistrationStatus(StrEnum):
    """Answer to a boot."""

    ACCEPTED = "Accepted"
    PENDING = "Pending"
    REJECTED = "Rejected"


class ConnectorStatus(StrEnum):
    """Status of a connector; the nine states of 1.6 are a superset of the five of 2.x."""

    AVAILABLE = "Available"
    OCCUPIED = "Occupied"
    PREPARING = "Preparing"
    CHARGING = "Charging"
    SUSPENDED_EV = "SuspendedEV"
    SUSPENDED_EVSE = "SuspendedEVSE"
    FINISHING = "Finishing"
    RESERVED = "Reserved"
    UNAVAILABLE = "Unavailable"
    FAULTED = "Faulted"


class AuthorizationStatus(StrEnum):
    """Answer to a token."""

    ACCEPTED = "Accepted"
    BLOCKED = "Blocked"
    EXPIRED = "Expired"
    INVALID = "Invalid"
    CONCURRENT_TX = "ConcurrentTx"
    UNKNOWN = "Unknown"


class TransactionPhase(StrEnum):
    """Which part of a transaction a message reports."""

    STARTED = "Started"
    UPDATED = "Updated"
    ENDED = "Ended"


class Measurand(StrEnum):
    """Measured quantities that the service keeps; others are stored by their name."""

    ENERGY_IMPORT_REGISTER = "Energy.Active.Import.Register"
    ENERGY_EXPORT_REGISTER = "Energy.Active.Export.Register"
    POWER_IMPORT = "Power.Active.Import"
    POWER_EXPORT = "Power.Active.Export"
    POWER_OFFERED = "Power.Offered"
    CURRENT_IMPORT = "Current.Import"
    CURRENT_EXPORT = "Current.Export"
    CURRENT_OFFERED = "Current.Offered"
    VOLTAGE = "Voltage"
    SOC = "SoC"


@dataclass(frozen=True, slots=True)
class IdToken:
    """A card, app or car identity. 1.6 tags compare without case."""

    value: str
    kind: str = "ISO14443"


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured value in the service's units: kWh, kW, A, V, fraction (SoC)."""

    timestamp: datetime
    measurand: str
    value: float
    unit: str
    phase: str | None = None
    location: str | None = None
    context: str = "Sample.Periodic"


@dataclass(frozen=True, slots=True)
class RejectedSample:
    """A sample that could not be read: kept beside the message, never in the way of it."""

    raw: str
    reason: str


# --- requests of a station ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Boot:
    """BootNotification."""

    vendor: str
    model: str
    serial_number: str | None = None
    firmware_version: str | None = None
    reason: str = "PowerUp"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Heartbeat."""


@dataclass(frozen=True, slots=True)
class StatusReport:
    """StatusNotification; EVSE 0 is the station itself."""

    evse_id: int
    connector_id: int
    status: ConnectorStatus
    timestamp: datetime
    error_code: str | None = None
    info: str | None = None


@dataclass(frozen=True, slots=True)
class Authorize:
    """Authorize."""

    id_token: IdToken


@dataclass(frozen=True, slots=True)
class TransactionReport:
    """TransactionEvent of 2.x; StartTransaction and StopTransaction of 1.6.

    ``transaction_id`` is None in a 1.6 start: the service gives it. ``seq_no`` is None in 1.6.
    """

    phase: TransactionPhase
    timestamp: datetime
    transaction_id: str | None
    evse_id: int | None = None
    connector_id: int | None = None
    id_token: IdToken | None = None
    seq_no: int | None = None
    trigger_reason: str | None = None
    charging_state: str | None = None
    meter_start_kwh: float | None = None
    meter_stop_kwh: float | None = None
    stopped_reason: str | None = None
    offline: bool = False
    phases_used: int | None = None
    samples: tuple[Sample, ...] = ()
    rejected_samples: tuple[RejectedSample, ...] = ()


@dataclass(frozen=True, slots=True)
class MeterReport:
    """MeterValues."""

    evse_id: int
    transaction_id: str | None
    samples: tuple[Sample, ...]
    rejected_samples: tuple[RejectedSample, ...] = ()


@dataclass(frozen=True, slots=True)
class ChargingNeeds:
    """NotifyEVChargingNeeds: what the car says of itself. Discharge values are positive.

    ``energy_kwh`` reaches the target, ``min_energy_kwh`` the car's minimum, ``max_energy_kwh`` fills the
    battery; the first two are negative when it holds more already. The ``v2x`` pair bounds the energy that
    cycling may use.
    """

    evse_id: int
    requested_energy_transfer: str
    departure: datetime | None = None
    energy_kwh: float | None = None
    soc_fraction: float | None = None
    target_soc_fraction: float | None = None
    capacity_kwh: float | None = None
    max_charge_kw: float | None = None
    max_discharge_kw: float | None = None
    min_charge_kw: float | None = None
    min_discharge_kw: float | None = None
    phases: int | None = None
    min_energy_kwh: float | None = None
    max_energy_kwh: float | None = None
    min_v2x_energy_kwh: float | None = None
    max_v2x_energy_kwh: float | None = None


StationRequest = (
    Boot
    | Heartbeat
    | StatusReport
    | Authorize
    | TransactionReport
    | MeterReport
    | ChargingNeeds
    | NewsReport
    | VariableReport
)


# --- answers to a station -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BootAnswer:
    """Answer to `Boot`."""

    status: RegistrationStatus
    now: datetime
    interval_s: int


@dataclass(frozen=True, slots=True)
class HeartbeatAnswer:
    """Answer to `Heartbeat`."""

    now: datetime


@dataclass(frozen=True, slots=True)
class AuthorizeAnswer:
    """Answer to `Authorize`; the energy transfers are those of OCPP 2.1 (``AC_three_phase``, ``AC_BPT``)."""

    status: AuthorizationStatus
    allowed_energy_transfer: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TransactionAnswer:
    """Answer to `TransactionReport`; ``transaction_id`` is the one given to a 1.6 start."""

    transaction_id: str
    token_status: AuthorizationStatus | None = None


@dataclass(frozen=True, slots=True)
class NeedsAnswer:
    """Answer to `ChargingNeeds`: Accepted | Processing | NoChargingProfile | Rejected."""

    status: str


@dataclass(frozen=True, slots=True)
class EmptyAnswer:
    """An answer without content."""


@dataclass(frozen=True, slots=True)
class NotSupported:
    """The action is known, but the service does not support it."""

    reason: str


Answer = (
    BootAnswer
    | HeartbeatAnswer
    | AuthorizeAnswer
    | TransactionAnswer
    | NeedsAnswer
    | EmptyAnswer
    | NotSupported
)


# --- commands to a station ----------------------------------------------------------------------------------


class ProfilePurpose(StrEnum):
    """Purpose of a charging profile; codec 1.6 says ``ChargePointMaxProfile`` for STATION_MAX."""

    STATION_MAX = "ChargingStationMaxProfile"
    TX_DEFAULT = "TxDefaultProfile"
    TX = "TxProfile"


class RateUnit(StrEnum):
    """Unit of a schedule: ampere per phase, or watt in all."""

    AMPERE = "A"
    WATT = "W"


@dataclass(frozen=True, slots=True)
class Period:
    """One period of a charging schedule, in the schedule's unit.

    ``limit`` bounds charging (>= 0). ``setpoint`` (2.1 CentralSetpoint, W) commands power, < 0 discharges;
    exactly one of both is given.
    """

    start_s: int
    limit: float | None = None
    setpoint: float | None = None
    phases: int | None = None


@dataclass(frozen=True, slots=True)
class ChargingProfile:
    """One charging profile with one absolute schedule."""

    id: int
    stack_level: int
    purpose: ProfilePurpose
    unit: RateUnit
    start: datetime
    periods: tuple[Period, ...]
    duration_s: int | None = None
    valid_to: datetime | None = None
    transaction_id: str | None = None


@dataclass(frozen=True, slots=True)
class SetProfile:
    """SetChargingProfile; EVSE 0 is the station."""

    evse_id: int
    profile: ChargingProfile


@dataclass(frozen=True, slots=True)
class ClearProfile:
    """ClearChargingProfile: by id, or by purpose and EVSE."""

    profile_id: int | None = None
    evse_id: int | None = None
    purpose: ProfilePurpose | None = None
    stack_level: int | None = None


@dataclass(frozen=True, slots=True)
class GetComposite:
    """GetCompositeSchedule."""

    evse_id: int
    duration_s: int
    unit: RateUnit


@dataclass(frozen=True, slots=True)
class SetConfiguration:
    """ChangeConfiguration of 1.6; SetVariables of 2.x, where ``key`` is ``Component.Variable``."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class SetAlignedInterval:
    """How often sockets are metered, at whole multiples of the interval on the clock [s]."""

    interval_s: int


@dataclass(frozen=True, slots=True)
class SetAlignedMeasurands:
    """What is metered on the clock."""

    measurands: tuple[Measurand, ...]


@dataclass(frozen=True, slots=True)
class RawCommand:
    """Any message in the station's own words."""

    action: str
    payload: Payload


Command = (
    SetProfile
    | ClearProfile
    | GetComposite
    | SetConfiguration
    | SetAlignedInterval
    | SetAlignedMeasurands
    | Operation
    | RawCommand
)


@dataclass(frozen=True, slots=True)
class CompositeSchedule:
    """What a station says it will do."""

    evse_id: int
    start: datetime
    unit: RateUnit
    periods: tuple[Period, ...]
    duration_s: int


# --- outcomes of a command: a union, never None -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Accepted:
    """The station took the command."""

    payload: Payload
    composite: CompositeSchedule | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The station answered, with a status other than Accepted."""

    status: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class Failed:
    """The station answered with a CALLERROR, or the answer broke its schema."""

    code: str
    description: str


@dataclass(frozen=True, slots=True)
class TimedOut:
    """No answer within the deadline (real seconds)."""

    after_s: float


@dataclass(frozen=True, slots=True)
class Offline:
    """The station is not connected, or left before it answered."""


Outcome = Accepted | Refused | Failed | TimedOut | Offline


class Priority(StrEnum):
    """Order in the queue of calls to one station."""

    SAFETY = "safety"
    CONTROL = "control"
    OPERATOR = "operator"
