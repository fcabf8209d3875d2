"""Whether a token may charge."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session

from csms.ocpp.vocabulary import AuthorizationStatus
from csms.state.catalogue import fold_token
from csms.state.columns import table_of
from csms.state.models import TokenRow

_TOKEN = table_of(TokenRow)


def find_token_status(session: Session, value: str, now: datetime) -> AuthorizationStatus:
    """Return the status of a token on our clock; one that nobody recorded is a guest's and accepted."""
    query = select(_TOKEN.c.status, _TOKEN.c.expires_at).where(_TOKEN.c.folded == fold_token(value))
    row = session.connection().execute(query).first()
    if row is None:
        return AuthorizationStatus.ACCEPTED
    if row.expires_at is not None and row.expires_at <= now:
        return AuthorizationStatus.EXPIRED
    return AuthorizationStatus(row.status)
