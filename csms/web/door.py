"""Who may look at the live page: everybody on one's own machine, else who showed the operator token."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from csms.api.auth import same_secret

COOKIE: Final = "wijkstroom-viewer"
_COOKIE_AGE_S: Final = 30 * 24 * 3600


class PageDoor:
    """Lets viewers in, and operators act.

    Parameters
    ----------
    operator_token
        What a viewer shows once; the browser keeps a cookie that is made from it and cannot be turned back.
    open_to_all
        Whether nobody is asked.
    """

    def __init__(self, operator_token: str, *, open_to_all: bool) -> None:
        self._operator_token = operator_token
        self._open_to_all = open_to_all
        self._pass = hmac.digest(operator_token.encode(), b"live page", hashlib.sha256).hex()

    def admits(self, request: Request) -> bool:
        """Say whether a browser may see the page."""
        return self._open_to_all or same_secret(request.cookies.get(COOKIE, ""), self._pass)

    def lets_act(self, request: Request) -> bool:
        """Say whether a browser may act: it showed the token, and the page that asks is one of ours."""
        own = request.headers.get("sec-fetch-site", "same-origin") == "same-origin"
        return own and same_secret(request.cookies.get(COOKIE, ""), self._pass)

    async def enter(self, request: Request) -> Response | None:
        """Read the form with the token; None when the token is wrong."""
        form = parse_qs((await request.body()).decode(errors="replace"), max_num_fields=4)
        if not same_secret(form.get("token", [""])[0].strip(), self._operator_token):
            return None
        response = RedirectResponse("/", status_code=303)
        response.set_cookie(
            COOKIE,
            self._pass,
            max_age=_COOKIE_AGE_S,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return response
