"""What the street tells everybody: energy by the hour, and nothing about anyone. Pure but for the reading.

An hour is told only when at least `CROWD` sessions touch it, and totals are sums of the hours that are told:
so no difference of two published figures is the figure of fewer people.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import Final

from sqlmodel import Session

from csms.settings import MeterConfig, MeterRole
from csms.state.queries import QuarterEnergy, energy_by_quarter, list_sessions, meter_energy_by_quarter
from grid.street import GridSide
from grid.timegrid import quarters_of_local_day

CROWD: Final = 5
_HOUR: Final = timedelta(hours=1)
# More sessions than any street has in a day.
_MOST_SESSIONS: Final = 100_000

Span = tuple[datetime, datetime | None]
EnergyByEvse = Mapping[tuple[str, int], Sequence[QuarterEnergy]]


@dataclass(frozen=True, slots=True)
class OpenHour:
    """One hour of the street.

    Parameters
    ----------
    start
        When it begins (UTC).
    sessions
        Sessions that touch it, at least `CROWD`.
    charged_kwh, given_back_kwh
        Into the cars and out of them, at the stations' meters [kWh].
    sun_fraction
        Share of the charged energy that the street's own array made in the same quarter; None without a meter
        on it, or when nothing was charged [fraction].
    """

    start: datetime
    sessions: int
    charged_kwh: float
    given_back_kwh: float
    sun_fraction: float | None


DICTIONARY: Final[Mapping[str, str]] = {
    "start": "begin of the hour, ISO 8601, UTC",
    "sessions": f"sessions that touch the hour; hours with fewer than {CROWD} are left out",
    "charged_kwh": "energy into the cars at the stations' meters [kWh]",
    "given_back_kwh": "energy out of the cars at the stations' meters [kWh]",
    "sun_fraction": "share of the charged energy that the street's own array made in the same quarter [0-1]",
}


def read_hours(
    session: Session, day: date, now: datetime, meters: Sequence[MeterConfig], grid: GridSide
) -> list[OpenHour]:
    """Return the hours of a local day that are over and may be told.

    The running hour would tell, from look to look, what a few sessions did in between.
    """
    start, end = local_day(day, grid)
    end = min(end, now.replace(minute=0, second=0, microsecond=0))
    if end <= start:
        return []
    touching = list_sessions(session, start=start, end=end, limit=_MOST_SESSIONS)
    registered = meter_energy_by_quarter(session, start, end)
    arrays = [meter.id for meter in meters if meter.role is MeterRole.PV and registered.get(meter.id)]
    return compute_hours(
        start,
        end,
        [(each.started_at, each.ended_at) for each in touching],
        energy_by_quarter(session, start, end),
        [registered[name] for name in arrays],
    )


def compute_hours(
    start: datetime,
    end: datetime,
    spans: Sequence[Span],
    energy: EnergyByEvse,
    arrays: Sequence[Sequence[QuarterEnergy]],
) -> list[OpenHour]:
    """Add up the hours that enough sessions touch.

    Parameters
    ----------
    start, end
        The period, whole hours.
    spans
        From when to when each session was there; None: it still is.
    energy
        Of every EVSE, per quarter.
    arrays
        What each array registered, per quarter.
    """
    hours = []
    for number in range((end - start) // _HOUR):
        begin = start + number * _HOUR
        until = begin + _HOUR
        sessions = sum(one[0] < until and (one[1] is None or one[1] > begin) for one in spans)
        if sessions < CROWD:
            continue
        charged, given = _sum_by_quarter(energy.values(), begin, until)
        made = _sum_by_quarter(arrays, begin, until)[1]
        by_sun_kwh = sum(min(kwh, made.get(quarter, 0.0)) for quarter, kwh in charged.items())
        charged_kwh = sum(charged.values())
        hours.append(
            OpenHour(
                begin,
                sessions,
                round(charged_kwh, 1),
                round(sum(given.values()), 1),
                round(by_sun_kwh / charged_kwh, 2) if arrays and charged_kwh > 0 else None,
            )
        )
    return hours


def local_day(day: date, grid: GridSide) -> tuple[datetime, datetime]:
    """Return begin and end of a local day (UTC)."""
    quarters = quarters_of_local_day(day, grid.tz)
    return quarters.start, quarters.end


def write_csv(hours: Sequence[OpenHour]) -> str:
    """Return hours as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [field.name for field in fields(OpenHour)]
    writer.writerow(names)
    for hour in hours:
        cells = [getattr(hour, name) for name in names]
        writer.writerow([each.isoformat() if isinstance(each, datetime) else each for each in cells])
    return text.getvalue()


def write_dictionary() -> str:
    """Return what the columns mean, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["column", "meaning"])
    writer.writerows(DICTIONARY.items())
    return text.getvalue()


def _sum_by_quarter(
    lists: Iterable[Sequence[QuarterEnergy]], begin: datetime, until: datetime
) -> tuple[dict[datetime, float], dict[datetime, float]]:
    """Return what all of them imported and exported in each quarter of a span [kWh]."""
    taken: dict[datetime, float] = {}
    given: dict[datetime, float] = {}
    for quarters in lists:
        for each in quarters:
            if begin <= each.quarter < until:
                taken[each.quarter] = taken.get(each.quarter, 0.0) + each.import_kwh
                given[each.quarter] = given.get(each.quarter, 0.0) + each.export_kwh
    return taken, given
