"""Prices that came: every document that was taken or refused is kept in the audit; read back at the start."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlmodel import Session

from csms.state.audit import AuditRow, Deed, record_deed, record_refusal
from csms.state.columns import table_of
from grid.errors import Problem
from grid.tariffs.energy import PriceSeries, parse_prices, write_prices

_AUDIT = table_of(AuditRow)
_TAKEN, _REFUSED = "take prices", "refuse prices"
# Forecasts look back so far.
_MEMORY: Final = timedelta(days=28)


def record_taken(session: Session, source: str, series: PriceSeries, at: datetime) -> None:
    """Record prices that are in force from now on."""
    outcome = f"known until {series.end.isoformat()}"
    record_deed(session, Deed(at, source, _TAKEN, None, write_prices(series), outcome))


def record_refused(
    session: Session, source: str, text: bytes, problems: Sequence[Problem], at: datetime
) -> None:
    """Record a document that was refused, with everything that was wrong with it."""
    record_refusal(session, source, _REFUSED, text, problems, at)


def read_taken(session: Session, now: datetime) -> list[PriceSeries]:
    """Return the prices that were taken in the last weeks, in the order in which they came."""
    query = (
        select(_AUDIT.c.detail)
        .where(_AUDIT.c.deed == _TAKEN, _AUDIT.c.at > now - _MEMORY)
        .order_by(_AUDIT.c.id)
    )
    return [parse_prices(detail, "audit") for (detail,) in session.connection().execute(query)]
