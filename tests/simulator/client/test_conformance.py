"""The station checks itself: what its wire lets pass is what the standards' schemas let pass, strictly."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import ocpp.v16
import ocpp.v21
import ocpp.v201
import orjson
import pytest

from simulator.client.schemas import find_violation
from simulator.setup import Protocol
from simulator.station.settings import MEASURANDS
from simulator.vehicle.model import VehicleModel

FOLDERS = {Protocol.V16: "v16", Protocol.V201: "v201", Protocol.V21: "v21"}
BOOTS: dict[Protocol, dict[str, Any]] = {
    Protocol.V16: {"chargePointVendor": "V", "chargePointModel": "M"},
    Protocol.V201: {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}},
    Protocol.V21: {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}},
}


@pytest.mark.parametrize("protocol", list(Protocol))
def test_no_schema_lets_unknown_keys_pass(protocol: Protocol) -> None:
    folder = files("ocpp").joinpath(FOLDERS[protocol], "schemas")
    schemas = [orjson.loads(path.read_bytes().removeprefix(b"\xef\xbb\xbf")) for path in folder.iterdir()]
    assert len(schemas) >= 56
    assert all(schema["additionalProperties"] is False for schema in schemas)


@pytest.mark.parametrize("protocol", list(Protocol))
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, None),
        ({"color": "red"}, "color"),
        ({"reason": "Boredom", "chargePointModel": 7}, "BootNotification"),
    ],
)
def test_keys_values_and_types_are_checked(
    protocol: Protocol, change: dict[str, Any], said: str | None
) -> None:
    violation = find_violation(protocol, "BootNotification", BOOTS[protocol] | change)
    assert violation is None if said is None else said in str(violation)


@pytest.mark.parametrize("protocol", list(Protocol))
def test_instants_are_checked(protocol: Protocol) -> None:
    answer = {"currentTime": "2024-06-11T04:00:00Z", "interval": 300, "status": "Accepted"}
    assert find_violation(protocol, "BootNotification", answer, answer=True) is None
    broken = {**answer, "currentTime": "this morning"}
    assert find_violation(protocol, "BootNotification", broken, answer=True) is not None


@pytest.mark.parametrize("protocol", list(Protocol))
async def test_every_measurand_and_report_passes(
    open_bench: Any, bidirectional_car: VehicleModel, protocol: Protocol
) -> None:
    """A session in which the station says everything that it knows to say; the other side checks it, too."""
    async with open_bench(protocol) as bench:
        bench.plug_in(bidirectional_car, communicates=True)
        await bench.advance(700)
        for wanted in ("MeterValues", "StatusNotification", "Heartbeat"):
            bench.station.firmware.trigger(wanted, None, bench.clock.now())
            bench.station.wake()
        await bench.quiet()
        if protocol is not Protocol.V16:
            call = {Protocol.V201: ocpp.v201.call, Protocol.V21: ocpp.v21.call}[protocol]
            await bench.ask(call.GetBaseReport(request_id=1, report_base="FullInventory"))
        bench.unplug()
        await bench.quiet()
        said = set(bench.counters.sent)
        assert {"BootNotification", "StatusNotification", "Authorize", "Heartbeat", "MeterValues"} <= said
        if protocol is Protocol.V16:
            assert {"StartTransaction", "StopTransaction"} <= said
        else:
            assert {"TransactionEvent", "NotifyEVChargingNeeds", "NotifyReport"} <= said
        if protocol is Protocol.V21:
            (event, *_) = bench.central.of("TransactionEvent")
            measured = {one["measurand"] for one in event["meter_value"][0]["sampled_value"]}
            assert measured == set(MEASURANDS) - {"Current.Export"}
        assert bench.counters.errors == 0, bench.counters.faults
