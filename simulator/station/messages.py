"""What a station has to say, before any version of OCPP gives it words."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from simulator.station.profiles import Profile


class ChargingState(StrEnum):
    """State of a running transaction, in the words of OCPP 2.x."""

    CHARGING = "Charging"
    EV_CONNECTED = "EVConnected"
    SUSPENDED_EV = "SuspendedEV"
    SUSPENDED_EVSE = "SuspendedEVSE"
    IDLE = "Idle"


class ConnectorState(StrEnum):
    """State of a connector in the words of OCPP 1.6, which tells more of them apart."""

    AVAILABLE = "Available"
    PREPARING = "Preparing"
    CHARGING = "Charging"
    SUSPENDED_EV = "SuspendedEV"
    SUSPENDED_EVSE = "SuspendedEVSE"
    FINISHING = "Finishing"
    RESERVED = "Reserved"
    UNAVAILABLE = "Unavailable"
    FAULTED = "Faulted"


class Trigger(StrEnum):
    """Why a transaction has news, in the words of OCPP 2.x."""

    AUTHORIZED = "Authorized"
    DEAUTHORIZED = "Deauthorized"
    CABLE_PLUGGED_IN = "CablePluggedIn"
    CHARGING_STATE_CHANGED = "ChargingStateChanged"
    METER_VALUE_CLOCK = "MeterValueClock"
    METER_VALUE_PERIODIC = "MeterValuePeriodic"
    EV_DEPARTED = "EVDeparted"
    REMOTE_START = "RemoteStart"
    REMOTE_STOP = "RemoteStop"
    RESET_COMMAND = "ResetCommand"
    TRIGGER = "Trigger"
    TX_RESUMED = "TxResumed"
    UNLOCK_COMMAND = "UnlockCommand"
    STOP_AUTHORIZED = "StopAuthorized"
    ABNORMAL_CONDITION = "AbnormalCondition"


class Context(StrEnum):
    """Why a meter was read."""

    BEGIN = "Transaction.Begin"
    END = "Transaction.End"
    CLOCK = "Sample.Clock"
    PERIODIC = "Sample.Periodic"
    TRIGGER = "Trigger"


@dataclass(frozen=True, slots=True)
class Measured:
    """One measured value.

    Parameters
    ----------
    measurand, unit
        As on the wire: Wh, W, A, V, Percent.
    phase
        ``L1`` to ``L3`` of the EVSE, None for all together.
    location
        Where it was measured; None is the outlet.
    """

    measurand: str
    value: float
    unit: str
    phase: str | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A meter read at one instant."""

    at: datetime
    context: Context
    import_wh: int
    values: tuple[Measured, ...]


@dataclass(slots=True)
class TransactionRecord:
    """A transaction as the station keeps it.

    Parameters
    ----------
    id
        The station's own name for it; on the wire in 2.x.
    server_id
        The number that the central system gave it, in 1.6.
    sequence
        Number of the next event of it, in 2.x.
    started_at
        When it began.
    """

    id: str
    evse_id: int
    token: str
    started_at: datetime
    server_id: int | None = None
    sequence: int = 0
    state: ChargingState = ChargingState.EV_CONNECTED


@dataclass(frozen=True, slots=True)
class DirectNeeds:
    """What a car says besides where the station rectifies.

    Parameters
    ----------
    max_power_kw
        What its battery takes at the most [kW].
    soc_fraction
        State of charge.
    capacity_kwh
        Of its battery [kWh].
    bulk_soc_fraction
        State of charge at which fast charging ends.
    """

    max_power_kw: float
    soc_fraction: float
    capacity_kwh: float
    bulk_soc_fraction: float


