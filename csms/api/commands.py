"""Any message to a station, in its own version's words, and what it answers."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, assert_never

from fastapi import APIRouter
from pydantic import BaseModel, Field

from csms.api.actions import keep_deed
from csms.api.auth import Asker
from csms.api.context import PREFIX, ApiContext
from csms.api.problems import ApiError, not_found, refused_fields
from csms.control.foreign import find_risk
from csms.ocpp.codec import codec_of
from csms.ocpp.errors import RequestError
from csms.ocpp.schemas import schemas_of
from csms.ocpp.vocabulary import (
    Accepted,
    Failed,
    OcppVersion,
    Offline,
    Outcome,
    Payload,
    Priority,
    RawCommand,
    Refused,
    TimedOut,
)
from csms.state.errors import NotFoundError
from grid.config import StrictModel
from grid.errors import Problem

# Both sides may send it.
_MUTUAL = frozenset({"DataTransfer"})


class CommandBody(StrictModel):
    """A message.

    Parameters
    ----------
    action
        Its name, like ``GetVariables``.
    payload
        Its content, in the words of the version that the station speaks.
    """

    action: Annotated[str, Field(pattern="^[A-Za-z0-9]{1,50}$")]
    payload: dict[str, Any]


class AnswerDocument(BaseModel):
    """What the station answered, a status other than Accepted included."""

    action: str
    payload: dict[str, Any]


def build_commands(context: ApiContext) -> APIRouter:
    """Return the route of commands."""
    router = APIRouter(tags=["actions"])

    @router.post("/stations/{station_id}/commands", responses={409: {}, 502: {}, 504: {}})
    async def command(station_id: str, body: CommandBody, asker: Asker) -> AnswerDocument:
        """Send any message that a central system may send, and wait for the answer.

        Messages that could raise power pass the guard: it refuses them, with the reason, unless they surely
        do not.
        """
        version = _find_version(context, station_id)
        _check(version, body)
        risk = find_risk(body.action, body.payload, context.service.catalogue.service.fallback_current_a)
        if risk is not None:
            await keep_deed(context, body.action, station_id, "", f"refused by the guard: {risk}", asker.name)
            raise ApiError(HTTPStatus.CONFLICT, f"refused by the guard: {risk}")
        told = RawCommand(body.action, body.payload)
        outcome = await context.call(station_id, told, priority=Priority.OPERATOR)
        await keep_deed(context, body.action, station_id, "", type(outcome).__name__.lower(), asker.name)
        return AnswerDocument(action=body.action, payload=read_payload(outcome))

    return router


def read_payload(outcome: Outcome) -> Payload:
    """Return what a station answered.

    Raises
    ------
    ApiError
        When it did not: 409 offline, 502 an error of the station, 504 no answer.
    """
    match outcome:
        case Accepted() | Refused():
            return outcome.payload
        case Failed():
            raise ApiError(
                HTTPStatus.BAD_GATEWAY, f"the station failed: {outcome.code}: {outcome.description}"
            )
        case TimedOut():
            detail = f"no answer within {outcome.after_s:.0f} s: try again"
            raise ApiError(HTTPStatus.GATEWAY_TIMEOUT, detail)
        case Offline():
            raise ApiError(HTTPStatus.CONFLICT, "the station is not connected: try again when it is")
        case _:
            assert_never(outcome)


def _find_version(context: ApiContext, station_id: str) -> OcppVersion:
    try:
        context.service.catalogue.station(station_id)
    except NotFoundError as error:
        raise not_found("station", station_id, f"{PREFIX}/stations") from error
    station = context.service.state.stations.get(station_id)
    if station is None or not station.connected or station.version is None:
        read_payload(Offline())
    assert station is not None
    assert station.version is not None
    return OcppVersion(station.version)


def _check(version: OcppVersion, body: CommandBody) -> None:
    schemas = schemas_of(version)
    if not schemas.knows(body.action):
        raise refused_fields([Problem("action", f"{version} has no message {body.action!r}")])
    if body.action in codec_of(version).STATION_ACTIONS - _MUTUAL:
        raise refused_fields([Problem("action", f"{body.action} is for stations to send")])
    try:
        schemas.check_request(body.action, body.payload)
    except RequestError as error:
        path, _, message = error.description.partition(": ")
        field = "payload" if path == "payload" else f"payload.{path}"
        raise refused_fields([Problem(field, message)]) from error
