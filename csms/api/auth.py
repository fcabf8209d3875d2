"""Who asks, and whether they may: people and systems with a bearer token, each in a role."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from csms.api.problems import ApiError
from csms.api.rights import may
from csms.state.access import AccessToken, Role

CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="wijkstroom"'}
_bearer = HTTPBearer(
    auto_error=False, description="The token that the service printed at start, or one of a role."
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
Identify = Callable[[str], Awaitable[AccessToken | None]]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks.

    Parameters
    ----------
    name
        The name that the audit keeps.
    role
        What they may do.
    """

    name: str
    role: Role


OWNER: Final = Identity("operator", Role.OPERATOR)


def same_secret(given: str, expected: str) -> bool:
    """Compare two secrets in a time that tells nothing about where they differ."""
    return hmac.compare_digest(given.encode(), expected.encode())


def require_right(
    operator_token: str, identify: Identify, prefix: str
) -> Callable[[Request, Credentials], Awaitable[None]]:
    """Make the dependency that lets those pass who may use the route; `identity_of` then says who they are.

    Parameters
    ----------
    operator_token
        The token of the service's owner, not empty.
    identify
        Returns the valid token with a secret.
    prefix
        What stands before the paths of `csms.api.rights`.
    """
    if not operator_token:
        raise ValueError("operator_token is empty: anybody could show it")

    async def check(request: Request, credentials: Credentials) -> None:
        secret = "" if credentials is None else credentials.credentials
        identity = await _find(secret, operator_token, identify)
        if identity is None:
            detail = "send the header Authorization: Bearer TOKEN with a valid token"
            raise ApiError(HTTPStatus.UNAUTHORIZED, detail, headers=CHALLENGE)
        path = str(request.scope["route"].path).removeprefix(prefix)
        if not may(identity.role, request.method, path):
            detail = f"the role {identity.role} may not {request.method} {path}: ask an operator"
            raise ApiError(HTTPStatus.FORBIDDEN, detail)
        request.state.identity = identity

    return check


async def _find(secret: str, operator_token: str, identify: Identify) -> Identity | None:
    if not secret:
        return None
    if same_secret(secret, operator_token):
        return OWNER
    token = await identify(secret)
    return None if token is None else Identity(token.name, token.role)


def identity_of(request: Request) -> Identity:
    """Return who asks, on a route that needs a right."""
    identity: Identity = request.state.identity
    return identity


Asker = Annotated[Identity, Depends(identity_of)]
