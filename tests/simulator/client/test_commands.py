"""What a station does when it is asked, in each version, and what it makes of nonsense."""

from __future__ import annotations

from typing import Any

import ocpp.v16
import ocpp.v21
import ocpp.v201
import orjson
import pytest

from simulator.setup import Protocol
from simulator.vehicle.model import VehicleModel

NEW = [Protocol.V201, Protocol.V21]
CALLS: dict[Protocol, Any] = {
    Protocol.V16: ocpp.v16.call,
    Protocol.V201: ocpp.v201.call,
    Protocol.V21: ocpp.v21.call,
}


def _profile(**changes: Any) -> dict[str, Any]:
    return {
        "id": 5,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [
            {
                "id": 1,
                "startSchedule": "2024-06-11T04:00:00Z",
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.0}],
            }
        ],
        **changes,
    }


async def test_remote_start_and_stop_in_16(open_bench: Any, car: VehicleModel) -> None:
    async with open_bench(Protocol.V16) as bench:
        bench.central.token_status = "Blocked"
        bench.plug_in(car)
        await bench.quiet()
        assert bench.central.of("StartTransaction") == []
        bench.central.token_status = "Accepted"
        assert (await bench.ask(ocpp.v16.call.RemoteStartTransaction("TAG7", 1))).status == "Accepted"
        await bench.advance(60)
        (start,) = bench.central.of("StartTransaction")
        assert start["id_tag"] == "TAG7"
        assert (await bench.ask(ocpp.v16.call.RemoteStopTransaction(55))).status == "Rejected"
        assert (await bench.ask(ocpp.v16.call.RemoteStopTransaction(701))).status == "Accepted"
        await bench.quiet()
        (stop,) = bench.central.of("StopTransaction")
        assert stop["reason"] == "Remote"
        assert bench.central.of("StatusNotification")[-1]["status"] == "Finishing"
        assert (await bench.ask(ocpp.v16.call.RemoteStartTransaction("TAG7", 2))).status == "Rejected"


@pytest.mark.parametrize("protocol", NEW)
async def test_remote_start_and_stop_in_2(open_bench: Any, car: VehicleModel, protocol: Protocol) -> None:
    calls = CALLS[protocol]
    async with open_bench(protocol) as bench:
        bench.central.token_status = "Blocked"
        bench.plug_in(car)
        await bench.quiet()
        bench.central.token_status = "Accepted"
        token = {"idToken": "TAG7", "type": "Central"}
        request = calls.RequestStartTransaction(id_token=token, remote_start_id=1, evse_id=1)
        started = await bench.ask(request)
        assert started.status == "Accepted"
        await bench.quiet()
        event = bench.central.of("TransactionEvent")[0]
        assert event["trigger_reason"] == "RemoteStart"
        assert event["transaction_info"]["transaction_id"] == started.transaction_id
        status = await bench.ask(calls.GetTransactionStatus(transaction_id=started.transaction_id))
        assert status.ongoing_indicator is True
        stopped = await bench.ask(calls.RequestStopTransaction(transaction_id=started.transaction_id))
        assert stopped.status == "Accepted"
        await bench.quiet()
        assert bench.central.of("TransactionEvent")[-1]["transaction_info"]["stopped_reason"] == "Remote"


async def test_configuration_of_16(open_bench: Any, car: VehicleModel) -> None:
    calls = ocpp.v16.call
    async with open_bench(Protocol.V16) as bench:
        answer = await bench.ask(calls.GetConfiguration(["ChargingScheduleMaxPeriods", "Nonsense"]))
        (known,) = answer.configuration_key
        assert known == {"key": "ChargingScheduleMaxPeriods", "readonly": True, "value": "24"}
        assert answer.unknown_key == ["Nonsense"]
        changes = {
            ("MeterValueSampleInterval", "60"): "Accepted",
            ("ClockAlignedDataInterval", "0"): "Accepted",
            ("MeterValueSampleInterval", "often"): "Rejected",
            ("ChargingScheduleMaxPeriods", "99"): "Rejected",
            ("MeterValuesSampledData", "Energy.Active.Import.Register,SoC"): "Accepted",
            ("MeterValuesSampledData", "Temperature"): "Rejected",
            ("Nonsense", "1"): "NotSupported",
        }
        for (key, value), status in changes.items():
            assert (await bench.ask(calls.ChangeConfiguration(key, value))).status == status
        bench.plug_in(car)
        await bench.quiet()
        await bench.advance(600)
        values = bench.central.of("MeterValues")
        assert len(values) == 10
        samples = [sample for one in values for sample in one["meter_value"][0]["sampled_value"]]
        assert {one["measurand"] for one in samples} == {"Energy.Active.Import.Register"}