@dataclass(frozen=True, slots=True)
class Needs:
    """What a car says of itself over ISO 15118, in kWh and kW at the socket.

    Parameters
    ----------
    energy_kwh, min_energy_kwh, max_energy_kwh
        To the target, to the least, and to a full battery; negative when it holds more. Of a car that takes
        direct current, or gives back: in its battery.
    departure
        When it leaves, if it says so.
    phases
        Phases that it charges on.
    min_current_a, max_current_a
        Bounds of its current per phase [A].
    max_discharge_kw, min_discharge_kw
        Bounds of discharge, >= 0; None for a car that cannot, or not here.
    direct
        What it says besides of direct current; None where it rectifies itself.
    """

    energy_kwh: float
    min_energy_kwh: float
    max_energy_kwh: float
    departure: datetime | None
    phases: int
    min_current_a: float
    max_current_a: float
    voltage_v: float
    max_discharge_kw: float | None = None
    min_discharge_kw: float | None = None
    target_soc_fraction: float | None = None
    direct: DirectNeeds | None = None


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A connector has another status; lost while the station is offline, but for the last."""

    evse_id: int
    state: ConnectorState
    at: datetime
    error: str = "NoError"


@dataclass(frozen=True, slots=True)
class AuthorizeToken:
    """A card was held to the reader."""

    evse_id: int
    token: str


@dataclass(frozen=True, slots=True)
class TransactionStarted:
    """A transaction began."""

    record: TransactionRecord
    at: datetime
    trigger: Trigger
    reading: Reading
    sequence: int
    offline: bool = False


@dataclass(frozen=True, slots=True)
class TransactionUpdated:
    """A transaction has news; without a trigger that changes its state it is a meter value."""

    record: TransactionRecord
    at: datetime
    trigger: Trigger
    state: ChargingState
    sequence: int
    reading: Reading | None = None
    offline: bool = False


@dataclass(frozen=True, slots=True)
class TransactionEnded:
    """A transaction ended."""

    record: TransactionRecord
    at: datetime
    trigger: Trigger
    reading: Reading
    sequence: int
    reason: str = "EVDisconnected"
    offline: bool = False


@dataclass(frozen=True, slots=True)
class MeterReport:
    """A meter read outside a transaction."""

    evse_id: int
    reading: Reading


@dataclass(frozen=True, slots=True)
class NeedsReport:
    """A car told what it needs."""

    record: TransactionRecord
    needs: Needs
    at: datetime


@dataclass(frozen=True, slots=True)
class ProfilesReport:
    """The central system asked which profiles are installed."""

    request_id: int
    profiles: tuple[Profile, ...]


@dataclass(frozen=True, slots=True)
class VariablesReport:
    """The central system asked for every variable: component, variable, value, whether it can be changed."""

    request_id: int
    variables: tuple[tuple[str, str, str, bool], ...]


@dataclass(frozen=True, slots=True)
class Boot:
    """The station started."""

    reason: str = "PowerUp"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The station is alive."""


class UpkeepKind(StrEnum):
    """What a station is busy with besides charging."""

    FIRMWARE = "firmware"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class UpkeepReport:
    """A step of an update or of sending a log."""

    kind: UpkeepKind
    status: str
    request_id: int | None = None


TransactionMessage = TransactionStarted | TransactionUpdated | TransactionEnded
Message = (
    TransactionMessage
    | StatusChange
    | AuthorizeToken
    | MeterReport
    | NeedsReport
    | ProfilesReport
    | VariablesReport
    | UpkeepReport
    | Boot
    | Heartbeat
)


@dataclass(slots=True)
class Outbox:
    """Messages that wait to be sent, in order.

    Transaction messages wait for ever; a status replaces an older one of the same connector.
    """

    waiting: list[Message] = field(default_factory=list)

    def put(self, message: Message) -> None:
        """Add a message."""
        self.waiting.append(message)

    def forget_volatile(self) -> None:
        """Drop what has no meaning after an outage: all but transactions and the last statuses."""
        last = {one.evse_id: one for one in self.waiting if isinstance(one, StatusChange)}
        self.waiting = [
            one
            for one in self.waiting
            if isinstance(one, TransactionMessage | NeedsReport)
            or (isinstance(one, StatusChange) and last[one.evse_id] is one)
        ]
