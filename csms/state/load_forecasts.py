"""Day-ahead load forecasts in the rows: announced once, never changed after."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import orjson
from sqlalchemy import select
from sqlmodel import Session

from csms.state.columns import AnyRow, table_of
from csms.state.models import LoadForecastRow
from csms.state.upserts import insert_new
from grid.tariffs.deviation import LoadForecast
from grid.timegrid import QUARTER

_FORECAST = table_of(LoadForecastRow)


@dataclass(frozen=True)
class FrozenForecast:
    """What was announced for a local day.

    Parameters
    ----------
    made_at
        When.
    late
        Whether that was after suppliers had to have it.
    forecasts
        Of every connection that the street had then.
    """

    made_at: datetime
    late: bool
    forecasts: tuple[LoadForecast, ...]


def freeze_forecasts(session: Session, day: date, announced: FrozenForecast) -> bool:
    """Keep the forecasts of a local day for good; a day that has some keeps those, and False is returned."""
    if has_frozen(session, day):
        return False
    rows = [
        {
            "day": day.isoformat(),
            "ean18": each.ean18,
            "supplier": each.supplier,
            "made_at": announced.made_at,
            "late": announced.late,
            "start_at": each.starts[0],
            "net_kwh": orjson.dumps([round(kwh, 3) for kwh in each.net_kwh.tolist()]).decode(),
        }
        for each in announced.forecasts
    ]
    insert_new(session.connection(), _FORECAST, rows)
    return True


def has_frozen(session: Session, day: date) -> bool:
    """Say whether a local day was announced."""
    query = select(_FORECAST.c.id).where(_FORECAST.c.day == day.isoformat()).limit(1)
    return session.connection().execute(query).first() is not None


def read_frozen(session: Session, day: date) -> FrozenForecast | None:
    """Return what was announced for a local day, None when nothing was."""
    query = select(_FORECAST).where(_FORECAST.c.day == day.isoformat()).order_by(_FORECAST.c.id)
    rows = session.connection().execute(query).all()
    if not rows:
        return None
    return FrozenForecast(rows[0].made_at, rows[0].late, tuple(map(_read_row, rows)))


def _read_row(row: AnyRow) -> LoadForecast:
    net_kwh = np.array(orjson.loads(row.net_kwh), dtype=np.float64)
    starts = tuple(row.start_at + number * QUARTER for number in range(len(net_kwh)))
    return LoadForecast(row.ean18, row.supplier, starts, net_kwh)
