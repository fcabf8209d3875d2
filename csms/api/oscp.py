"""OSCP 2.0 endpoints of a flexibility provider; its errors are ``{"message"}``, not problem documents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, TypeVar

from fastapi import APIRouter, Depends, Request
from pydantic import ValidationError
from starlette.responses import JSONResponse, Response

from csms.api.auth import Identify, require_right
from csms.api.context import PREFIX
from csms.api.problems import ApiError
from csms.api.refusals import told_refusals
from csms.share.oscp import NoCommonVersionError, OscpDesk
from csms.state.errors import NotFoundError
from csms.state.oscp_partners import OscpPartner
from grid.config import StrictModel, list_problems
from grid.errors import DocumentError
from grid.feeds.oscp import (
    FLEXIBILITY_PROVIDER_PATH,
    GroupCapacityForecast,
    Handshake,
    Heartbeat,
    Message,
    OscpError,
    Register,
)

MessageT = TypeVar("MessageT", bound=Message)
_SCHEME: Final = "token "
_MOST_SEGMENTS: Final = 100
_LONGEST_ID: Final = 200


class OscpRefusalError(Exception):
    """A message is refused.

    Parameters
    ----------
    status, message
        Of the answer.
    """

    def __init__(self, status: HTTPStatus, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(message)


def build_oscp(desk: OscpDesk) -> APIRouter:
    """Return the routes that capacity providers call."""
    router = APIRouter(prefix=FLEXIBILITY_PROVIDER_PATH, tags=["OSCP 2.0"])

    @router.post("/register", status_code=HTTPStatus.NO_CONTENT)
    async def register(request: Request) -> Response:
        """Take a capacity provider's registration; ours follows in a message of its own."""
        return await _answer(desk, request, Register, desk.register)

    @router.post("/handshake", status_code=HTTPStatus.NO_CONTENT)
    async def shake_hands(request: Request) -> Response:
        """Take what a capacity provider requires; the acknowledgement follows."""
        request_id = _request_id(request)
        return await _answer(
            desk, request, Handshake, lambda who, message: desk.shake_hands(who, message, request_id)
        )

    @router.post("/handshake_acknowledge", status_code=HTTPStatus.NO_CONTENT)
    async def acknowledge(request: Request) -> Response:
        """Learn that a capacity provider agrees to what we require."""
        return await _answer(desk, request, Handshake, lambda who, _: desk.acknowledge(who))

    @router.post("/heartbeat", status_code=HTTPStatus.NO_CONTENT)
    async def hear(request: Request) -> Response:
        """Take a sign of life."""
        return await _answer(desk, request, Heartbeat, desk.hear)

    @router.post("/update_group_capacity_forecast", status_code=HTTPStatus.NO_CONTENT)
    async def take(request: Request) -> Response:
        """Take a forecast of capacity: the plan follows within a minute."""
        request_id = _request_id(request)

        async def serve(who: OscpPartner, message: GroupCapacityForecast) -> None:
            await desk.take(who, message, request_id, _segment(request))

        return await _answer(desk, request, GroupCapacityForecast, serve)

    return router


class InvitationDocument(StrictModel):
    """With what and where a capacity provider registers; shown once."""

    token: str
    url: str


def build_oscp_desk(desk: OscpDesk, operator_token: str, identify: Identify) -> APIRouter:
    """Return the routes with which operators invite and ask capacity providers."""
    router = APIRouter(
        prefix=f"{PREFIX}/oscp",
        tags=["OSCP 2.0"],
        dependencies=[Depends(require_right(operator_token, identify, PREFIX))],
    )

    @router.post("/{name}/invitation", status_code=HTTPStatus.CREATED)
    async def invite(name: str) -> InvitationDocument:
        """Make a token with which a configured capacity provider may register."""
        with told_refusals("OSCP partner", name, "[[service.oscp_partners]]"):
            return InvitationDocument(token=await desk.invite(name), url=desk.url)

    @router.post("/{name}/adjustment", status_code=HTTPStatus.NO_CONTENT)
    async def ask(name: str, body: GroupCapacityForecast) -> None:
        """Ask a capacity provider for another capacity."""
        try:
            await desk.ask(name, body)
        except OscpError as error:
            raise ApiError(HTTPStatus.CONFLICT, str(error)) from error

    return router


async def _answer(
    desk: OscpDesk,
    request: Request,
    kind: type[MessageT],
    serve: Callable[[OscpPartner, MessageT], Awaitable[None]],
) -> Response:
    try:
        partner = await _authenticate(desk, request)
        _request_id(request)
        await serve(partner, _read(kind, await request.body()))
    except OscpRefusalError as error:
        return JSONResponse({"message": error.message}, status_code=error.status)
    except NotFoundError as error:
        return JSONResponse({"message": str(error)}, status_code=HTTPStatus.NOT_FOUND)
    except NoCommonVersionError as error:
        return JSONResponse({"message": str(error)}, status_code=HTTPStatus.NOT_IMPLEMENTED)
    except DocumentError as error:
        text = "; ".join(str(problem) for problem in error.problems)
        return JSONResponse({"message": text}, status_code=HTTPStatus.BAD_REQUEST)
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def _authenticate(desk: OscpDesk, request: Request) -> OscpPartner:
    header = request.headers.get("authorization", "")
    if not header.lower().startswith(_SCHEME):
        raise OscpRefusalError(HTTPStatus.UNAUTHORIZED, "send the header Authorization: Token TOKEN")
    partner = await desk.find(header[len(_SCHEME) :].strip())
    if partner is None:
        raise OscpRefusalError(HTTPStatus.UNAUTHORIZED, "this token is not known: ask for an invitation")
    return partner


def _request_id(request: Request) -> str:
    request_id = request.headers.get("x-request-id", "")
    if not 0 < len(request_id) <= _LONGEST_ID:
        message = f"send the header X-Request-ID with 1 to {_LONGEST_ID} characters"
        raise OscpRefusalError(HTTPStatus.BAD_REQUEST, message)
    return request_id


def _segment(request: Request) -> tuple[int, int]:
    """Return which of how many segments a message is, from 1."""
    try:
        index = int(request.headers.get("x-segment-index", "1"))
        count = int(request.headers.get("x-segment-count", "1"))
    except ValueError:
        index, count = 0, 0
    if not 1 <= index <= count <= _MOST_SEGMENTS:
        message = (
            f"X-Segment-Index and X-Segment-Count must be numbers, 1 <= index <= count <= {_MOST_SEGMENTS}"
        )
        raise OscpRefusalError(HTTPStatus.BAD_REQUEST, message)
    return index, count


def _read(kind: type[MessageT], body: bytes) -> MessageT:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        text = "; ".join(str(problem) for problem in list_problems(error, kind))
        raise OscpRefusalError(HTTPStatus.BAD_REQUEST, text) from error
