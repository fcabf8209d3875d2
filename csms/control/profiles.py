"""From planned power to the charging profiles that a station model understands: never above the plan."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from csms.ocpp.dialects import DischargeDialect, Steering, limit_period, power_period, read_power_kw
from csms.ocpp.vocabulary import ChargingProfile, Period, ProfilePurpose, RateUnit
from csms.settings import StationModel
from grid.topology import NOMINAL_VOLTAGE_V

STATION_MAX_ID = 1
_TX_DEFAULT_ID = 100
_TX_ID = 200
# A running session's profile stands above the fallback.
_TX_STACK_LEVEL = 1
# Powers closer than this are the same on the wire [kW].
SAME_KW = 0.005
# A solver's 4.1399999 kW means the least of 4.14 kW: rounded down it would be a pause.
_SNAP_KW = 1e-5
# Later changes will be told by later plans: they alone are no reason to write to a station's memory.
LOOK_AHEAD = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A period before it is told: power that holds for some steps."""

    start_s: float
    length_s: float
    power_kw: float


def steering_of(
    model: StationModel,
    phases: int | None = None,
    *,
    may_discharge: bool = False,
    voltage_v: float = NOMINAL_VOLTAGE_V,
) -> Steering:
    """Return how an EVSE of a model is told its power in a session.

    Parameters
    ----------
    model
        The station's model entry.
    phases
        Phases that the vehicle is known to use; None for all that the socket has.
    may_discharge
        Whether the session may discharge: only then the model's dialect is used, otherwise plain limits.
    voltage_v
        Nominal voltage against neutral [V].
    """
    return Steering(
        unit=model.rate_unit,
        phases=model.phases if phases is None else min(phases, model.phases),
        min_current_a=model.min_current_a,
        voltage_v=voltage_v,
        dialect=model.discharge_dialect if may_discharge else DischargeDialect.NONE,
    )


def compile_profile(
    power_kw: Sequence[float],
    start: datetime,
    step: timedelta,
    *,
    steering: Steering,
    max_periods: int,
    profile_id: int,
    transaction_id: str,
    tail_current_a: float,
) -> ChargingProfile:
    """Compile planned power into a TxProfile with one absolute schedule.

    Currents are rounded down to a tenth and are 0 below the model's least. Equal neighbours are one period;
    when there are too many, neighbours are joined at the power of theirs that is nearest to 0, so that the
    profile bounds charge and discharge by the plan in every step. After the last step it falls to the tail.

    Parameters
    ----------
    power_kw
        Power of each step, > 0 charges [kW].
    start, step
        When the first step begins (UTC), and how long each is.
    steering
        How the EVSE is told.
    max_periods
        Most periods that the model stores, the tail included.
    profile_id, transaction_id
        Its id and the station's own id of the transaction.
    tail_current_a
        Current per phase after the last step: the fallback rate [A].
    """
    step_s = step.total_seconds()
    pieces = [_Piece(index * step_s, step_s, _told_kw(each, steering)) for index, each in enumerate(power_kw)]
    tail_kw = _told_kw(tail_current_a * steering.kw_per_a, steering)
    tail = _Piece(len(power_kw) * step_s, step_s, tail_kw)
    if max_periods == 1:
        pieces = _join_to([*pieces, tail], 1)
    else:
        pieces = _join_equal([*_join_to(_join_equal(pieces), max_periods - 1), tail])
    periods = [power_period(round(each.start_s), each.power_kw, steering) for each in pieces]
    return ChargingProfile(
        id=profile_id,
        stack_level=_TX_STACK_LEVEL,
        purpose=ProfilePurpose.TX,
        unit=_unit(steering),
        start=start,
        periods=tuple(periods),
        transaction_id=transaction_id,
    )


def station_max_profile(
    model: StationModel, sockets: int, fuse_current_a: float, start: datetime
) -> ChargingProfile:
    """Return the ceiling of a whole station: what its sockets can draw, at most what its fuse carries.

    Parameters
    ----------
    model
        The station's model entry.
    sockets
        How many it has.
    fuse_current_a
        Fuse of its connection, per phase [A].
    start
        When it begins to hold; not in the future.
    """
    steering = steering_of(model)
    current_a = min(sockets * model.max_current_a, fuse_current_a)
    return ChargingProfile(
        id=STATION_MAX_ID,
        stack_level=0,
        purpose=ProfilePurpose.STATION_MAX,
        unit=model.rate_unit,
        start=start,
        periods=(limit_period(0, current_a * steering.kw_per_a, steering),),
    )


