"""What stations of OCPP 2.0.1 and 2.1 say: the outbox of a firmware in their words."""

from __future__ import annotations

from typing import Any

from simulator.client.endpoint import Asking, BootResult, StationContext, logger, prepare_wire
from simulator.client.needs import write_needs_201
from simulator.client.profiles import encode_profile_2
from simulator.client.transport import Transport
from simulator.station.messages import (
    AuthorizeToken,
    Boot,
    ConnectorState,
    Heartbeat,
    Measured,
    Message,
    MeterReport,
    NeedsReport,
    ProfilesReport,
    Reading,
    StatusChange,
    TransactionEnded,
    TransactionMessage,
    TransactionStarted,
    TransactionUpdated,
    UpkeepKind,
    UpkeepReport,
    VariablesReport,
)

Payload = dict[str, Any]
TOKEN_TYPE = "ISO14443"  # noqa: S105 - the kind of card
CONNECTOR_ID = 1
VARIABLES_PER_REPORT = 8
_STATES = {
    ConnectorState.AVAILABLE: "Available",
    ConnectorState.UNAVAILABLE: "Unavailable",
    ConnectorState.FAULTED: "Faulted",
    ConnectorState.RESERVED: "Reserved",
}


class SpeakingTwo(Asking):
    """What a station of 2.x says, in both versions; mixed into the package's classes.

    Parameters
    ----------
    transport
        The connection.
    context
        The station.
    """

    _call: Any
    _call_result: Any
    route_map: dict[str, Any]

    def __init__(self, transport: Transport, context: StationContext) -> None:
        base: Any = super()
        base.__init__(context.setup.id, None, context.call_timeout_s, logger)
        self._connection = prepare_wire(transport, context, self.route_map)
        self._unique_id_generator = context.new_id
        self._context = context
        self._firmware = context.firmware
        self._said: dict[int, str] = {}

    # --- what the station says ------------------------------------------------------------------------------

    async def boot(self, message: Boot) -> BootResult:
        """Send BootNotification."""
        setup = self._context.setup
        station = {
            "model": setup.model[:20],
            "vendorName": setup.vendor[:50],
            "serialNumber": setup.id[:25],
            "firmwareVersion": "1.0",
        }
        answer = await self._ask(self._call.BootNotification(station, message.reason))
        return BootResult(answer.status == "Accepted", answer.interval)

    async def announce(self) -> None:
        """Send the status of every connector."""
        self._said.clear()
        for evse in self._firmware.evses.values():
            await self._send_status(StatusChange(evse.id, evse.connector_state(), self._context.now()))

    async def deliver(self, message: Message) -> None:
        """Send one message."""
        match message:
            case AuthorizeToken():
                await self._authorize(message)
            case TransactionStarted() | TransactionUpdated() | TransactionEnded():
                await self._send_transaction(message)
            case NeedsReport():
                await self._send_needs(message)
            case ProfilesReport():
                await self._send_profiles(message)
            case VariablesReport():
                await self._send_variables(message)
            case MeterReport():
                await self._ask(
                    self._call.MeterValues(
                        evse_id=message.evse_id, meter_value=[self._write_reading(message.reading)]
                    )
                )
            case StatusChange():
                await self._send_status(message)
            case UpkeepReport():
                await self._report_upkeep(message)
            case Heartbeat() | Boot():
                await self._say_alive(message)

    async def _say_alive(self, message: Heartbeat | Boot) -> None:
        if isinstance(message, Boot):
            await self.boot(message)
        else:
            await self._ask(self._call.Heartbeat())

    async def _report_upkeep(self, message: UpkeepReport) -> None:
        notify = (
            self._call.FirmwareStatusNotification
            if message.kind is UpkeepKind.FIRMWARE
            else self._call.LogStatusNotification
        )
        await self._ask(notify(message.status, request_id=message.request_id))

    async def _authorize(self, message: AuthorizeToken) -> None:
        token = {"idToken": message.token, "type": TOKEN_TYPE}
        answer = await self._ask(self._call.Authorize(id_token=token))
        accepted = answer.id_token_info["status"] == "Accepted"
        self._firmware.authorized(message.evse_id, message.token, accepted=accepted, now=self._context.now())

    async def _send_status(self, message: StatusChange) -> None:
        state = _STATES.get(message.state, "Occupied")
        if self._said.get(message.evse_id) == state:
            return
        await self._ask(
            self._call.StatusNotification(
                timestamp=self._context.write(message.at),
                connector_status=state,
                evse_id=message.evse_id,
                connector_id=CONNECTOR_ID,
            )
        )
        self._said[message.evse_id] = state

    async def _send_transaction(self, message: TransactionMessage) -> None:
        record = message.record
        info: Payload = {"transactionId": record.id}
        values: Payload = {}
        match message:
            case TransactionStarted():
                kind = "Started"
                info["chargingState"] = "EVConnected"
                values["id_token"] = {"idToken": record.token, "type": TOKEN_TYPE}
                values["evse"] = {"id": record.evse_id, "connectorId": CONNECTOR_ID}
            case TransactionUpdated():
                kind = "Updated"
                info["chargingState"] = message.state.value
                values["evse"] = {"id": record.evse_id, "connectorId": CONNECTOR_ID}
            case TransactionEnded():
                kind = "Ended"
                info["stoppedReason"] = message.reason
        if message.reading is not None:
            values["meter_value"] = [self._write_reading(message.reading)]
        answer = await self._ask(
            self._call.TransactionEvent(
                event_type=kind,
                timestamp=self._context.write(message.at),
                trigger_reason=message.trigger.value,
                seq_no=message.sequence,
                transaction_info=info,
                offline=message.offline,
                **values,
            )
        )
        if isinstance(message, TransactionStarted):
            self._context.on_started(record)
        if answer.id_token_info is not None and answer.id_token_info["status"] != "Accepted":
            self._firmware.deauthorize(record, self._context.now())

    async def _send_needs(self, message: NeedsReport) -> None:
        if self._firmware.is_running(message.record):
            needs = write_needs_201(message.needs)
            await self._ask(
                self._call.NotifyEVChargingNeeds(charging_needs=needs, evse_id=message.record.evse_id)
            )

    async def _send_profiles(self, message: ProfilesReport) -> None:
        """Report profiles, one message for each EVSE."""
        by_evse: dict[int, list[Payload]] = {}
        for profile in message.profiles:
            by_evse.setdefault(profile.evse_id, []).append(encode_profile_2(profile))
        for left, (evse_id, profiles) in zip(
            reversed(range(len(by_evse))), sorted(by_evse.items()), strict=True
        ):
            await self._ask(
                self._call.ReportChargingProfiles(
                    request_id=message.request_id,
                    evse_id=evse_id,
                    charging_profile=profiles,
                    tbc=left > 0,
                    charging_limit_source="CSO",
                )
            )

    async def _send_variables(self, message: VariablesReport) -> None:
        """Report every variable, some in each message."""
        parts = [
            message.variables[begin : begin + VARIABLES_PER_REPORT]
            for begin in range(0, len(message.variables), VARIABLES_PER_REPORT)
        ]
        for number, part in enumerate(parts):
            await self._ask(
                self._call.NotifyReport(
                    request_id=message.request_id,
                    generated_at=self._context.write(self._context.now()),
                    seq_no=number,
                    tbc=number + 1 < len(parts),
                    report_data=[_write_variable(*one) for one in part],
                )
            )

    def _write_reading(self, reading: Reading) -> Payload:
        context = reading.context.value
        return {
            "timestamp": self._context.write(reading.at),
            "sampledValue": [_write_measured(one, context) for one in reading.values],
        }


def _write_variable(component: str, variable: str, value: str, changeable: bool) -> Payload:  # noqa: FBT001
    mutability = "ReadWrite" if changeable else "ReadOnly"
    return {
        "component": {"name": component},
        "variable": {"name": variable},
        "variableAttribute": [{"type": "Actual", "value": value, "mutability": mutability}],
    }


def _write_measured(one: Measured, context: str) -> Payload:
    written: Payload = {
        "value": one.value,
        "context": context,
        "measurand": one.measurand,
        "unitOfMeasure": {"unit": one.unit},
    }
    if one.phase is not None:
        written["phase"] = one.phase
    if one.location is not None:
        written["location"] = one.location
    return written