@pytest.mark.parametrize("protocol", NEW)
async def test_variables_of_2(open_bench: Any, car: VehicleModel, protocol: Protocol) -> None:
    calls = CALLS[protocol]
    async with open_bench(protocol) as bench:

        def entry(component: str, variable: str, **more: str) -> dict[str, Any]:
            return {"component": {"name": component}, "variable": {"name": variable}, **more}

        answer = await bench.ask(
            calls.SetVariables(
                [
                    entry("AlignedDataCtrlr", "Interval", attributeValue="0"),
                    entry("SampledDataCtrlr", "TxUpdatedInterval", attributeValue="120"),
                    entry("SmartChargingCtrlr", "PeriodsPerSchedule", attributeValue="99"),
                    entry("Nobody", "Nothing", attributeValue="1"),
                ]
            )
        )
        statuses = [one["attribute_status"] for one in answer.set_variable_result]
        assert statuses == ["Accepted", "Accepted", "Rejected", "UnknownVariable"]
        answer = await bench.ask(calls.GetVariables([entry("SmartChargingCtrlr", "PeriodsPerSchedule")]))
        assert answer.get_variable_result[0]["attribute_value"] == "24"
        bench.plug_in(car)
        await bench.quiet()
        await bench.advance(600)
        reasons = [one["trigger_reason"] for one in bench.central.of("TransactionEvent")]
        assert reasons.count("MeterValuePeriodic") == 5


@pytest.mark.parametrize("protocol", NEW)
async def test_profiles_are_reported_as_they_were_installed(open_bench: Any, protocol: Protocol) -> None:
    calls = CALLS[protocol]
    async with open_bench(protocol) as bench:
        for evse_id, profile in ((0, _profile()), (2, _profile(id=6, stackLevel=3))):
            answer = await bench.ask(calls.SetChargingProfile(evse_id=evse_id, charging_profile=profile))
            assert answer.status == "Accepted"
        query = calls.GetChargingProfiles(request_id=9, charging_profile={"stackLevel": 3})
        assert (await bench.ask(query)).status == "Accepted"
        await bench.quiet()
        (report,) = bench.central.of("ReportChargingProfiles")
        assert (report["request_id"], report["evse_id"]) == (9, 2)
        assert report["charging_profile"][0]["charging_schedule"][0]["charging_schedule_period"] == [
            {"start_period": 0, "limit": 10.0, "number_phases": 3}
        ]
        cleared = await bench.ask(calls.ClearChargingProfile(charging_profile_id=6))
        assert cleared.status == "Accepted"
        assert (await bench.ask(query)).status == "NoProfiles"
        assert bench.counters.errors == 0, bench.counters.faults


@pytest.mark.parametrize("protocol", NEW)
async def test_refused_profile_says_why(open_bench: Any, protocol: Protocol) -> None:
    async with open_bench(protocol, max_periods=4) as bench:
        profile = _profile()
        profile["chargingSchedule"][0]["chargingSchedulePeriod"] = [
            {"startPeriod": start, "limit": 8.0} for start in range(5)
        ]
        request = CALLS[protocol].SetChargingProfile(evse_id=0, charging_profile=profile)
        answer = await bench.ask(request)
        assert (answer.status, answer.status_info["reason_code"]) == ("Rejected", "TooManyPeriods")


@pytest.mark.parametrize("protocol", list(Protocol))
async def test_composite_of_an_idle_station_is_its_hardware(open_bench: Any, protocol: Protocol) -> None:
    calls = CALLS[protocol]
    async with open_bench(protocol) as bench:
        if protocol is Protocol.V16:
            answer = await bench.ask(calls.GetCompositeSchedule(0, 900, "A"))
            periods = answer.charging_schedule["charging_schedule_period"]
        else:
            answer = await bench.ask(
                calls.GetCompositeSchedule(duration=900, evse_id=0, charging_rate_unit="A")
            )
            periods = answer.schedule["charging_schedule_period"]
        assert [one["limit"] for one in periods] == [32.0]


