"""What connections will take on a day: the plan of the cars that are there, and cars that usually come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from grid.tariffs.deviation import LoadForecast
from grid.timegrid import QUARTER_HOURS, QUARTERS_PER_DAY, local_minutes, quarters_of_local_day
from grid.topology import Connection
from optimizer.plan import Plan

Floats = NDArray[np.float64]
# So many days tell what usually happens.
HISTORY = timedelta(days=14)


def usual_day_kwh(quarters: Sequence[tuple[datetime, float]], days: float, tz: ZoneInfo) -> Floats:
    """Return the mean energy of each quarter of the local day [kWh], shape (96,).

    Parameters
    ----------
    quarters
        Start and net energy of quarters with any; the others had none [kWh].
    days
        How many days they come from.
    """
    minutes = local_minutes([start for start, _ in quarters], tz)
    energy_kwh = np.array([kwh for _, kwh in quarters], dtype=np.float64)
    return np.bincount(minutes // 15, energy_kwh, QUARTERS_PER_DAY) / max(days, 1.0)


def planned_kwh(
    plan: Plan | None, plan_start: datetime, session_ids: frozenset[str], starts: Sequence[datetime]
) -> Floats:
    """Return what a plan gives some sessions in quarters [kWh], 0 beyond its horizon.

    Parameters
    ----------
    plan, plan_start
        The newest, and its first step; None: nothing is planned.
    session_ids
        Whose.
    starts
        Quarters.
    """
    own = [ev.power_kw for ev in plan.evs if ev.id in session_ids] if plan else []
    total = np.array(own).sum(axis=0) * QUARTER_HOURS if own else np.zeros(0)
    steps = [(start - plan_start) // timedelta(hours=QUARTER_HOURS) for start in starts]
    return np.array([total[step] if 0 <= step < len(total) else 0.0 for step in steps])


def expect_load(
    day: date,
    tz: ZoneInfo,
    connection: Connection,
    usual_kwh: Floats,
    plan: Plan | None,
    plan_start: datetime,
    session_ids: frozenset[str],
) -> LoadForecast:
    """Forecast a connection's quarters of a local day.

    Cars that come later are not in the plan: where it takes less than is usual, the usual counts; where it
    gives back, the plan does.

    Parameters
    ----------
    day, tz
        Which day.
    connection
        Which connection.
    usual_kwh
        From `usual_day_kwh` [kWh].
    plan, plan_start, session_ids
        As in `planned_kwh`.
    """
    starts = quarters_of_local_day(day, tz).starts
    planned = planned_kwh(plan, plan_start, session_ids, starts)
    usual = usual_kwh[local_minutes(starts, tz) // 15]
    expected = np.where(planned < 0.0, planned, np.maximum(planned, usual))
    return LoadForecast(connection.ean18, connection.supplier or "", starts, expected)


def group_sessions(sessions: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Return the ids of sessions by connection, from the connection of each."""
    groups: dict[str, set[str]] = {}
    for session_id, connection_id in sessions.items():
        groups.setdefault(connection_id, set()).add(session_id)
    return {name: frozenset(ids) for name, ids in groups.items()}
