"""Telegrams of the street's own meters: the first and the last of every quarter are kept.

A telegram says its registers whole, so one that is lost with the power is made good by the next. Hence they
are not all written: every commit waits for the disk.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session

from csms.state.columns import table_of
from csms.state.models import StreetMeterRow
from csms.state.upserts import build_insert
from grid.feeds.p1 import MeterReading
from grid.timegrid import floor_quarter

_STREET = table_of(StreetMeterRow)
WRITE_EVERY: Final = timedelta(minutes=1)


class ReadingBuffer:
    """Chooses which telegrams are written: both sides of a quarter's edge, and one a minute between."""

    def __init__(self) -> None:
        self._written_at: dict[str, datetime] = {}
        self._waiting: dict[str, MeterReading] = {}

    def take(self, meter_id: str, reading: MeterReading) -> tuple[MeterReading, ...]:
        """Return what is to be written now that this telegram came."""
        written_at = self._written_at.get(meter_id)
        waiting = self._waiting.get(meter_id)
        if written_at is not None and reading.at < (waiting.at if waiting is not None else written_at):
            return ()
        if written_at is None or floor_quarter(reading.at) != floor_quarter(written_at):
            chosen = (reading,) if waiting is None else (waiting, reading)
        elif reading.at - written_at >= WRITE_EVERY:
            chosen = (reading,)
        else:
            self._waiting[meter_id] = reading
            return ()
        self._waiting.pop(meter_id, None)
        self._written_at[meter_id] = reading.at
        return chosen

    def drain(self) -> list[tuple[str, MeterReading]]:
        """Return everything that waits, to be written at the end."""
        waiting = list(self._waiting.items())
        self._waiting.clear()
        return waiting


def record_reading(session: Session, meter_id: str, reading: MeterReading) -> None:
    """Record a telegram; one that is older than the last of its quarter changes nothing."""
    connection = session.connection()
    last = {
        "at": reading.at,
        "import_kwh": reading.import_kwh,
        "export_kwh": reading.export_kwh,
        "power_kw": reading.power_kw,
    }
    first = {
        "first_at": reading.at,
        "first_import_kwh": reading.import_kwh,
        "first_export_kwh": reading.export_kwh,
    }
    insert = build_insert(connection, _STREET).values(
        meter_id=meter_id, quarter=floor_quarter(reading.at), **first, **last
    )
    statement = insert.on_conflict_do_update(
        index_elements=["meter_id", "quarter"], set_=last, where=_STREET.c.at <= insert.excluded["at"]
    )
    connection.execute(statement)
