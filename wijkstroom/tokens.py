"""Tokens of the API, made and taken back in the service's database."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

from csms.api.access import NAME_PATTERN, AccessTokenDocument
from csms.state import keys
from csms.state.access import (
    AccessToken,
    Role,
    add_access_token,
    list_access_tokens,
    revoke_access_token,
)
from csms.state.errors import ConflictError, NotFoundError
from csms.state.store import Store
from grid.clock import SystemClock
from grid.errors import DocumentError, Problem
from wijkstroom.running import opened_store
from wijkstroom.serve import read_environment

T = TypeVar("T")


def make_token(db: str, name: str, role: str, days: int | None) -> str:
    """Make a token and return its secret.

    Raises
    ------
    DocumentError
        When the name cannot be used.
    """
    if re.fullmatch(NAME_PATTERN, name) is None:
        message = "1 to 64 letters, digits, blanks and . _ @ -, the first a letter or digit"
        raise DocumentError("token", [Problem("NAME", message)])
    now = SystemClock().now()
    secret = keys.generate_key()
    pepper = read_environment().pepper.get_secret_value().encode()
    token = AccessToken(name, Role(role), now, None if days is None else now + timedelta(days=days))
    work = partial(add_access_token, token=token, token_hash=keys.hash_key(secret.encode(), pepper))
    try:
        _with_store(db, lambda store: store.write(work))
    except ConflictError as error:
        raise DocumentError("token", [Problem("NAME", error.message)]) from error
    return secret


def end_token(db: str, name: str) -> None:
    """End a token.

    Raises
    ------
    DocumentError
        When nobody has the name.
    """
    work = partial(revoke_access_token, name=name, now=SystemClock().now())
    try:
        _with_store(db, lambda store: store.write(work))
    except NotFoundError as error:
        message = f"{error}: wijkstroom token list shows those there are"
        raise DocumentError("token", [Problem("NAME", message)]) from error


def describe_tokens(db: str) -> list[dict[str, Any]]:
    """Return all tokens that were ever given, without their secrets."""
    names = AccessTokenDocument.model_fields
    documents = [
        AccessTokenDocument(**{name: getattr(each, name) for name in names})
        for each in _with_store(db, lambda store: store.read(list_access_tokens))
    ]
    return [document.model_dump(mode="json") for document in documents]


def print_tokens(db: str) -> None:
    """Print all tokens that were ever given; those that open nothing now are dim."""
    now = SystemClock().now()
    table = Table(title="Tokens", title_justify="left")
    for title in ("name", "role", "given", "valid until"):
        table.add_column(title)
    for token in _with_store(db, lambda store: store.read(list_access_tokens)):
        ends = min(filter(None, (token.expires_at, token.revoked_at)), default=None)
        until = "" if ends is None else f"{ends:%Y-%m-%d %H:%M}"
        style = None if token.is_valid(now) else "dim"
        table.add_row(token.name, token.role, f"{token.created_at:%Y-%m-%d %H:%M}", until, style=style)
    Console().print(table)


def _with_store(db: str, use: Callable[[Store], Awaitable[T]]) -> T:
    async def run() -> T:
        async with opened_store(db) as store:
            return await use(store)

    return asyncio.run(run())
