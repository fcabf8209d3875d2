"""Who told what to do, and what came of it: kept for ever, changed never."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, Column, Integer, Text, insert, select
from sqlmodel import Field, Session, SQLModel

from csms.state.columns import Instant, table_of
from grid.errors import Problem

# As much of a document that is refused as tells what it was.
_MOST_CHARACTERS: Final = 20_000


class AuditRow(SQLModel, table=True):
    """One deed of a person."""

    __tablename__ = "audit"

    id: int | None = Field(
        default=None,
        sa_column=Column(
            BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True
        ),
    )
    at: datetime = Field(sa_type=Instant)
    actor: str
    deed: str
    station_id: str | None = Field(default=None, index=True)
    detail: str = Field(sa_type=Text)
    outcome: str = Field(sa_type=Text)


_AUDIT = table_of(AuditRow)


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody did.

    Parameters
    ----------
    at
        When.
    actor
        Who, as far as the service can tell people apart.
    deed
        What, in one word.
    station_id
        To which station, None when to none.
    detail, outcome
        With what, and what came of it; no secrets.
    """

    at: datetime
    actor: str
    deed: str
    station_id: str | None
    detail: str
    outcome: str


def record_deed(session: Session, deed: Deed) -> None:
    """Record a deed."""
    values = {name: getattr(deed, name) for name in Deed.__slots__}
    session.connection().execute(insert(_AUDIT).values(values))


def record_refusal(
    session: Session, source: str, deed: str, text: bytes, problems: Sequence[Problem], at: datetime
) -> None:
    """Record a document from outside that was refused, with everything that was wrong with it."""
    shown = text[:_MOST_CHARACTERS].decode("utf-8", "replace")
    record_deed(session, Deed(at, source, deed, None, shown, "\n".join(map(str, problems))))


def list_deeds(session: Session, *, station_id: str | None = None, limit: int = 100) -> list[Deed]:
    """Return deeds, the last one first; only those to a station, if one is named."""
    query = select(*(_AUDIT.c[name] for name in Deed.__slots__)).order_by(_AUDIT.c.id.desc()).limit(limit)
    if station_id is not None:
        query = query.where(_AUDIT.c.station_id == station_id)
    return [Deed(*row) for row in session.connection().execute(query)]