async def test_dynamic_profile_of_21_follows_its_updates_and_falls_back(
    open_bench: Any, bidirectional_car: VehicleModel
) -> None:
    async with open_bench(Protocol.V21) as bench:
        bench.plug_in(bidirectional_car, soc=0.5)
        await bench.advance(60)
        transaction_id = bench.central.of("TransactionEvent")[0]["transaction_info"]["transaction_id"]
        period = {"startPeriod": 0, "operationMode": "CentralSetpoint", "setpoint": 5000.0}
        profile = _profile(
            chargingProfilePurpose="TxProfile",
            chargingProfileKind="Dynamic",
            transactionId=transaction_id,
            chargingSchedule=[
                {"id": 1, "chargingRateUnit": "W", "duration": 300, "chargingSchedulePeriod": [period]}
            ],
        )
        calls, socket = ocpp.v21.call, bench.station.firmware.evses[1].socket
        answer = await bench.ask(calls.SetChargingProfile(evse_id=1, charging_profile=profile))
        assert answer.status == "Accepted"
        await bench.advance(120)
        assert socket.power_kw(180) == pytest.approx(5.0)
        # The package cannot write every key of 2.1, but this one it can.
        update = calls.UpdateDynamicSchedule(charging_profile_id=5, schedule_update={"setpoint": -6000.0})
        assert (await bench.ask(update)).status == "Accepted"
        await bench.advance(120)
        assert socket.power_kw(300) == pytest.approx(-6.0)
        # Nobody says anything any more: the watchdog ends the setpoint, nothing else bounds the car.
        await bench.advance(300)
        assert socket.power_kw(600) == pytest.approx(11.04)


async def test_profile_ends_when_the_station_is_offline_too_long(open_bench: Any, car: VehicleModel) -> None:
    async with open_bench(Protocol.V21) as bench:
        for profile in (_profile(stackLevel=1, maxOfflineDuration=120), _profile(id=6, stackLevel=0)):
            if profile["id"] == 6:
                profile["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"] = 6.0
            request = ocpp.v21.call.SetChargingProfile(evse_id=0, charging_profile=profile)
            assert (await bench.ask(request)).status == "Accepted"
        bench.plug_in(car)
        await bench.advance(60)
        socket = bench.station.firmware.evses[1].socket
        assert socket.power_kw(60) == pytest.approx(6.9)
        bench.reachable = False
        await bench.cut()
        await bench.advance(300)
        assert socket.power_kw(170) == pytest.approx(6.9)
        assert socket.power_kw(360) == pytest.approx(4.14)
        bench.reachable = True
        await bench.advance(300)
        assert bench.station.online
        assert socket.power_kw(660) == pytest.approx(6.9)


@pytest.mark.parametrize("protocol", list(Protocol))
async def test_triggered_status_is_said_again(open_bench: Any, protocol: Protocol) -> None:
    async with open_bench(protocol) as bench:
        before = len(bench.central.of("StatusNotification"))
        answer = await bench.ask(CALLS[protocol].TriggerMessage(requested_message="StatusNotification"))
        assert answer.status == "Accepted"
        await bench.quiet()
        assert len(bench.central.of("StatusNotification")) == before + 2


@pytest.mark.parametrize("protocol", list(Protocol))
async def test_reset_boots_again_and_keeps_the_transaction(
    open_bench: Any, car: VehicleModel, protocol: Protocol
) -> None:
    async with open_bench(protocol) as bench:
        bench.plug_in(car)
        await bench.advance(60)
        kind = "Hard" if protocol is Protocol.V16 else "Immediate"
        await bench.ask(CALLS[protocol].Reset(type=kind))
        await bench.advance(60)
        assert len(bench.centrals) == 2
        assert len(bench.central.of("BootNotification")) == 1
        bench.unplug()
        await bench.quiet()
        action = "StopTransaction" if protocol is Protocol.V16 else "TransactionEvent"
        assert len(bench.central.of(action)) >= 1
        assert bench.counters.errors == 0, bench.counters.faults


@pytest.mark.parametrize("protocol", list(Protocol))
async def test_reconnecting_station_does_not_boot_again(open_bench: Any, protocol: Protocol) -> None:
    """B06: the connection was lost, not the station."""
    async with open_bench(protocol) as bench:
        await bench.cut()
        await bench.advance(60)
        assert len(bench.centrals) == 2
        assert bench.central.of("BootNotification") == []
        assert bench.central.of("StatusNotification") != []
        assert bench.station.online