def fallback_profile(model: StationModel, evse_id: int, current_a: float, start: datetime) -> ChargingProfile:
    """Return what a socket may draw while no plan holds: a TxDefaultProfile below every other.

    Parameters
    ----------
    model
        The station's model entry.
    evse_id
        The socket.
    current_a
        Current per phase [A]; 0 below the model's least.
    start
        When it begins to hold; not in the future.
    """
    steering = steering_of(model)
    return ChargingProfile(
        id=_TX_DEFAULT_ID + evse_id,
        stack_level=0,
        purpose=ProfilePurpose.TX_DEFAULT,
        unit=model.rate_unit,
        start=start,
        periods=(limit_period(0, current_a * steering.kw_per_a, steering),),
    )


def tx_profile_id(evse_id: int) -> int:
    """Return the id of a socket's TxProfile: the same for every plan, so that each replaces the last."""
    return _TX_ID + evse_id


def needs_sending(
    confirmed: ChargingProfile | None,
    wanted: ChargingProfile,
    now: datetime,
    look_ahead: timedelta = LOOK_AHEAD,
) -> bool:
    """Say whether a station must be told: the wanted profile differs soon from the one that it confirmed.

    Parameters
    ----------
    confirmed
        The last profile that the station confirmed for this session; None when there is none.
    wanted
        What it should do.
    now
        The moment from which on a difference counts.
    look_ahead
        How far.
    """
    if confirmed is None or _identity(confirmed) != _identity(wanted):
        return True
    horizon = now + look_ahead
    moments = {now} | {
        moment
        for profile in (confirmed, wanted)
        for moment in (profile.start + timedelta(seconds=period.start_s) for period in profile.periods)
        if now < moment < horizon
    }
    return any(_differs(confirmed, wanted, moment) for moment in moments)


def _told_kw(power_kw: float, steering: Steering) -> float:
    """Return the power that a model is really told [kW]."""
    if steering.dialect is DischargeDialect.NONE:
        power_kw = max(power_kw, 0.0)
    least_kw = steering.min_current_a * steering.kw_per_a
    if abs(abs(power_kw) - least_kw) <= _SNAP_KW:
        power_kw = math.copysign(least_kw, power_kw)
    period = power_period(0, power_kw, steering)
    told_kw = read_power_kw(period, _unit(steering), steering)
    assert told_kw is not None, "a period that is made here always bounds"
    return told_kw


def _unit(steering: Steering) -> RateUnit:
    """Setpoints are in watt whatever the unit of the model's limits."""
    return steering.unit if steering.dialect is DischargeDialect.NONE else RateUnit.WATT


def _join_equal(pieces: Sequence[_Piece]) -> list[_Piece]:
    joined: list[_Piece] = []
    for piece in pieces:
        if joined and abs(joined[-1].power_kw - piece.power_kw) < SAME_KW:
            joined[-1] = _join(joined[-1], piece)
        else:
            joined.append(piece)
    return joined


def _join(first: _Piece, second: _Piece) -> _Piece:
    return _Piece(first.start_s, first.length_s + second.length_s, _nearest_to_zero_kw(first, second))


def _nearest_to_zero_kw(first: _Piece, second: _Piece) -> float:
    """Return the power that keeps the bounds of both: 0 when one charges and the other discharges [kW]."""
    if first.power_kw * second.power_kw <= 0.0:
        return 0.0
    return min(first.power_kw, second.power_kw, key=abs)


def _join_to(pieces: list[_Piece], most: int) -> list[_Piece]:
    """Join the neighbours that lose least until few enough are left; the near future is dearer."""
    pieces = list(pieces)
    while len(pieces) > most:
        cost = [_lost(first, second) for first, second in pairwise(pieces)]
        at = cost.index(min(cost))
        pieces[at : at + 2] = [_join(pieces[at], pieces[at + 1])]
    return _join_equal(pieces)


def _lost(first: _Piece, second: _Piece) -> float:
    kept_kw = _nearest_to_zero_kw(first, second)
    lost_kws = sum(abs(each.power_kw - kept_kw) * each.length_s for each in (first, second))
    return lost_kws / (3600.0 + first.start_s)


def _without_start(period: Period) -> tuple[float | None, float | None, int | None]:
    return period.limit, period.setpoint, period.phases


def _identity(profile: ChargingProfile) -> tuple[object, ...]:
    return profile.id, profile.purpose, profile.stack_level, profile.unit, profile.transaction_id


def _at(profile: ChargingProfile, moment: datetime) -> Period:
    since_s = (moment - profile.start).total_seconds()
    holding = [period for period in profile.periods if period.start_s <= since_s]
    return holding[-1] if holding else profile.periods[0]


def _differs(first: ChargingProfile, second: ChargingProfile, moment: datetime) -> bool:
    return _without_start(_at(first, moment)) != _without_start(_at(second, moment))
