"""A session from cable to cable, in each version, against the package's own central system (with its schemas)."""

from __future__ import annotations

from typing import Any

import ocpp.v16
import ocpp.v21
import ocpp.v201
import pytest

from simulator.setup import Protocol
from simulator.vehicle.model import VehicleModel

NEW = [Protocol.V201, Protocol.V21]


@pytest.mark.parametrize("protocol", list(Protocol))
async def test_station_boots_and_reports_its_connectors(open_bench: Any, protocol: Protocol) -> None:
    async with open_bench(protocol) as bench:
        await bench.quiet()
        assert len(bench.central.of("BootNotification")) == 1
        states = bench.central.of("StatusNotification")
        key = "status" if protocol is Protocol.V16 else "connector_status"
        assert {one[key] for one in states} == {"Available"}
        assert bench.counters.errors == 0


async def test_session_of_16(open_bench: Any, car: VehicleModel) -> None:
    async with open_bench(Protocol.V16) as bench:
        bench.plug_in(car)
        await bench.quiet()
        (start,) = bench.central.of("StartTransaction")
        await bench.advance(3600)
        bench.unplug()
        await bench.quiet()
        (stop,) = bench.central.of("StopTransaction")
        assert stop["transaction_id"] == 701
        # Sixteen amperes on three phases for nearly an hour: it takes some seconds to wake up.
        assert 10_900 < stop["meter_stop"] - start["meter_start"] <= 11_040
        values = bench.central.of("MeterValues")
        assert len(values) == 12
        assert {one["transaction_id"] for one in values} == {701}
        registers = [
            int(sample["value"])
            for one in values
            for sample in one["meter_value"][0]["sampled_value"]
            if sample["measurand"] == "Energy.Active.Import.Register"
        ]
        assert registers == sorted(registers)
        assert [
            one["status"] for one in bench.central.of("StatusNotification") if one["connector_id"] == 1
        ] == [
            "Available",
            "Preparing",
            "Charging",
            "Available",
        ]
        assert bench.counters.errors == 0, bench.counters.faults


@pytest.mark.parametrize("protocol", NEW)
async def test_session_of_2(open_bench: Any, car: VehicleModel, protocol: Protocol) -> None:
    async with open_bench(protocol) as bench:
        bench.plug_in(car)
        await bench.advance(3600)
        bench.unplug()
        await bench.quiet()
        events = bench.central.of("TransactionEvent")
        assert [one["seq_no"] for one in events] == list(range(len(events)))
        assert [one["event_type"] for one in events] == ["Started", *["Updated"] * (len(events) - 2), "Ended"]
        assert len({one["transaction_info"]["transaction_id"] for one in events}) == 1
        assert sum(one["trigger_reason"] == "MeterValueClock" for one in events) == 12
        assert bench.counters.errors == 0, bench.counters.faults


async def test_profile_bounds_what_the_car_draws(open_bench: Any, car: VehicleModel) -> None:
    async with open_bench(Protocol.V16) as bench:
        bench.plug_in(car)
        await bench.advance(60)
        assert bench.station.firmware.evses[1].socket.power_kw(60) == pytest.approx(11.04)
        answer = await bench.ask(
            ocpp.v16.call.SetChargingProfile(
                1,
                {
                    "chargingProfileId": 5,
                    "stackLevel": 1,
                    "transactionId": 701,
                    "chargingProfilePurpose": "TxProfile",
                    "chargingProfileKind": "Absolute",
                    "chargingSchedule": {
                        "startSchedule": "2024-06-11T04:00:00Z",
                        "chargingRateUnit": "A",
                        "chargingSchedulePeriod": [
                            {"startPeriod": 0, "limit": 8.1},
                            {"startPeriod": 300, "limit": 0},
                        ],
                    },
                },
            )
        )
        assert answer.status == "Accepted"
        await bench.advance(500)
        socket = bench.station.firmware.evses[1].socket
        assert socket.recent_power_kw(301) == 0.0
        composite = await bench.ask(ocpp.v16.call.GetCompositeSchedule(1, 600, "A"))
        assert composite.charging_schedule["charging_schedule_period"][0]["limit"] == 0.0
        assert [one["status"] for one in bench.central.of("StatusNotification")][-1] == "SuspendedEVSE"
        assert bench.counters.errors == 0, bench.counters.faults


async def test_setpoint_of_21_discharges(open_bench: Any, bidirectional_car: VehicleModel) -> None:
    async with open_bench(Protocol.V21) as bench:
        bench.plug_in(bidirectional_car, soc=0.8, communicates=True, target_fraction=0.8)
        await bench.advance(60)
        (needs,) = bench.central.of("NotifyEVChargingNeeds")
        assert needs["charging_needs"]["requested_energy_transfer"] == "AC_BPT"
        (started, *_) = bench.central.of("TransactionEvent")
        transaction_id = started["transaction_info"]["transaction_id"]
        answer = await bench.ask(
            ocpp.v21.call.SetChargingProfile(
                evse_id=1,
                charging_profile={
                    "id": 5,
                    "stackLevel": 1,
                    "transactionId": transaction_id,
                    "chargingProfilePurpose": "TxProfile",
                    "chargingProfileKind": "Absolute",
                    "chargingSchedule": [
                        {
                            "id": 1,
                            "startSchedule": "2024-06-11T04:00:00Z",
                            "chargingRateUnit": "W",
                            "chargingSchedulePeriod": [
                                {"startPeriod": 0, "operationMode": "CentralSetpoint", "setpoint": -7000.0}
                            ],
                        }
                    ],
                },
            )
        )
        assert answer.status == "Accepted"
        await bench.advance(1800)
        registers = bench.station.firmware.evses[1].socket.registers(1860)
        assert registers.export_kwh == pytest.approx(7.0 * 0.5, abs=0.05)
        assert bench.counters.errors == 0, bench.counters.faults


@pytest.mark.parametrize("protocol", NEW)
async def test_every_car_on_direct_current_tells_its_needs(
    open_bench: Any, car: VehicleModel, protocol: Protocol
) -> None:
    fast = car.model_copy(update={"max_dc_power_kw": 80.0})
    async with open_bench(protocol, direct_current=True, max_current_a=72.5) as bench:
        bench.plug_in(fast, soc=0.3, communicates=False, target_fraction=0.8)
        await bench.advance(600)
        (told,) = bench.central.of("NotifyEVChargingNeeds")
        assert told["charging_needs"]["requested_energy_transfer"] == "DC"
        assert told["charging_needs"]["dc_charging_parameters"] == {
            "ev_max_current": 200,
            "ev_max_voltage": 400,
            "ev_max_power": 80_000,
            "energy_amount": 25_000,
            "state_of_charge": 30,
            "ev_energy_capacity": 50_000,
            "full_soc": 80,
            "bulk_soc": 60,
        }
        sampled = bench.central.of("TransactionEvent")[-1]["meter_value"][0]["sampled_value"]
        (soc,) = (one["value"] for one in sampled if one["measurand"] == "SoC")
        assert 40.0 < float(soc) < 50.0
        assert bench.counters.errors == 0, bench.counters.faults
