"""One line that says how the street is doing: simulated time, power against limit, state of charge, price."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from math import isfinite

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from csms.settings import MeterConfig, MeterRole
from csms.state.station_state import StreetState
from grid.capacity.envelope import compute_envelope
from grid.street import GridSide

REFRESH_S = 0.25
EUR_PER_MWH = 1000.0


def compose_line(now: datetime, state: StreetState, grid: GridSide, meters: tuple[MeterConfig, ...]) -> str:
    """Return the line for one instant.

    Parameters
    ----------
    now
        The street's time.
    state
        What the service knows.
    grid
        Limits and prices.
    meters
        Which meters the street has.
    """
    local = now.astimezone(grid.tz)
    price = float(grid.prices.day_ahead_eur_per_kwh([now])[0]) * EUR_PER_MWH
    parts = [f"{local:%a %H:%M}", _power(now, state, grid, meters), _cars(state), f"{price:7.2f} EUR/MWh"]
    return "  ".join(part for part in parts if part)


def _power(now: datetime, state: StreetState, grid: GridSide, meters: tuple[MeterConfig, ...]) -> str:
    for meter in meters:
        reading = state.meters.get(meter.id)
        if meter.role is not MeterRole.NODE or reading is None:
            continue
        limit_kw = float(compute_envelope(grid.topology, meter.node, [now], grid.tz).import_limit_kw[0])
        limit = f" of {limit_kw:.0f}" if isfinite(limit_kw) else ""
        return f"{reading.power_kw:6.1f}{limit} kW"
    return ""


def _cars(state: StreetState) -> str:
    sessions = [
        evse.session
        for station in state.stations.values()
        for evse in station.evses.values()
        if evse.session is not None
    ]
    known = [session.soc_fraction for session in sessions if session.soc_fraction is not None]
    soc = f", SoC {100.0 * sum(known) / len(known):.0f} %" if known else ""
    charged_kw = sum(max(session.power_kw, 0.0) for session in sessions)
    given_kw = sum(max(-session.power_kw, 0.0) for session in sessions)
    return f"{len(sessions):2d} cars +{charged_kw:.1f} -{given_kw:.1f} kW{soc}"


@asynccontextmanager
async def shown_progress(
    console: Console, start: datetime, until: datetime, now: Callable[[], datetime], line: Callable[[], str]
) -> AsyncIterator[None]:
    """Show a line and how far the run is, for the block.

    Parameters
    ----------
    console
        Where; nothing moves when it is no terminal.
    start, until
        Begin and end of the run.
    now, line
        Say how far it is and what to show.
    """
    columns = (BarColumn(bar_width=20), TaskProgressColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=(until - start) / timedelta(seconds=1))

        async def refresh() -> None:
            while True:
                passed_s = (now() - start) / timedelta(seconds=1)
                progress.update(task, completed=passed_s, description=line())
                await asyncio.sleep(REFRESH_S)

        refreshing = asyncio.create_task(refresh(), name="progress")
        try:
            yield
        finally:
            refreshing.cancel()
            with suppress(asyncio.CancelledError):
                await refreshing