@pytest.mark.parametrize("protocol", list(Protocol))
async def test_g02_availability_waits_for_the_end_of_a_transaction(
    open_bench: Any, car: VehicleModel, protocol: Protocol
) -> None:
    calls = CALLS[protocol]

    def change(word: str) -> Any:
        if protocol is Protocol.V16:
            return calls.ChangeAvailability(connector_id=1, type=word)
        return calls.ChangeAvailability(operational_status=word, evse={"id": 1})

    key = "status" if protocol is Protocol.V16 else "connector_status"
    async with open_bench(protocol) as bench:
        bench.plug_in(car)
        await bench.quiet()
        assert (await bench.ask(change("Inoperative"))).status == "Scheduled"
        await bench.advance(60)
        bench.unplug()
        await bench.quiet()
        assert bench.central.of("StatusNotification")[-1][key] == "Unavailable"
        bench.plug_in(car)
        await bench.advance(60)
        assert len(bench.central.of("Authorize")) == 1
        assert (await bench.ask(change("Operative"))).status == "Accepted"
        await bench.advance(60)
        assert len(bench.central.of("Authorize")) == 2
        assert bench.station.firmware.evses[1].record is not None
        assert bench.counters.errors == 0, bench.counters.faults


@pytest.mark.parametrize("protocol", list(Protocol))
async def test_f03_unlock(open_bench: Any, car: VehicleModel, protocol: Protocol) -> None:
    calls = CALLS[protocol]
    async with open_bench(protocol) as bench:
        bench.plug_in(car)
        await bench.quiet()
        if protocol is Protocol.V16:
            assert (await bench.ask(calls.UnlockConnector(1))).status == "Unlocked"
            await bench.quiet()
            assert bench.central.of("StopTransaction")[0]["reason"] == "UnlockCommand"
        else:
            answer = await bench.ask(calls.UnlockConnector(evse_id=1, connector_id=1))
            assert answer.status == "OngoingAuthorizedTransaction"


@pytest.mark.parametrize("protocol", NEW)
async def test_base_report_lists_every_variable(open_bench: Any, protocol: Protocol) -> None:
    async with open_bench(protocol) as bench:
        request = CALLS[protocol].GetBaseReport(request_id=4, report_base="FullInventory")
        assert (await bench.ask(request)).status == "Accepted"
        await bench.quiet()
        reports = bench.central.of("NotifyReport")
        assert [one["tbc"] for one in reports] == [True] * (len(reports) - 1) + [False]
        names = [
            (entry["component"]["name"], entry["variable"]["name"])
            for one in reports
            for entry in one["report_data"]
        ]
        assert ("SmartChargingCtrlr", "PeriodsPerSchedule") in names
        assert len(set(names)) == len(names)
        assert bench.counters.errors == 0, bench.counters.faults


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ([2, "1", "NoSuchAction", {}], "NotImplemented"),
        ([2, "1", "CustomerInformation", {}], "NotSupported"),
        ([2, "1", "ClearCache", {"surprise": 1}], "FormatViolation"),
        ([2, "1", "SetVariables", {}], "FormatViolation"),
    ],
)
async def test_nonsense_is_answered_and_counted(open_bench: Any, frame: list[Any], code: str) -> None:
    async with open_bench(Protocol.V201) as bench:
        answers: list[Any] = []
        bench.central.route_message = _remember(answers)
        await bench.ends[-1].send(orjson.dumps(frame).decode())
        await bench.quiet()
        assert [one[:3] for one in answers] == [[4, "1", code]]
        assert bench.counters.call_errors == 1
        assert bench.station.online


async def test_unreadable_frame_is_answered_in_2_and_ignored_in_16(open_bench: Any) -> None:
    for protocol, expected in ((Protocol.V201, [[4, "-1", "RpcFrameworkError"]]), (Protocol.V16, [])):
        async with open_bench(protocol) as bench:
            answers: list[Any] = []
            bench.central.route_message = _remember(answers)
            for text in ("not json", "{}", "[]", '[2,"1"]'):
                await bench.ends[-1].send(text)
            await bench.quiet()
            assert [one[:3] for one in answers] == expected * 4
            assert bench.counters.schema_failures == 4
            assert bench.station.online


def _remember(answers: list[Any]) -> Any:
    async def route(text: str) -> None:
        answers.append(orjson.loads(text))

    return route
