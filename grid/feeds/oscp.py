"""OSCP 2.0: the messages between a grid operator and us, and a client.

Open Smart Charging Protocol 2.0, Open Charge Alliance, 2020: the grid operator is the capacity provider, we
are the flexibility provider. Every request is a POST that is answered with 204.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

import httpx
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from grid.capacity.signals import Block, CapacitySignal, SignalKind, SignalSource
from grid.errors import WijkstroomError
from grid.timegrid import to_utc
from grid.topology import Direction, Phase

VERSION: Final = "2.0"
FLEXIBILITY_PROVIDER_PATH: Final = "/oscp/fp/2.0"
CAPACITY_PROVIDER_PATH: Final = "/oscp/cp/2.0"
MOST_BLOCKS: Final = 5000
_W_PER_KW = 1000.0
_PHASES = 3
_TIMEOUT_S = 10.0

Text = Annotated[str, Field(max_length=1000)]


class OscpError(WijkstroomError):
    """The other side refused a message or could not be reached."""


class Message(BaseModel):
    """Base of messages: fields of later versions are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class VersionUrl(Message):
    """Where a side speaks a version."""

    version: Annotated[str, Field(max_length=10)]
    base_url: Annotated[str, Field(max_length=2000)]


class Register(Message):
    """The token that the receiver shall show, and where the sender listens."""

    token: Annotated[str, Field(min_length=1, max_length=500)]
    version_url: Annotated[tuple[VersionUrl, ...], Field(min_length=1, max_length=20)]


class MeasurementConfiguration(StrEnum):
    """Whether registers or differences are sent."""

    CONTINUOUS = "CONTINUOUS"
    INTERMITTENT = "INTERMITTENT"


class RequiredBehaviour(Message):
    """How the sender wants to be treated."""

    heartbeat_interval: Annotated[int, Field(ge=5, le=86_400)] | None = None
    measurement_configuration: tuple[MeasurementConfiguration, ...] = ()


class Handshake(Message):
    """What each side requires of the other; acknowledged by a message of its own."""

    required_behaviour: RequiredBehaviour = RequiredBehaviour()


class Heartbeat(Message):
    """A sign of life; from ``offline_mode_at`` on the fallback rules."""

    offline_mode_at: AwareDatetime


class ForecastType(StrEnum):
    """What a forecast is of."""

    CONSUMPTION = "CONSUMPTION"
    GENERATION = "GENERATION"
    FALLBACK_CONSUMPTION = "FALLBACK_CONSUMPTION"
    FALLBACK_GENERATION = "FALLBACK_GENERATION"
    OPTIMUM = "OPTIMUM"


class OscpPhase(StrEnum):
    """Conductors."""

    UNKNOWN = "UNKNOWN"
    ONE = "ONE"
    TWO = "TWO"
    THREE = "THREE"
    ALL = "ALL"


class OscpUnit(StrEnum):
    """Units of a block."""

    A = "A"
    W = "W"
    KW = "KW"
    WH = "WH"
    KWH = "KWH"


class ForecastedBlock(Message):
    """A capacity over a span."""

    capacity: Annotated[float, Field(ge=0.0, le=1e9)]
    phase: OscpPhase
    unit: OscpUnit
    start_time: AwareDatetime
    end_time: AwareDatetime


class GroupCapacityForecast(Message):
    """What a group may draw or give."""

    group_id: Annotated[str, Field(min_length=1, max_length=200)]
    type: ForecastType
    forecasted_blocks: Annotated[tuple[ForecastedBlock, ...], Field(min_length=1, max_length=MOST_BLOCKS)]


class EnergyMeasurement(Message):
    """Energy of a group between two moments."""

    value: float
    phase: OscpPhase = OscpPhase.ALL
    unit: OscpUnit = OscpUnit.KWH
    direction: Annotated[str, Field(pattern="^(NET|IMPORT|EXPORT)$")]
    energy_type: Annotated[str, Field(pattern="^(FLEXIBLE|NONFLEXIBLE|TOTAL)$")] = "TOTAL"
    measure_time: AwareDatetime
    initial_measure_time: AwareDatetime | None = None


class GroupMeasurements(Message):
    """What a group really drew and gave."""

    group_id: str
    measurements: tuple[EnergyMeasurement, ...]


class ComplianceError(Message):
    """A forecast that cannot be kept."""

    message: Text
    forecasted_blocks: tuple[ForecastedBlock, ...] = ()


