"""Who may ask: operators, with a bearer token."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from csms.api.problems import ApiError

CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="wijkstroom"'}
_bearer = HTTPBearer(auto_error=False, description="The operator token that the service printed at start.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def same_secret(given: str, expected: str) -> bool:
    """Compare two secrets in a time that tells nothing about where they differ."""
    return hmac.compare_digest(given.encode(), expected.encode())


def require_operator(operator_token: str) -> Callable[[Credentials], Awaitable[None]]:
    """Make the dependency that lets operators pass.

    Parameters
    ----------
    operator_token
        The token that they must show, not empty.
    """
    if not operator_token:
        raise ValueError("operator_token is empty: anybody could show it")

    async def check(credentials: Credentials) -> None:
        if credentials is None or not same_secret(credentials.credentials, operator_token):
            detail = "send the header Authorization: Bearer TOKEN with the operator token"
            raise ApiError(HTTPStatus.UNAUTHORIZED, detail, headers=CHALLENGE)

    return check
