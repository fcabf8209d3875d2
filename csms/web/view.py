"""What the live page shows, as plain documents. Pure.

The page is for everybody who may see the street: no card, no session id, no name of a car leaves here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Final

from csms.settings import MeterConfig, MeterRole
from csms.state.station_state import EvseState, SessionState, StationState, StreetState
from grid.capacity.envelope import compute_envelope
from grid.capacity.signals import SignalBook
from grid.errors import WijkstroomError
from grid.street import GridSide
from grid.timegrid import QUARTER, QUARTERS_PER_DAY, floor_quarter

Document = dict[str, Any]
# Cars come home in the evening and leave in the morning: a night belongs to the day before it.
DAY_BEGINS: Final = time(6)
# A reading is shown for so long; whether it may be relied on is not for the page to say.
_SHOWN_FOR: Final = timedelta(minutes=15)
_MOST_SENTENCES: Final = 5
_MOST_WARNINGS: Final = 3
_WARNING: Final = "Warning"
_EUR_PER_KWH_TO_EUR_PER_MWH: Final = 1000.0


@dataclass(frozen=True, slots=True)
class PlanView:
    """What the page needs of the latest plan.

    Parameters
    ----------
    at, status, solve_seconds
        When it was made, how it ended, how long that took [s].
    start, step
        Its first step.
    net_kw
        Power at the connection of the street in each step, > 0 imports [kW].
    power_kw
        Power of each session in each step, > 0 charges [kW].
    explanation
        Why, in sentences.
    """

    at: datetime
    status: str
    solve_seconds: float
    start: datetime
    step: timedelta
    net_kw: tuple[float, ...] = ()
    power_kw: Mapping[str, tuple[float, ...]] | None = None
    explanation: tuple[str, ...] = ()

    def net_at(self, instant: datetime) -> float | None:
        """Return the planned power at the connection at an instant [kW], None outside the plan."""
        return self._at(self.net_kw, instant)

    def session_at(self, session_id: str, instant: datetime) -> float | None:
        """Return the planned power of a session at an instant [kW], None when it is not in the plan."""
        return self._at((self.power_kw or {}).get(session_id, ()), instant)

    def _at(self, values: Sequence[float], instant: datetime) -> float | None:
        index = (instant - self.start) // self.step
        return values[index] if 0 <= index < len(values) else None


@dataclass(frozen=True, slots=True)
class SocketName:
    """How a socket is known in public: station, its own number, the connection, the eMI3 id."""

    model: str
    emi3: Mapping[int, str]


def day_start(now: datetime, grid: GridSide) -> datetime:
    """Return where the page's day begins: the last 06:00 local, in UTC."""
    local = now.astimezone(grid.tz)
    begin = datetime.combine(local.date(), DAY_BEGINS, grid.tz)
    if begin > local:
        begin = datetime.combine(local.date() - timedelta(days=1), DAY_BEGINS, grid.tz)
    return floor_quarter(begin)


def view_day(
    now: datetime, grid: GridSide, power_factor: float, plan: PlanView | None, signals: SignalBook
) -> Document:
    """Return limits, prices and plan of the day's quarters."""
    start = day_start(now, grid)
    starts = [start + index * QUARTER for index in range(QUARTERS_PER_DAY)]
    root = grid.topology.root.id
    envelope = compute_envelope(
        grid.topology, root, starts, grid.tz, power_factor, signals=signals, known_at=now
    )
    current = floor_quarter(now)
    return {
        "start_ms": _ms(start),
        "step_ms": _ms(start + QUARTER) - _ms(start),
        "limit_kw": [_finite(value) for value in envelope.import_limit_kw],
        "limit_source": envelope.import_source,
        "export_limit_kw": [_finite(value) for value in envelope.export_limit_kw],
        "price_eur_per_mwh": _prices(starts, now, grid),
        "price_known_until_ms": _ms(grid.prices.known_until(now)),
        "planned_kw": [
            None if plan is None or each < current else _finite(plan.net_at(each)) for each in starts
        ],
    }


def view_plan(plan: PlanView | None, state: StreetState) -> Document | None:
    """Return what is told of the latest plan; sentences name sockets, not sessions."""
    if plan is None:
        return None
    names = {session_id: _name_socket(session_id, state) for session_id in plan.power_kw or {}}
    return {
        "at_ms": _ms(plan.at),
        "status": plan.status,
        "solve_seconds": round(plan.solve_seconds, 3),
        "explanation": [_rename(sentence, names) for sentence in _shorten(plan.explanation)],
    }


