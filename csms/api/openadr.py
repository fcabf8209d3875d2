"""Where VTNs of OpenADR 3.1 tell changes of events at once."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request

from csms.api.auth import CHALLENGE, Credentials, same_secret
from csms.api.problems import ApiError, ProblemDocument, refused_fields
from csms.share.openadr_desk import VenDesk
from grid.errors import DocumentError
from grid.feeds.openadr_notifications import NOTIFICATIONS_PATH


def build_openadr(desk: VenDesk) -> APIRouter:
    """Return the route that VTNs call."""
    router = APIRouter(
        prefix=NOTIFICATIONS_PATH,
        tags=["OpenADR 3.1"],
        responses={code: {"model": ProblemDocument} for code in (401, 422)},
    )

    @router.post("/{vtn}", status_code=HTTPStatus.NO_CONTENT)
    async def hear(vtn: str, request: Request, credentials: Credentials) -> None:
        """Take a notification of an event: what it says is in force at once."""
        ven = desk.find(vtn)
        secret = "" if credentials is None else credentials.credentials
        if ven is None or ven.webhook is None or not same_secret(secret, ven.webhook.token):
            detail = "send the header Authorization: Bearer TOKEN with the token of our subscription"
            raise ApiError(HTTPStatus.UNAUTHORIZED, detail, headers=CHALLENGE)
        try:
            await ven.hear(await request.body())
        except DocumentError as error:
            raise refused_fields(error.problems) from error

    return router
