"""What happened, as the control loop and the live pages see it: published after the rows are committed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from csms.ocpp.vocabulary import ChargingNeeds, ConnectorStatus, OcppVersion, Sample
from grid.capacity.signals import CapacitySignal


@dataclass(frozen=True, slots=True)
class StationConnected:
    """A station's socket is open and authenticated."""

    station_id: str
    version: OcppVersion
    at: datetime


@dataclass(frozen=True, slots=True)
class StationDisconnected:
    """A station's socket is gone."""

    station_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class StationBooted:
    """A station booted and was accepted: profiles that live in memory are lost."""

    station_id: str
    at: datetime
    vendor: str
    model: str


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """A connector reported its status."""

    station_id: str
    evse_id: int
    connector_id: int
    status: ConnectorStatus
    at: datetime


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """A transaction began: one plug-in as the planner sees it.

    ``max_power_kw`` is the rated power of the socket, against which its registers are judged.
    """

    station_id: str
    evse_id: int
    session_id: str
    transaction_id: str
    token: str | None
    at: datetime
    meter_start_kwh: float | None
    max_power_kw: float = 500.0


@dataclass(frozen=True, slots=True)
class SamplesRecorded:
    """Meter samples of an EVSE were stored; ``at`` is when they came, samples say when they were taken."""

    station_id: str
    evse_id: int
    session_id: str | None
    samples: tuple[Sample, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class ChargingStateChanged:
    """A running transaction's charging state (Charging, SuspendedEV, SuspendedEVSE, EVConnected, Idle)."""

    station_id: str
    evse_id: int
    session_id: str
    charging_state: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """A transaction ended."""

    station_id: str
    evse_id: int
    session_id: str
    at: datetime
    meter_stop_kwh: float | None


@dataclass(frozen=True, slots=True)
class NeedsReported:
    """The car said what it needs."""

    station_id: str
    evse_id: int
    session_id: str | None
    needs: ChargingNeeds
    at: datetime


@dataclass(frozen=True, slots=True)
class SessionDeclared:
    """The driver said what is needed and until when."""

    session_id: str
    at: datetime
    departure: datetime
    energy_kwh: float | None = None
    target_soc_fraction: float | None = None
    discharge_opt_in: bool = False
    floor_soc_fraction: float | None = None


@dataclass(frozen=True, slots=True)
class BookingMade:
    """A shared car is booked; ``energy_kwh`` must be in the battery at ``start``."""

    booking_id: str
    token: str
    start: datetime
    end: datetime
    energy_kwh: float
    at: datetime


@dataclass(frozen=True, slots=True)
class MeterRead:
    """A telegram of one of the street's own meters; power > 0 is taken from the grid."""

    meter_id: str
    at: datetime
    power_kw: float
    import_kwh: float
    export_kwh: float


@dataclass(frozen=True, slots=True)
class SignalReceived:
    """A grid operator said what a node or connection may carry."""

    signal: CapacitySignal
    at: datetime


@dataclass(frozen=True, slots=True)
class SignalWithdrawn:
    """A sender took a signal back."""

    sender: str
    signal_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SenderHeard:
    """A sender of signals gave a sign of life: it counts as heard until ``offline_at``."""

    sender: str
    offline_at: datetime | None
    at: datetime


Event = (
    StationConnected
    | StationDisconnected
    | StationBooted
    | StatusChanged
    | SessionStarted
    | SamplesRecorded
    | ChargingStateChanged
    | SessionEnded
    | NeedsReported
    | SessionDeclared
    | BookingMade
    | MeterRead
    | SignalReceived
    | SignalWithdrawn
    | SenderHeard
)