def view_station(
    station_id: str, state: StationState | None, names: SocketName, now: datetime, plan: PlanView | None
) -> Document:
    """Return one station with its sockets, those of the configuration and those that it reported."""
    # What nobody has heard of yet is not "free".
    evses = {} if state is None or state.seen_at is None else state.evses
    numbers = sorted({*names.emi3, *evses})
    return {
        "id": station_id,
        "model": names.model,
        "connected": state is not None and state.connected,
        "version": None if state is None or state.version is None else state.version.value,
        "sockets": [_view_socket(number, names, evses.get(number), now, plan) for number in numbers],
    }


def view_totals(
    state: StreetState, meters: Sequence[MeterConfig], stations: int, now: datetime, day: Document
) -> Document:
    """Return the figures on top of the page."""
    powers = session_powers_kw(state)
    quarter = (_ms(now) - day["start_ms"]) // day["step_ms"]
    return {
        "now_ms": _ms(now),
        "stations": stations,
        "connected": sum(station.connected for station in state.stations.values()),
        "sessions": len(powers),
        "charging_kw": round(sum(power for power in powers if power > 0), 2),
        "discharging_kw": round(-sum(power for power in powers if power < 0), 2),
        "node_kw": measured_kw(state, meters, MeterRole.NODE, now),
        "pv_kw": _negated(measured_kw(state, meters, MeterRole.PV, now)),
        "limit_kw": day["limit_kw"][quarter],
        "limit_source": day["limit_source"][quarter],
        "price_eur_per_mwh": day["price_eur_per_mwh"][quarter],
    }


def session_powers_kw(state: StreetState) -> list[float]:
    """Return the last measured power of every running session [kW]."""
    return [
        evse.session.power_kw
        for station in state.stations.values()
        for evse in station.evses.values()
        if evse.session is not None
    ]


def measured_kw(
    state: StreetState, meters: Sequence[MeterConfig], role: MeterRole, now: datetime
) -> float | None:
    """Return the sum of the street's meters of a role [kW]; None when there is none or one is silent."""
    readings = []
    for meter in meters:
        if meter.role is not role:
            continue
        reading = state.meters.get(meter.id)
        if reading is None or now - reading.read_at > _SHOWN_FOR:
            return None
        readings.append(reading.power_kw)
    return round(sum(readings), 2) if readings else None


def _view_socket(
    number: int, names: SocketName, evse: EvseState | None, now: datetime, plan: PlanView | None
) -> Document:
    session = None if evse is None else evse.session
    return {
        "id": number,
        "emi3": names.emi3.get(number),
        "status": None if evse is None else evse.status.value,
        "session": None if session is None else _view_session(session, now, plan),
    }


def _view_session(session: SessionState, now: datetime, plan: PlanView | None) -> Document:
    wish, needs = session.declaration, session.needs
    departure = wish.departure if wish is not None else None if needs is None else needs.departure
    planned_kw = None if plan is None else plan.session_at(session.id, now)
    return {
        "since_ms": _ms(session.started_at),
        "power_kw": round(session.power_kw, 2),
        "planned_kw": None if planned_kw is None else round(planned_kw, 2),
        "imported_kwh": round(session.imported_kwh, 2),
        "exported_kwh": round(session.exported_kwh, 2),
        "soc_fraction": session.soc_fraction,
        "wanted_kwh": None if wish is None else wish.energy_kwh,
        "wanted_soc_fraction": None if wish is None else wish.target_soc_fraction,
        "departure_ms": None if departure is None else _ms(departure),
    }


def _shorten(sentences: Sequence[str]) -> list[str]:
    """Return the sentences of a plan, what it does first, and the first few warnings."""
    warnings = [each for each in sentences if each.startswith(_WARNING)]
    others = [each for each in sentences if not each.startswith(_WARNING)]
    more = len(warnings) - _MOST_WARNINGS
    return [
        *others[:_MOST_SENTENCES],
        *warnings[:_MOST_WARNINGS],
        *([f"And {more} more warnings: the plan has them all."] if more > 0 else []),
    ]


def _name_socket(session_id: str, state: StreetState) -> str:
    found = state.find_session(session_id)
    return "a car that has left" if found is None else f"{found[0]} socket {found[1]}"


def _rename(sentence: str, names: Mapping[str, str]) -> str:
    for session_id, name in names.items():
        sentence = sentence.replace(session_id, name)
    return sentence


def _prices(starts: Sequence[datetime], now: datetime, grid: GridSide) -> list[float | None]:
    try:
        prices = grid.prices.day_ahead_eur_per_kwh(starts, known_at=now)
    except WijkstroomError:
        return [None] * len(starts)  # the page shows what there is; the control loop tells the reason
    return [round(float(price) * _EUR_PER_KWH_TO_EUR_PER_MWH, 2) for price in prices]


def _finite(value: float | None) -> float | None:
    return round(float(value), 2) if value is not None and math.isfinite(value) else None


def _negated(value: float | None) -> float | None:
    return None if value is None else round(max(-value, 0.0), 2)


def _ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
