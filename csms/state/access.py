"""Access tokens: who may ask the API what; only the keyed hash of a token is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import insert, select, update
from sqlmodel import Field, Session, SQLModel

from csms.state.columns import Instant, table_of
from csms.state.errors import ConflictError, NotFoundError


class Role(StrEnum):
    """What somebody is to the service."""

    OPERATOR = "operator"
    GRID = "grid"
    PLANNER = "planner"
    CITY = "city"
    DRIVER = "driver"
    VIEWER = "viewer"


class AccessTokenRow(SQLModel, table=True):
    """A token of the API; ``token_hash`` is its HMAC-SHA256 under the server's pepper."""

    __tablename__ = "access_token"

    name: str = Field(primary_key=True)
    role: str
    token_hash: str = Field(unique=True)
    created_at: datetime = Field(sa_type=Instant)
    expires_at: datetime | None = Field(default=None, sa_type=Instant)
    revoked_at: datetime | None = Field(default=None, sa_type=Instant)


_TOKEN = table_of(AccessTokenRow)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What is known of a token.

    Parameters
    ----------
    name
        Whose it is: the name that the audit keeps. A name is given once.
    role
        What its owner may do.
    created_at, expires_at, revoked_at
        Its life; None when it has no end, or was not ended.
    """

    name: str
    role: Role
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Say whether it opens anything at an instant."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def add_access_token(session: Session, token: AccessToken, token_hash: str) -> None:
    """Keep a new token (`ConflictError` when the name was given before)."""
    known = select(_TOKEN.c.name).where(_TOKEN.c.name == token.name)
    if session.connection().execute(known).first() is not None:
        raise ConflictError(
            "name", f"{token.name!r} was given before, and the audit keeps names: choose another"
        )
    values = {name: getattr(token, name) for name in AccessToken.__slots__}
    session.connection().execute(
        insert(_TOKEN).values(values | {"role": token.role.value, "token_hash": token_hash})
    )


def revoke_access_token(session: Session, name: str, now: datetime) -> None:
    """End a token; one that ended stays as it is (`NotFoundError` when nobody has the name)."""
    found = select(_TOKEN.c.revoked_at).where(_TOKEN.c.name == name)
    row = session.connection().execute(found).first()
    if row is None:
        raise NotFoundError(f"no token is named {name!r}")
    if row.revoked_at is None:
        session.connection().execute(update(_TOKEN).where(_TOKEN.c.name == name).values(revoked_at=now))


def list_access_tokens(session: Session) -> list[AccessToken]:
    """Return all tokens that were ever given, by name."""
    query = select(*(_TOKEN.c[name] for name in AccessToken.__slots__)).order_by(_TOKEN.c.name)
    return [_read(*row) for row in session.connection().execute(query)]


def find_access_token(session: Session, token_hash: str) -> AccessToken | None:
    """Return the token with a hash, None when there is none."""
    query = select(*(_TOKEN.c[name] for name in AccessToken.__slots__)).where(
        _TOKEN.c.token_hash == token_hash
    )
    row = session.connection().execute(query).first()
    return None if row is None else _read(*row)


def _read(
    name: str, role: str, created_at: datetime, expires_at: datetime | None, revoked_at: datetime | None
) -> AccessToken:
    return AccessToken(name, Role(role), created_at, expires_at, revoked_at)
