"""What drivers pay, in the rows: a session's price, announcements of the idle fee, and its minutes by day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import select
from sqlmodel import Session

from csms.state.columns import table_of
from csms.state.errors import NotFoundError
from csms.state.models import IdleFeeRow, IdleNoticeRow, SessionPriceRow, SessionRow
from csms.state.upserts import insert_new, put
from grid.tariffs.driver import Choice

_SESSION, _PRICE, _NOTICE, _FEE = map(table_of, (SessionRow, SessionPriceRow, IdleNoticeRow, IdleFeeRow))
_CENTS_PER_EUR = 100


@dataclass(frozen=True, slots=True)
class SessionPrice:
    """What a kWh of a session costs, VAT included, and since when that is agreed [EUR/kWh]."""

    choice: Choice
    eur_per_kwh: Decimal
    quoted_at: datetime


@dataclass(frozen=True, slots=True)
class IdleNotice:
    """The driver was told that staying costs something from an instant on."""

    announced_at: datetime
    runs_from: datetime


@dataclass(frozen=True, slots=True)
class IdleDay:
    """The idle fee of a local day, VAT included [EUR]."""

    day: date
    ran: timedelta
    amount_eur: Decimal


@dataclass(frozen=True, slots=True)
class SessionAccount:
    """Everything that a session costs besides its energy; price is None when nothing was agreed."""

    price: SessionPrice | None
    notices: tuple[IdleNotice, ...]
    idle: tuple[IdleDay, ...]


def record_price(
    session: Session, session_id: str, price: SessionPrice, *, replace: bool
) -> SessionPrice | None:
    """Record what a session costs; None when it has a price already and is to keep it."""
    number = _number(session, session_id)
    row = {
        "session_number": number,
        "choice": price.choice.value,
        "cents_per_kwh": int(price.eur_per_kwh * _CENTS_PER_EUR),
        "quoted_at": price.quoted_at,
    }
    if replace:
        put(session.connection(), _PRICE, row)
        return price
    insert_new(session.connection(), _PRICE, [row])
    return None if _read_price(session, number) != price else price


def record_idle(
    session: Session,
    session_id: str,
    notice: IdleNotice | None,
    days: Mapping[date, tuple[timedelta, Decimal]],
) -> None:
    """Record an announcement, once, and the fee of every day as it stands."""
    number, connection = _number(session, session_id), session.connection()
    if notice is not None:
        told = {"announced_at": notice.announced_at, "runs_from": notice.runs_from}
        insert_new(connection, _NOTICE, [{"session_number": number, **told}])
    for day, (ran, amount_eur) in days.items():
        row = {
            "session_number": number,
            "day": day.isoformat(),
            "seconds": int(ran.total_seconds()),
            "amount_cents": int(amount_eur * _CENTS_PER_EUR),
        }
        put(connection, _FEE, row)


def read_account(session: Session, session_id: str) -> SessionAccount:
    """Return what a session costs besides its energy (`NotFoundError` when there is none)."""
    number, connection = _number(session, session_id), session.connection()
    notices = select(_NOTICE).where(_NOTICE.c.session_number == number).order_by(_NOTICE.c.announced_at)
    days = select(_FEE).where(_FEE.c.session_number == number).order_by(_FEE.c.day)
    return SessionAccount(
        _read_price(session, number),
        tuple(IdleNotice(row.announced_at, row.runs_from) for row in connection.execute(notices)),
        tuple(
            IdleDay(date.fromisoformat(row.day), timedelta(seconds=row.seconds), _eur(row.amount_cents))
            for row in connection.execute(days)
        ),
    )


def _read_price(session: Session, number: int) -> SessionPrice | None:
    row = session.connection().execute(select(_PRICE).where(_PRICE.c.session_number == number)).first()
    return None if row is None else SessionPrice(Choice(row.choice), _eur(row.cents_per_kwh), row.quoted_at)


def _eur(cents: int) -> Decimal:
    return Decimal(cents) / _CENTS_PER_EUR


def _number(session: Session, session_id: str) -> int:
    query = select(_SESSION.c.number).where(_SESSION.c.id == session_id)
    number: int | None = session.connection().execute(query).scalar()
    if number is None:
        raise NotFoundError(f"there is no session {session_id!r}: GET /api/v1/sessions lists them")
    return number