_PHASES_OF = {
    OscpPhase.UNKNOWN: Phase.ALL,
    OscpPhase.ALL: Phase.ALL,
    OscpPhase.ONE: Phase.L1,
    OscpPhase.TWO: Phase.L2,
    OscpPhase.THREE: Phase.L3,
}
_MEANINGS = {
    ForecastType.CONSUMPTION: (Direction.IMPORT, SignalKind.LIMIT),
    ForecastType.GENERATION: (Direction.EXPORT, SignalKind.LIMIT),
    ForecastType.FALLBACK_CONSUMPTION: (Direction.IMPORT, SignalKind.FALLBACK),
    ForecastType.FALLBACK_GENERATION: (Direction.EXPORT, SignalKind.FALLBACK),
    ForecastType.OPTIMUM: (Direction.IMPORT, SignalKind.OPTIMUM),
}


def read_forecast(
    forecast: GroupCapacityForecast,
    group: str,
    sender: str,
    signal_id: str,
    received_at: datetime,
    voltage_v: float,
) -> CapacitySignal:
    """Return a forecast as a capacity signal.

    Parameters
    ----------
    forecast
        As it came.
    group
        Our name for its group.
    sender, signal_id, received_at
        Whose it is, how we name it, when it came.
    voltage_v
        Voltage against neutral, for amperes [V].
    """
    direction, kind = _MEANINGS[forecast.type]
    return CapacitySignal(
        id=signal_id,
        source=SignalSource.OSCP,
        sender=sender,
        group=group,
        direction=direction,
        kind=kind,
        blocks=tuple(_read_block(block, voltage_v) for block in forecast.forecasted_blocks),
        received_at=received_at,
        binding=kind is not SignalKind.OPTIMUM,
    )


def _read_block(block: ForecastedBlock, voltage_v: float) -> Block:
    start, end, phase = to_utc(block.start_time), to_utc(block.end_time), _PHASES_OF[block.phase]
    hours = max((end - start).total_seconds() / 3600.0, 1e-9)
    conductors = _PHASES if phase is Phase.ALL else 1
    kw = {
        OscpUnit.A: block.capacity * voltage_v * conductors / _W_PER_KW,
        OscpUnit.W: block.capacity / _W_PER_KW,
        OscpUnit.KW: block.capacity,
        OscpUnit.WH: block.capacity / _W_PER_KW / hours,
        OscpUnit.KWH: block.capacity / hours,
    }[block.unit]
    return Block(start, end, kw, phase)


class OscpClient:
    """Speaks to one capacity provider.

    Parameters
    ----------
    base_url
        Where it listens, version included.
    token
        What it gave us to show.
    http
        The connection pool.
    new_id
        Makes request ids.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        http: httpx.AsyncClient,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._token = token
        self._http = http
        self._new_id = new_id

    async def register(self, message: Register) -> None:
        """Tell where we listen and what to show."""
        await self._post("register", message)

    async def handshake(self, message: Handshake) -> None:
        """Tell what we require."""
        await self._post("handshake", message)

    async def acknowledge_handshake(self, message: Handshake, correlation_id: str) -> None:
        """Agree to what the other side requires."""
        await self._post("handshake_acknowledge", message, correlation_id)

    async def heartbeat(self, message: Heartbeat) -> None:
        """Give a sign of life."""
        await self._post("heartbeat", message)

    async def send_measurements(self, message: GroupMeasurements) -> None:
        """Tell what was drawn and given."""
        await self._post("update_group_measurements", message)

    async def request_adjustment(self, message: GroupCapacityForecast) -> None:
        """Ask for another capacity."""
        await self._post("adjust_group_capacity_forecast", message)

    async def report_error(self, message: ComplianceError, correlation_id: str) -> None:
        """Tell that a forecast cannot be kept."""
        await self._post("group_capacity_compliance_error", message, correlation_id)

    async def _post(self, name: str, message: Message, correlation_id: str | None = None) -> None:
        headers = {"Authorization": f"Token {self._token}", "X-Request-ID": self._new_id()}
        if correlation_id is not None:
            headers["X-Correlation-ID"] = correlation_id
        body = message.model_dump(mode="json", exclude_none=True)
        try:
            answer = await self._http.post(
                f"{self._base_url}/{name}", json=body, headers=headers, timeout=_TIMEOUT_S
            )
        except httpx.HTTPError as error:
            raise OscpError(f"{name} did not reach {self._base_url}: {error}") from error
        if not answer.is_success:
            raise OscpError(f"{name} was refused with {answer.status_code}: {_said(answer)}")


def choose_version(offered: Sequence[VersionUrl]) -> str | None:
    """Return where the other side speaks our version, None when it does not."""
    return next((each.base_url for each in offered if each.version == VERSION), None)


def _said(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])[:200]
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]
