"""Tokens by the command line: what it makes opens the API of a service on the same database."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner

from csms.state.access import AccessToken, Role, find_access_token
from csms.state.keys import hash_key
from csms.state.store import open_store
from grid.clock import SystemClock
from wijkstroom.access import RoleName
from wijkstroom.cli import app

PEPPER = "pepper-of-a-test"


@pytest.fixture
def db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("WIJKSTROOM_PEPPER", PEPPER)
    return f"sqlite:///{tmp_path}/street.db"


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["token", *arguments])
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.stderr


async def find(db: str, secret: str) -> AccessToken | None:
    store = open_store(db, inline=True)
    try:
        token_hash = hash_key(secret.encode(), PEPPER.encode())
        return await store.read(lambda session: find_access_token(session, token_hash))
    finally:
        await store.close()


def test_what_is_made_is_found_by_its_secret(db: str) -> None:
    secret = run("add", "Stedin", "--role", "grid", "--days", "30", "--db", db).strip()
    token = asyncio.run(find(db, secret))
    assert token is not None
    assert (token.name, token.role) == ("Stedin", Role.GRID)
    assert token.is_valid(SystemClock().now())
    assert asyncio.run(find(db, secret[:-1])) is None


def test_tokens_are_listed_and_ended(db: str) -> None:
    secret = run("add", "the city", "--role", "city", "--db", db).strip()
    run("revoke", "the city", "--db", db)
    (listed,) = json.loads(run("list", "--json", "--db", db))
    assert listed["role"] == "city"
    assert listed["revoked_at"] is not None
    table = run("list", "--db", db)
    assert "the city" in table
    assert secret not in table + json.dumps(listed)


@pytest.mark.parametrize("name", ["", "-x", "a\nb", "x" * 65])
def test_a_name_that_cannot_be_is_refused(db: str, name: str) -> None:
    assert "NAME" in run("add", "--role", "grid", "--db", db, "--", name, code=2)


def test_a_name_is_given_once_and_must_be_known_to_be_ended(db: str) -> None:
    run("add", "Stedin", "--role", "grid", "--db", db)
    assert "given before" in run("add", "Stedin", "--role", "viewer", "--db", db, code=2)
    assert "token list" in run("revoke", "nobody", "--db", db, code=2)


def test_the_command_knows_every_role() -> None:
    assert list(get_args(RoleName)) == [role.value for role in Role]
