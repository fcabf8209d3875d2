"""What is agreed with grid operators that speak OSCP, in the rows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlmodel import Session

from csms.state.columns import table_of
from csms.state.models import OscpPartnerRow
from csms.state.upserts import put

_PARTNER = table_of(OscpPartnerRow)


@dataclass(frozen=True, slots=True)
class OscpPartner:
    """What is agreed with a partner.

    Parameters
    ----------
    name
        Ours for it.
    their_token, base_url
        What we show, and where it listens; None until it registered.
    heartbeat_interval_s
        How often it wants to hear from us; None: never [s].
    intermittent
        Whether it wants differences rather than registers.
    agreed_at
        When the handshake was acknowledged; None: not yet.
    """

    name: str
    their_token: str | None = None
    base_url: str | None = None
    heartbeat_interval_s: int | None = None
    intermittent: bool = False
    agreed_at: datetime | None = None


def hash_token(token: str) -> str:
    """Return what is kept of a token that has 128 random bits or more."""
    return hashlib.sha256(token.encode()).hexdigest()


def store_token(session: Session, name: str, token: str) -> None:
    """Give a partner a new token to show; the earlier one counts no more."""
    row = {"name": name, "our_token_hash": hash_token(token), "intermittent": False}
    put(session.connection(), _PARTNER, row)


def change_partner(session: Session, name: str, values: dict[str, Any]) -> None:
    """Change what is agreed."""
    session.connection().execute(update(_PARTNER).where(_PARTNER.c.name == name).values(**values))


def find_partner(session: Session, token: str) -> OscpPartner | None:
    """Return the partner that shows a token."""
    query = select(_PARTNER).where(_PARTNER.c.our_token_hash == hash_token(token))
    row = session.connection().execute(query).first()
    return None if row is None else _read(row)


def list_partners(session: Session) -> list[OscpPartner]:
    """Return all partners."""
    return [_read(row) for row in session.connection().execute(select(_PARTNER).order_by(_PARTNER.c.name))]


def _read(row: Any) -> OscpPartner:
    return OscpPartner(
        row.name, row.their_token, row.base_url, row.heartbeat_interval_s, row.intermittent, row.agreed_at
    )
