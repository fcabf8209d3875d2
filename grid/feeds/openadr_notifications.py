"""Notifications of OpenADR 3.1: the subscription that asks a VTN for them, and what it then sends."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from grid.config import list_problems
from grid.errors import DocumentError, Problem
from grid.feeds.openadr import Event, check_event

# Below our public address; the name of the VTN follows.
NOTIFICATIONS_PATH: Final = "/openadr/3.1/notifications"


class Operation(StrEnum):
    """What happened to an object (OpenADR 3.1; in 3.0 the names were those of HTTP's methods)."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


class Notification(BaseModel):
    """What a VTN sends to a subscriber of events."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    object_type: Literal["EVENT"] = Field(alias="objectType")
    operation: Operation
    object: Event


def read_notification(body: bytes) -> Notification:
    """Return a notification whose event keeps the rules of the profile; a deleted one need not.

    Raises
    ------
    DocumentError
        With everything that is wrong with it.
    """
    try:
        notification = Notification.model_validate_json(body)
    except ValidationError as error:
        raise DocumentError("a notification", list_problems(error, Notification)) from error
    if notification.operation is Operation.DELETE:
        return notification
    event = notification.object
    problems = check_event(event)
    if notification.operation is Operation.UPDATE and event.modified_at is None:
        message = "is missing: without it a change cannot be told from a repetition"
        problems.append(Problem("modificationDateTime", message))
    if problems:
        placed = [Problem(f"object.{each.path}", each.message) for each in problems]
        raise DocumentError(f"event {event.id}", placed)
    return notification


def build_subscription(
    ven_name: str, program_id: str, targets: Sequence[str], callback_url: str, token: str
) -> dict[str, Any]:
    """Return what asks a VTN to tell every change of a program's events.

    Parameters
    ----------
    ven_name, program_id
        Who asks, and of what.
    targets
        EANs: events for others are not told; none: no choice is made.
    callback_url, token
        Where it is told, and what the VTN shows there.
    """
    document: dict[str, Any] = {
        "clientName": ven_name,
        "programID": program_id,
        "objectOperations": [
            {
                "objects": ["EVENT"],
                "operations": [each.value for each in Operation],
                "callbackUrl": callback_url,
                "bearerToken": token,
            }
        ],
    }
    return {**document, "targets": list(targets)} if targets else document
