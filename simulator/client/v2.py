"""Stations of OCPP 2.0.1 and 2.1, on the package's `ChargePoint`: what they do when they are asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ocpp.v21
import ocpp.v201
from ocpp.routing import on

from simulator.client.endpoint import composite_window, start_remotely
from simulator.client.needs import write_needs_21
from simulator.client.profiles import decode_profile_2, decode_update, encode_composite, format_instant
from simulator.client.upkeep import KeepingTwo
from simulator.client.v2_reports import CONNECTOR_ID, Payload, SpeakingTwo
from simulator.station.messages import (
    NeedsReport,
    ProfilesReport,
    TransactionMessage,
    Trigger,
    VariablesReport,
)
from simulator.station.profiles import ProfileRefusedError, Purpose
from simulator.station.settings import SettingStatus

_VARIABLE_STATUSES = {
    SettingStatus.ACCEPTED: "Accepted",
    SettingStatus.REJECTED: "Rejected",
    SettingStatus.UNKNOWN: "UnknownVariable",
}


class StationTwo(KeepingTwo, SpeakingTwo):
    """What both versions answer alike."""

    @on("SetChargingProfile", skip_schema_validation=True)
    def _on_set_profile(self, evse_id: int, charging_profile: Payload, **_: Any) -> Any:
        refusal = self._install(evse_id, charging_profile)
        if refusal is not None:
            return self._call_result.SetChargingProfile("Rejected", status_info=refusal)
        return self._call_result.SetChargingProfile("Accepted")

    def _install(self, evse_id: int, payload: Payload) -> Payload | None:
        if evse_id not in {0, *self._firmware.evses}:
            return {"reasonCode": "UnknownEvse"}
        try:
            self._firmware.set_profile(decode_profile_2(evse_id, payload), self._context.now())
        except ProfileRefusedError as error:
            self._context.counters.note_fault(f"profile {error.reason}", str(error))
            return {"reasonCode": error.reason[:20], "additionalInfo": str(error)[:512]}
        self._context.on_change()
        return None

    @on("ClearChargingProfile", skip_schema_validation=True)
    def _on_clear_profile(
        self,
        charging_profile_id: int | None = None,
        charging_profile_criteria: Payload | None = None,
        **_: Any,
    ) -> Any:
        criteria = charging_profile_criteria or {}
        purpose = criteria.get("charging_profile_purpose")
        cleared = self._firmware.clear_profiles(
            self._context.now(),
            profile_id=charging_profile_id,
            evse_id=criteria.get("evse_id"),
            purpose=Purpose(purpose) if purpose in set(Purpose) else None,
            stack_level=criteria.get("stack_level"),
        )
        self._context.on_change()
        return self._call_result.ClearChargingProfile("Accepted" if cleared else "Unknown")

    @on("GetChargingProfiles", skip_schema_validation=True)
    def _on_get_profiles(
        self, request_id: int, charging_profile: Payload, evse_id: int | None = None, **_: Any
    ) -> Any:
        ids = charging_profile.get("charging_profile_id")
        purpose = charging_profile.get("charging_profile_purpose")
        level = charging_profile.get("stack_level")
        chosen = tuple(
            one
            for one in self._firmware.profiles.profiles
            if (evse_id is None or one.evse_id == evse_id)
            and (not ids or one.id in ids)
            and (purpose is None or one.purpose.value == purpose)
            and (level is None or one.stack_level == level)
        )
        if not chosen:
            return self._call_result.GetChargingProfiles("NoProfiles")
        self._firmware.outbox.put(ProfilesReport(request_id, chosen))
        self._context.on_change()
        return self._call_result.GetChargingProfiles("Accepted")

    @on("GetCompositeSchedule", skip_schema_validation=True)
    def _on_get_composite(
        self, duration: int, evse_id: int, charging_rate_unit: str | None = None, **_: Any
    ) -> Any:
        if evse_id not in {0, *self._firmware.evses}:
            return self._call_result.GetCompositeSchedule("Rejected")
        setup = self._context.setup
        unit = charging_rate_unit or setup.rate_unit
        begin, duration_s = composite_window(self._context, duration)
        steps = self._firmware.composite(evse_id, duration_s, begin)
        schedule = {
            "evseId": evse_id,
            "duration": duration_s,
            "scheduleStart": format_instant(begin),
            "chargingRateUnit": unit,
            "chargingSchedulePeriod": encode_composite(steps, evse_id, unit, setup, begin.timestamp()),
        }
        return self._call_result.GetCompositeSchedule("Accepted", schedule=schedule)

    @on("SetVariables", skip_schema_validation=True)
    def _on_set_variables(self, set_variable_data: Sequence[Payload], **_: Any) -> Any:
        results = []
        for entry in set_variable_data:
            component, variable = entry["component"]["name"], entry["variable"]["name"]
            status = self._firmware.settings.change_variable(component, variable, entry["attribute_value"])
            results.append(
                {
                    "attributeStatus": _VARIABLE_STATUSES[status],
                    "component": {"name": component},
                    "variable": {"name": variable},
                }
            )
        self._context.on_change()
        return self._call_result.SetVariables(results)

    @on("GetVariables", skip_schema_validation=True)
    def _on_get_variables(self, get_variable_data: Sequence[Payload], **_: Any) -> Any:
        results = []
        for entry in get_variable_data:
            component, variable = entry["component"]["name"], entry["variable"]["name"]
            value = self._firmware.settings.get_variable(component, variable)
            result = {
                "attributeStatus": "UnknownVariable" if value is None else "Accepted",
                "component": {"name": component},
                "variable": {"name": variable},
            }
            if value is not None:
                result["attributeValue"] = value
            results.append(result)
        return self._call_result.GetVariables(results)

    @on("GetBaseReport", skip_schema_validation=True)
    def _on_base_report(self, request_id: int, report_base: str, **_: Any) -> Any:
        if report_base == "SummaryInventory":
            return self._call_result.GetBaseReport("NotSupported")
        variables = tuple(self._firmware.settings.variables())
        self._firmware.outbox.put(VariablesReport(request_id, variables))
        self._context.on_change()
        return self._call_result.GetBaseReport("Accepted")

    @on("ChangeAvailability", skip_schema_validation=True)
    def _on_change_availability(self, operational_status: str, evse: Payload | None = None, **_: Any) -> Any:
        evse_id = None if evse is None else evse["id"]
        if evse_id is not None and evse_id not in self._firmware.evses:
            return self._call_result.ChangeAvailability("Rejected")
        operative = operational_status == "Operative"
        waits = self._firmware.set_availability(evse_id, self._context.now(), operative=operative)
        self._context.on_change()
        return self._call_result.ChangeAvailability("Scheduled" if waits else "Accepted")

    @on("UnlockConnector", skip_schema_validation=True)
    def _on_unlock(self, evse_id: int, connector_id: int, **_: Any) -> Any:
        if evse_id not in self._firmware.evses or connector_id != CONNECTOR_ID:
            return self._call_result.UnlockConnector("UnknownConnector")
        running = self._firmware.evses[evse_id].record is not None
        return self._call_result.UnlockConnector("OngoingAuthorizedTransaction" if running else "Unlocked")

    @on("TriggerMessage", skip_schema_validation=True)
    def _on_trigger(self, requested_message: str, evse: Payload | None = None, **_: Any) -> Any:
        evse_id = None if evse is None else evse["id"]
        if requested_message == "StatusNotification":
            self._said.clear()
        done = self._firmware.trigger(requested_message, evse_id, self._context.now())
        self._context.on_change()
        return self._call_result.TriggerMessage("Accepted" if done else "NotImplemented")

    @on("RequestStartTransaction", skip_schema_validation=True)
    def _on_request_start(
        self,
        id_token: Payload,
        remote_start_id: int,
        evse_id: int | None = None,
        charging_profile: Payload | None = None,
        **_: Any,
    ) -> Any:
        del remote_start_id
        started = start_remotely(self._context, evse_id, id_token["id_token"])
        if started is None:
            return self._call_result.RequestStartTransaction("Rejected")
        record = self._firmware.evses[started].record
        assert record is not None, "it was just started"
        if charging_profile is not None:
            self._install(started, {**charging_profile, "transaction_id": record.id})
        return self._call_result.RequestStartTransaction("Accepted", transaction_id=record.id)

    @on("RequestStopTransaction", skip_schema_validation=True)
    def _on_request_stop(self, transaction_id: str, **_: Any) -> Any:
        evse = self._firmware.find_record(transaction=transaction_id)
        if evse is None:
            return self._call_result.RequestStopTransaction("Rejected")
        self._firmware.end_transaction(evse.id, Trigger.REMOTE_STOP, "Remote", self._context.now())
        self._context.on_change()
        return self._call_result.RequestStopTransaction("Accepted")

    @on("GetTransactionStatus", skip_schema_validation=True)
    def _on_transaction_status(self, transaction_id: str | None = None, **_: Any) -> Any:
        waiting = [one for one in self._firmware.outbox.waiting if isinstance(one, TransactionMessage)]
        if transaction_id is None:
            return self._call_result.GetTransactionStatus(bool(waiting))
        queued = any(one.record.id == transaction_id for one in waiting)
        running = self._firmware.find_record(transaction=transaction_id) is not None
        return self._call_result.GetTransactionStatus(queued, ongoing_indicator=running)

    @on("Reset", skip_schema_validation=True)
    def _on_reset(self, type: str, **_: Any) -> Any:  # noqa: A002 - the package passes the standard's names
        del type
        self._context.on_reset()
        return self._call_result.Reset("Accepted")

    @on("DataTransfer", skip_schema_validation=True)
    def _on_data_transfer(self, **_: Any) -> Any:
        return self._call_result.DataTransfer("UnknownVendorId")

    @on("ClearCache", skip_schema_validation=True)
    def _on_clear_cache(self, **_: Any) -> Any:
        return self._call_result.ClearCache("Accepted")


class Station201(StationTwo, ocpp.v201.ChargePoint):
    """One connection of a station of 2.0.1."""


class Station21(StationTwo, ocpp.v21.ChargePoint):
    """One connection of a station of 2.1: dynamic profiles, bidirectional needs."""

    async def _send_needs(self, message: NeedsReport) -> None:
        if self._firmware.is_running(message.record):
            await self._ask(
                self._call.NotifyEVChargingNeeds(
                    charging_needs=write_needs_21(message.needs),
                    evse_id=message.record.evse_id,
                    timestamp=self._context.write(message.at),
                )
            )

    @on("UpdateDynamicSchedule", skip_schema_validation=True)
    def _on_update_dynamic(
        self, charging_profile_id: int, schedule_update: Mapping[str, Any], **_: Any
    ) -> Any:
        period = decode_update(schedule_update)
        known = self._firmware.update_profile(charging_profile_id, period, self._context.now())
        self._context.on_change()
        return self._call_result.UpdateDynamicSchedule("Accepted" if known else "Rejected")

    @on("NotifyAllowedEnergyTransfer", skip_schema_validation=True)
    def _on_allowed_transfer(self, **_: Any) -> Any:
        return self._call_result.NotifyAllowedEnergyTransfer("Accepted")
