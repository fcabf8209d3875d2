"""An operator's words in OCPP 2.x: both versions say them alike."""

from __future__ import annotations

from typing import Any

from csms.ocpp.operations import Operation, Refresh, RemoteStart, RemoteStop, Reset, SetAvailability, Unlock


def encode_operation(operation: Operation) -> tuple[str, dict[str, Any]]:
    """Translate an operation to action and payload."""
    match operation:
        case Reset():
            return "Reset", {"type": "Immediate" if operation.immediate else "OnIdle"}
        case Unlock():
            return "UnlockConnector", {"evseId": operation.evse_id, "connectorId": operation.connector_id}
        case SetAvailability():
            wanted: dict[str, Any] = {
                "operationalStatus": "Operative" if operation.operative else "Inoperative"
            }
            if operation.evse_id:
                wanted["evse"] = {"id": operation.evse_id}
            return "ChangeAvailability", wanted
        case RemoteStart():
            return "RequestStartTransaction", {
                "evseId": operation.evse_id,
                "remoteStartId": operation.remote_start_id,
                "idToken": {"idToken": operation.token, "type": operation.token_kind},
            }
        case RemoteStop():
            return "RequestStopTransaction", {"transactionId": operation.transaction_id}
        case Refresh():
            place = {"id": operation.evse_id, "connectorId": operation.connector_id}
            return "TriggerMessage", {"requestedMessage": "StatusNotification", "evse": place}
