"""An operator's words in OCPP 1.6."""

from __future__ import annotations

from typing import Any

from csms.ocpp.errors import CommandError
from csms.ocpp.operations import Operation, Refresh, RemoteStart, RemoteStop, Reset, SetAvailability, Unlock

_LONGEST_TAG = 20


def encode_operation(operation: Operation) -> tuple[str, dict[str, Any]]:
    """Translate an operation to action and payload.

    Raises
    ------
    CommandError
        When 1.6 has no room for it: a tag has 20 characters at the most, a transaction id is a number.
    """
    match operation:
        case Reset():
            return "Reset", {"type": "Hard" if operation.immediate else "Soft"}
        case Unlock():
            return "UnlockConnector", {"connectorId": operation.evse_id}
        case SetAvailability():
            kind = "Operative" if operation.operative else "Inoperative"
            return "ChangeAvailability", {"connectorId": operation.evse_id, "type": kind}
        case RemoteStart():
            if len(operation.token) > _LONGEST_TAG:
                raise CommandError(f"a tag of 1.6 has {_LONGEST_TAG} characters at the most")
            return "RemoteStartTransaction", {"connectorId": operation.evse_id, "idTag": operation.token}
        case RemoteStop():
            if not operation.transaction_id.isdecimal():
                raise CommandError("a transaction id of 1.6 is a number")
            return "RemoteStopTransaction", {"transactionId": int(operation.transaction_id)}
        case Refresh():
            wanted = {"requestedMessage": "StatusNotification", "connectorId": operation.evse_id}
            return "TriggerMessage", wanted
