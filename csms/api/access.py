"""Tokens of the API: an operator gives them to people and systems, each in a role, and takes them back."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from csms.api.actions import keep_deed
from csms.api.auth import Asker
from csms.api.context import PREFIX, ApiContext
from csms.api.refusals import told_refusals
from csms.state.access import AccessToken, Role, list_access_tokens, revoke_access_token
from grid.config import StrictModel

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}"


class AccessTokenBody(StrictModel):
    """A token to be made.

    Parameters
    ----------
    name
        Whose it is, given once: letters, digits, blanks and ``. _ @ -``.
    role
        What its owner may do.
    days
        How long it is valid; without an end when it is not given.
    """

    name: Annotated[str, Field(pattern=f"^{NAME_PATTERN}$")]
    role: Role
    days: Annotated[int | None, Field(ge=1, le=3650)] = None


class AccessTokenDocument(BaseModel):
    """A token, without its secret."""

    name: str
    role: Role
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewAccessTokenDocument(AccessTokenDocument):
    """A token that was just made: the only time that its secret is told."""

    token: str


class IdentityDocument(BaseModel):
    """Who asks."""

    name: str
    role: Role


def build_access(context: ApiContext) -> APIRouter:
    """Return the routes of tokens."""
    router = APIRouter(tags=["tokens"])

    @router.get("/me")
    async def say_who_asks(asker: Asker) -> IdentityDocument:
        """Say whom the service takes the asker for."""
        return IdentityDocument(name=asker.name, role=asker.role)

    @router.get("/tokens")
    async def list_tokens() -> list[AccessTokenDocument]:
        """List all tokens that were ever given."""
        return [_describe(token) for token in await context.service.store.read(list_access_tokens)]

    @router.post("/tokens", status_code=HTTPStatus.CREATED, responses={409: {}})
    async def add_token(body: AccessTokenBody, asker: Asker) -> NewAccessTokenDocument:
        """Make a token; its secret is in the answer and nowhere else."""
        now = context.clock.now()
        expires_at = None if body.days is None else now + timedelta(days=body.days)
        with told_refusals("token", body.name, f"{PREFIX}/tokens"):
            secret = await context.service.new_access_token(body.name, body.role, expires_at)
        await keep_deed(context, "new token", None, f"{body.name}, {body.role}", "made", asker.name)
        made = AccessToken(body.name, body.role, now, expires_at)
        return NewAccessTokenDocument(token=secret, **_describe(made).model_dump())

    @router.delete("/tokens/{name}", status_code=HTTPStatus.NO_CONTENT)
    async def revoke_token(name: str, asker: Asker) -> None:
        """End a token at once."""
        with told_refusals("token", name, f"{PREFIX}/tokens"):
            await context.service.store.write(
                partial(revoke_access_token, name=name, now=context.clock.now())
            )
        await keep_deed(context, "revoked token", None, name, "ended", asker.name)

    return router


def _describe(token: AccessToken) -> AccessTokenDocument:
    return AccessTokenDocument(**{name: getattr(token, name) for name in AccessTokenDocument.model_fields})
