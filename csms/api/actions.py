"""What operators tell stations to do; every attempt is kept with what came of it."""

from __future__ import annotations

import zlib
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, assert_never

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, StrictBool, ValidationInfo, field_validator

from csms.api.auth import OWNER, Asker
from csms.api.context import PREFIX, ApiContext
from csms.api.problems import not_found, refused_fields
from csms.api.refusals import told_refusals
from csms.ocpp.operations import Operation, Refresh, RemoteStart, RemoteStop, Reset, SetAvailability, Unlock
from csms.ocpp.vocabulary import Accepted, Failed, Offline, Outcome, Priority, Refused, TimedOut
from csms.state.audit import Deed, list_deeds, record_deed
from csms.state.errors import NotFoundError
from grid.config import StrictModel
from grid.errors import Problem

# Who acts on the pages, where one token opens everything.
OPERATOR = OWNER.name
EvseId = Annotated[int, Field(strict=True, ge=1, le=1000)]
_LARGEST_ID = 2**31 - 1


class Action(StrEnum):
    """What a station can be told."""

    RESET = "reset"
    UNLOCK = "unlock"
    ENABLE = "enable"
    DISABLE = "disable"
    START = "start"
    STOP = "stop"
    REFRESH = "refresh"


_NEEDS_EVSE = frozenset({Action.UNLOCK, Action.START, Action.STOP, Action.REFRESH})


class ActionBody(StrictModel):
    """What a station is told.

    Parameters
    ----------
    action
        ``enable`` and ``disable`` take into service and out of it.
    evse_id
        Which socket; without one ``enable`` and ``disable`` mean the whole station, ``reset`` always does.
    token
        With whose token to ``start``.
    immediate
        Whether ``reset`` ends running transactions.
    """

    action: Action
    evse_id: EvseId | None = Field(default=None, validate_default=True)
    token: Annotated[str | None, Field(min_length=1, max_length=36)] = Field(
        default=None, validate_default=True
    )
    immediate: StrictBool = False

    @field_validator("evse_id")
    @classmethod
    def _which_socket(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is None and info.data.get("action") in _NEEDS_EVSE:
            raise ValueError("is needed for this action: name the socket")
        return value

    @field_validator("token")
    @classmethod
    def _whose_token(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("action") is Action.START:
            raise ValueError("is needed to start: say with whose token")
        return value


class ActionDocument(BaseModel):
    """What came of it: accepted, refused, failed, timed out or offline."""

    outcome: str
    detail: str


class DeedDocument(BaseModel):
    """An entry of the audit."""

    at: Any
    actor: str
    deed: str
    station_id: str | None
    detail: str
    outcome: str


def build_actions(context: ApiContext) -> APIRouter:
    """Return the routes of actions and of their audit."""
    router = APIRouter(tags=["actions"])

    @router.post("/stations/{station_id}/actions")
    async def act(station_id: str, body: ActionBody, asker: Asker) -> ActionDocument:
        """Tell a station to do something and wait for what it says."""
        return await perform(context, station_id, body, asker.name)

    @router.get("/audit")
    async def get_audit(
        station_id: str | None = None, limit: Annotated[int, Query(ge=1, le=500)] = 100
    ) -> list[DeedDocument]:
        """List what people did, the last first."""
        work = partial(list_deeds, station_id=station_id, limit=limit)
        deeds = await context.service.store.read(work)
        return [
            DeedDocument(**{name: getattr(deed, name) for name in DeedDocument.model_fields})
            for deed in deeds
        ]

    return router


async def perform(
    context: ApiContext, station_id: str, body: ActionBody, actor: str = OPERATOR
) -> ActionDocument:
    """Tell a station to do something, and keep that in the audit.

    Raises
    ------
    ApiError
        When there is no such station or session.
    """
    try:
        context.service.catalogue.station(station_id)
    except NotFoundError as error:
        raise not_found("station", station_id, f"{PREFIX}/stations") from error
    operation = _translate(context, station_id, body)
    result = describe_outcome(await context.call(station_id, operation, priority=Priority.OPERATOR))
    said = body.model_dump(exclude_none=True, exclude={"action", "token"}, mode="json")
    detail = ", ".join(f"{name} {value}" for name, value in said.items())
    outcome = f"{result.outcome}: {result.detail}" if result.detail else result.outcome
    await keep_deed(context, body.action.value, station_id, detail, outcome, actor)
    return result


async def make_station_key(context: ApiContext, station_id: str, actor: str = OPERATOR) -> str:
    """Give a station a new password, and keep that one was made.

    Raises
    ------
    ApiError
        When there is no such station.
    """
    with told_refusals("station", station_id, f"{PREFIX}/stations"):
        key = await context.service.new_station_key(station_id)
    await keep_deed(context, "new password", station_id, "", "made", actor)
    return key


async def keep_deed(
    context: ApiContext,
    deed: str,
    station_id: str | None,
    detail: str,
    outcome: str,
    actor: str = OPERATOR,
) -> None:
    """Keep what somebody did."""
    kept = Deed(context.clock.now(), actor, deed, station_id, detail, outcome)
    await context.service.store.write(partial(record_deed, deed=kept))


def describe_outcome(outcome: Outcome) -> ActionDocument:
    """Say what came of a command."""
    match outcome:
        case Accepted():
            return ActionDocument(outcome="accepted", detail=str(outcome.payload.get("status", "")))
        case Refused():
            return ActionDocument(outcome="refused", detail=outcome.status)
        case Failed():
            return ActionDocument(outcome="failed", detail=f"{outcome.code}: {outcome.description}")
        case TimedOut():
            return ActionDocument(outcome="timed out", detail=f"no answer within {outcome.after_s:.0f} s")
        case Offline():
            return ActionDocument(outcome="offline", detail="the station is not connected")
        case _:
            assert_never(outcome)


def _translate(context: ApiContext, station_id: str, body: ActionBody) -> Operation:
    evse_id = body.evse_id or 0
    match body.action:
        case Action.RESET:
            return Reset(body.immediate)
        case Action.UNLOCK:
            return Unlock(evse_id)
        case Action.ENABLE | Action.DISABLE:
            return SetAvailability(evse_id, operative=body.action is Action.ENABLE)
        case Action.REFRESH:
            return Refresh(evse_id)
        case Action.START:
            token = body.token or ""
            # Any number does that differs from start to start.
            number = zlib.crc32(f"{context.clock.now().isoformat()}{token}".encode()) & _LARGEST_ID
            return RemoteStart(evse_id, token, "ISO14443", number)
        case Action.STOP:
            return RemoteStop(_running_transaction(context, station_id, evse_id))


def _running_transaction(context: ApiContext, station_id: str, evse_id: int) -> str:
    station = context.service.state.stations.get(station_id)
    evse = None if station is None else station.evses.get(evse_id)
    if evse is None or evse.session is None:
        raise refused_fields([Problem("evse_id", "no session runs on this socket: there is nothing to stop")])
    return evse.session.transaction_id
