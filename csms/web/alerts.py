"""What an operator should look at, the gravest first, each with what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any, Final

from csms.ocpp.vocabulary import ConnectorStatus
from csms.settings import MeterConfig
from csms.state.station_state import StationState, StreetState

# A quarter, and time to plan it.
_PLAN_AGE: Final = timedelta(minutes=20)
# Meters are read to the watt, cars follow to a tenth of an ampere.
_OVER_FRACTION: Final = 1.005
_NEAR_FRACTION: Final = 0.95


class Severity(IntEnum):
    """How grave."""

    CRITICAL = 0
    WARNING = 1
    NOTICE = 2


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to look at.

    Parameters
    ----------
    severity
        How grave.
    place
        Where: a station, a meter, the street.
    what, remedy
        What it is and what to do.
    """

    severity: Severity
    place: str
    what: str
    remedy: str

    def document(self) -> dict[str, Any]:
        """Return it for a page."""
        return asdict(self) | {"severity": self.severity.name.lower()}


def list_alerts(
    state: StreetState,
    station_ids: Iterable[str],
    meters: Sequence[MeterConfig],
    now: datetime,
    planned_at: datetime | None,
    load: tuple[float | None, float | None],
) -> list[Alert]:
    """List what needs somebody.

    Parameters
    ----------
    state
        The street.
    station_ids, meters
        Those that are configured.
    now
        The moment.
    planned_at
        When the latest plan was made; None while there is none.
    load
        What flows through the street's node and its limit now [kW], None where nobody knows.
    """
    found = [
        *_check_load(load),
        *_check_plan(now, planned_at, state),
        *_check_meters(state, meters, now),
        *(alert for each in station_ids for alert in _check_station(each, state.stations.get(each))),
    ]
    return sorted(found, key=lambda alert: (alert.severity, alert.place))


def _check_load(load: tuple[float | None, float | None]) -> Iterator[Alert]:
    flow_kw, limit_kw = load
    if flow_kw is None or limit_kw is None:
        return
    if flow_kw > limit_kw * _OVER_FRACTION:
        what = f"{flow_kw:.1f} kW flows where {limit_kw:.0f} kW is allowed"
        remedy = "charging is being reduced; if it stays, look for load that the service does not steer"
        yield Alert(Severity.CRITICAL, "street", what, remedy)
    elif flow_kw > limit_kw * _NEAR_FRACTION:
        what = f"{flow_kw:.1f} kW is close to the limit of {limit_kw:.0f} kW"
        yield Alert(Severity.NOTICE, "street", what, "nothing: plans keep a reserve")


def _check_plan(now: datetime, planned_at: datetime | None, state: StreetState) -> Iterator[Alert]:
    sessions = any(evse.session for station in state.stations.values() for evse in station.evses.values())
    if not sessions or (planned_at is not None and now - planned_at <= _PLAN_AGE):
        return
    since = (
        "no plan has been made yet" if planned_at is None else f"the latest plan is of {planned_at:%H:%M} UTC"
    )
    remedy = "stations keep their fallback rate; the service's log says why planning fails"
    yield Alert(Severity.CRITICAL, "street", since, remedy)


def _check_meters(state: StreetState, meters: Sequence[MeterConfig], now: datetime) -> Iterator[Alert]:
    for meter in meters:
        reading = state.meters.get(meter.id)
        remedy = "limits are kept by forecast and a reserve; check the meter's line and address"
        if reading is None:
            yield Alert(Severity.WARNING, f"meter {meter.id}", "has said nothing yet", remedy)
        elif now - reading.read_at > timedelta(seconds=meter.stale_after_s):
            minutes = (now - reading.read_at).total_seconds() / 60
            yield Alert(Severity.WARNING, f"meter {meter.id}", f"is silent for {minutes:.0f} min", remedy)


def _check_station(station_id: str, state: StationState | None) -> Iterator[Alert]:
    if state is None or state.seen_at is None:
        remedy = "point it at the address of this service, with its id at the end"
        yield Alert(Severity.NOTICE, station_id, "has never connected", remedy)
        return
    if not state.connected:
        sessions = sum(evse.session is not None for evse in state.evses.values())
        severity = Severity.WARNING if sessions else Severity.NOTICE
        what = f"is offline since {state.seen_at:%H:%M} UTC" + (
            f", with {sessions} session(s)" if sessions else ""
        )
        remedy = "it keeps its last profile and then its fallback rate; check its power and its network"
        yield Alert(severity, station_id, what, remedy)
    for evse in state.evses.values():
        if evse.status is ConnectorStatus.FAULTED:
            remedy = "reset the station; if it stays, have it looked at"
            yield Alert(Severity.WARNING, f"{station_id} socket {evse.evse_id}", "reports a fault", remedy)
        elif evse.status is ConnectorStatus.UNAVAILABLE:
            remedy = "take it into service when its work is done"
            yield Alert(Severity.NOTICE, f"{station_id} socket {evse.evse_id}", "is out of service", remedy)
