"""A station that speaks OCPP 1.6, on the package's `ChargePoint`.

Its transactions get their number from the central system; what is said of one before that is known waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result

from simulator.client.endpoint import (
    Asking,
    BootResult,
    StationContext,
    composite_window,
    logger,
    prepare_wire,
    start_remotely,
)
from simulator.client.profiles import decode_profile_16, encode_composite, format_instant
from simulator.client.transport import Transport
from simulator.client.upkeep import Keeping16
from simulator.station.messages import (
    AuthorizeToken,
    Boot,
    Heartbeat,
    Measured,
    Message,
    MeterReport,
    NeedsReport,
    ProfilesReport,
    Reading,
    StatusChange,
    TransactionEnded,
    TransactionStarted,
    TransactionUpdated,
    Trigger,
    UpkeepKind,
    UpkeepReport,
    VariablesReport,
)
from simulator.station.profiles import ProfileRefusedError, Purpose

Payload = dict[str, Any]
_PURPOSES = {
    "ChargePointMaxProfile": Purpose.STATION_MAX,
    "TxDefaultProfile": Purpose.TX_DEFAULT,
    "TxProfile": Purpose.TX,
}
# Reasons that 1.6 has a word for.
_REASONS = frozenset(
    {"DeAuthorized", "EVDisconnected", "EmergencyStop", "Local", "PowerLoss", "Remote", "UnlockCommand"}
)


class Station16(Keeping16, Asking, ChargePoint):
    """One connection of a station of 1.6.

    Parameters
    ----------
    transport
        The connection.
    context
        The station.
    """

    _results = call_result

    def __init__(self, transport: Transport, context: StationContext) -> None:
        super().__init__(context.setup.id, None, context.call_timeout_s, logger)
        self._connection = prepare_wire(transport, context, self.route_map)
        self._unique_id_generator = context.new_id
        self._context = context
        self._firmware = context.firmware

    # --- what the station says ------------------------------------------------------------------------------

    async def boot(self, message: Boot) -> BootResult:
        """Send BootNotification."""
        del message
        setup = self._context.setup
        answer = await self._ask(
            call.BootNotification(
                charge_point_model=setup.model[:20],
                charge_point_vendor=setup.vendor[:20],
                charge_point_serial_number=setup.id[:25],
                firmware_version="1.0",
            )
        )
        return BootResult(answer.status == "Accepted", answer.interval)

    async def announce(self) -> None:
        """Send the status of the station and of every connector."""
        now = self._context.write(self._context.now())
        await self._ask(call.StatusNotification(0, "NoError", "Available", timestamp=now))
        for evse in self._firmware.evses.values():
            state = evse.connector_state().value
            await self._ask(call.StatusNotification(evse.id, evse.error, state, timestamp=now))

    async def deliver(self, message: Message) -> None:
        """Send one message."""
        match message:
            case AuthorizeToken():
                await self._authorize(message)
            case TransactionStarted():
                await self._start(message)
            case TransactionUpdated() if message.reading is not None:
                await self._send_meter(message.record.evse_id, message.reading, message.record.server_id)
            case TransactionEnded():
                await self._stop(message)
            case MeterReport():
                await self._send_meter(message.evse_id, message.reading, None)
            case StatusChange():
                at = self._context.write(message.at)
                await self._ask(
                    call.StatusNotification(message.evse_id, message.error, message.state.value, timestamp=at)
                )
            case UpkeepReport():
                await self._report_upkeep(message)
            case Heartbeat() | Boot():
                await self._say_alive(message)
            case TransactionUpdated() | NeedsReport() | ProfilesReport() | VariablesReport():
                pass  # 1.6 has no words for changes of state inside a transaction, nor for a car's needs

    async def _say_alive(self, message: Heartbeat | Boot) -> None:
        if isinstance(message, Boot):
            await self.boot(message)
        else:
            await self._ask(call.Heartbeat())

    async def _report_upkeep(self, message: UpkeepReport) -> None:
        if message.kind is UpkeepKind.FIRMWARE:
            await self._ask(call.FirmwareStatusNotification(message.status))
        else:
            await self._ask(call.DiagnosticsStatusNotification(message.status))

    async def _authorize(self, message: AuthorizeToken) -> None:
        answer = await self._ask(call.Authorize(message.token))
        accepted = answer.id_tag_info["status"] == "Accepted"
        self._firmware.authorized(message.evse_id, message.token, accepted=accepted, now=self._context.now())

    async def _start(self, message: TransactionStarted) -> None:
        record = message.record
        answer = await self._ask(
            call.StartTransaction(
                connector_id=record.evse_id,
                id_tag=record.token,
                meter_start=message.reading.import_wh,
                timestamp=self._context.write(message.at),
            )
        )
        record.server_id = answer.transaction_id
        self._context.on_started(record)
        if answer.id_tag_info["status"] != "Accepted":
            self._firmware.deauthorize(record, self._context.now())

    async def _stop(self, message: TransactionEnded) -> None:
        assert message.record.server_id is not None, "the start was answered before the stop is sent"
        await self._ask(
            call.StopTransaction(
                meter_stop=message.reading.import_wh,
                timestamp=self._context.write(message.at),
                transaction_id=message.record.server_id,
                reason=message.reason if message.reason in _REASONS else "Other",
                id_tag=message.record.token,
                transaction_data=[self._write_reading(message.reading)],
            )
        )

    async def _send_meter(self, connector_id: int, reading: Reading, transaction_id: int | None) -> None:
        await self._ask(call.MeterValues(connector_id, [self._write_reading(reading)], transaction_id))

    def _write_reading(self, reading: Reading) -> Payload:
        context = reading.context.value
        return {
            "timestamp": self._context.write(reading.at),
            "sampledValue": [_write_measured(one, context) for one in reading.values],
        }

    # --- what it is asked -----------------------------------------------------------------------------------

    @on("SetChargingProfile", skip_schema_validation=True)
    def _on_set_profile(self, connector_id: int, cs_charging_profiles: Payload) -> Any:
        if connector_id not in {0, *self._firmware.evses}:
            return call_result.SetChargingProfile("Rejected")
        transaction_id = self._named_transaction(connector_id, cs_charging_profiles)
        try:
            profile = decode_profile_16(connector_id, cs_charging_profiles, transaction_id)
            self._firmware.set_profile(profile, self._context.now())
        except ProfileRefusedError as error:
            self._context.counters.note_fault(f"profile {error.reason}", str(error))
            return call_result.SetChargingProfile("Rejected")
        self._context.on_change()
        return call_result.SetChargingProfile("Accepted")

    def _named_transaction(self, connector_id: int, profile: Payload) -> str | None:
        """Return the station's own name of the transaction that a TxProfile is for."""
        if profile["charging_profile_purpose"] != "TxProfile":
            return None
        named = profile.get("transaction_id")
        evse = self._firmware.evses.get(connector_id)
        if evse is None or evse.record is None or named not in {None, evse.record.server_id}:
            return "unknown"
        return evse.record.id

    @on("ClearChargingProfile", skip_schema_validation=True)
    def _on_clear_profile(
        self,
        id: int | None = None,  # noqa: A002 - the package passes the standard's names
        connector_id: int | None = None,
        charging_profile_purpose: str | None = None,
        stack_level: int | None = None,
    ) -> Any:
        cleared = self._firmware.clear_profiles(
            self._context.now(),
            profile_id=id,
            evse_id=connector_id,
            purpose=_PURPOSES[charging_profile_purpose] if charging_profile_purpose else None,
            stack_level=stack_level,
        )
        self._context.on_change()
        return call_result.ClearChargingProfile("Accepted" if cleared else "Unknown")

    @on("GetCompositeSchedule", skip_schema_validation=True)
    def _on_get_composite(self, connector_id: int, duration: int, charging_rate_unit: str = "A") -> Any:
        if connector_id not in {0, *self._firmware.evses}:
            return call_result.GetCompositeSchedule("Rejected")
        begin, duration_s = composite_window(self._context, duration)
        steps = self._firmware.composite(connector_id, duration_s, begin)
        setup = self._context.setup
        periods = encode_composite(steps, connector_id, charging_rate_unit, setup, begin.timestamp())
        schedule = {
            "duration": duration_s,
            "startSchedule": format_instant(begin),
            "chargingRateUnit": charging_rate_unit,
            "chargingSchedulePeriod": periods,
        }
        return call_result.GetCompositeSchedule(
            "Accepted", connector_id, format_instant(begin), charging_schedule=schedule
        )

    @on("ChangeConfiguration", skip_schema_validation=True)
    def _on_change_configuration(self, key: str, value: str) -> Any:
        status = self._firmware.settings.change(key, value)
        self._context.on_change()
        return call_result.ChangeConfiguration(status.value)

    @on("GetConfiguration", skip_schema_validation=True)
    def _on_get_configuration(self, key: Sequence[str] | None = None) -> Any:
        known, unknown = [], []
        for name in key or self._firmware.settings.keys():
            entry = self._firmware.settings.get(name)
            if entry is None:
                unknown.append(name)
            else:
                known.append({"key": name, "readonly": entry[1], "value": entry[0]})
        return call_result.GetConfiguration(known, unknown or None)

    @on("TriggerMessage", skip_schema_validation=True)
    def _on_trigger(self, requested_message: str, connector_id: int | None = None) -> Any:
        done = self._firmware.trigger(requested_message, connector_id, self._context.now())
        self._context.on_change()
        return call_result.TriggerMessage("Accepted" if done else "NotImplemented")

    @on("RemoteStartTransaction", skip_schema_validation=True)
    def _on_remote_start(
        self, id_tag: str, connector_id: int | None = None, charging_profile: Payload | None = None
    ) -> Any:
        evse_id = start_remotely(self._context, connector_id, id_tag)
        if evse_id is None:
            return call_result.RemoteStartTransaction("Rejected")
        if charging_profile is not None:
            self._on_set_profile(evse_id, charging_profile)
        return call_result.RemoteStartTransaction("Accepted")

    @on("RemoteStopTransaction", skip_schema_validation=True)
    def _on_remote_stop(self, transaction_id: int) -> Any:
        evse = self._firmware.find_record(transaction=transaction_id)
        if evse is None:
            return call_result.RemoteStopTransaction("Rejected")
        self._firmware.end_transaction(evse.id, Trigger.REMOTE_STOP, "Remote", self._context.now())
        self._context.on_change()
        return call_result.RemoteStopTransaction("Accepted")

    @on("ChangeAvailability", skip_schema_validation=True)
    def _on_change_availability(self, connector_id: int, type: str) -> Any:  # noqa: A002 - the standard's name
        if connector_id not in {0, *self._firmware.evses}:
            return call_result.ChangeAvailability("Rejected")
        now = self._context.now()
        waits = self._firmware.set_availability(connector_id, now, operative=type == "Operative")
        self._context.on_change()
        return call_result.ChangeAvailability("Scheduled" if waits else "Accepted")

    @on("UnlockConnector", skip_schema_validation=True)
    def _on_unlock(self, connector_id: int) -> Any:
        if connector_id not in self._firmware.evses:
            return call_result.UnlockConnector("NotSupported")
        if self._firmware.evses[connector_id].record is not None:
            now = self._context.now()
            self._firmware.end_transaction(connector_id, Trigger.UNLOCK_COMMAND, "UnlockCommand", now)
            self._context.on_change()
        return call_result.UnlockConnector("Unlocked")

    @on("Reset", skip_schema_validation=True)
    def _on_reset(self, type: str) -> Any:  # noqa: A002 - the package passes the standard's names
        del type
        self._context.on_reset()
        return call_result.Reset("Accepted")

    @on("DataTransfer", skip_schema_validation=True)
    def _on_data_transfer(self, **_: Any) -> Any:
        return call_result.DataTransfer("UnknownVendorId")

    @on("ClearCache", skip_schema_validation=True)
    def _on_clear_cache(self) -> Any:
        return call_result.ClearCache("Accepted")


def _write_measured(one: Measured, context: str) -> Payload:
    written = {
        "value": str(one.value),
        "context": context,
        "measurand": one.measurand,
        "unit": one.unit,
    }
    if one.phase is not None:
        written["phase"] = one.phase
    if one.location is not None:
        written["location"] = one.location
    return written
