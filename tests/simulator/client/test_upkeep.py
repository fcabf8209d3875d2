"""Local lists, reservations, updates and logs, in the words of each version."""

from __future__ import annotations

from typing import Any

import ocpp.v16.call
import ocpp.v21.call
import ocpp.v201.call
import pytest

from simulator.setup import Protocol
from simulator.vehicle.model import VehicleModel

CALLS: dict[Protocol, Any] = {
    Protocol.V16: ocpp.v16.call,
    Protocol.V201: ocpp.v201.call,
    Protocol.V21: ocpp.v21.call,
}


def charges(bench: Any) -> bool:
    return bench.station.firmware.evses[1].record is not None


def send_list(protocol: Protocol, version: int, status: str | None, kind: str = "Full") -> Any:
    call = CALLS[protocol].SendLocalList
    if protocol is Protocol.V16:
        entry = {"idTag": "TAG1"} | ({} if status is None else {"idTagInfo": {"status": status}})
        return call(list_version=version, update_type=kind, local_authorization_list=[entry])
    token = {"idToken": {"idToken": "TAG1", "type": "ISO14443"}}
    info = {} if status is None else {"idTokenInfo": {"status": status}}
    return call(version_number=version, update_type=kind, local_authorization_list=[token | info])


@pytest.mark.parametrize("protocol", list(Protocol))
async def test_a_blocked_card_is_refused_offline_too(
    open_bench: Any, car: VehicleModel, protocol: Protocol
) -> None:
    async with open_bench(protocol) as bench:
        assert (await bench.ask(send_list(protocol, 7, "Blocked"))).status == "Accepted"
        assert (await bench.ask(send_list(protocol, 7, None, "Differential"))).status == "VersionMismatch"
        answer = await bench.ask(CALLS[protocol].GetLocalListVersion())
        assert 7 in {getattr(answer, "list_version", None), getattr(answer, "version_number", None)}
        bench.reachable = False
        await bench.cut()
        bench.plug_in(car)
        await bench.advance(60)
        assert not charges(bench)
        assert bench.station.firmware.refused_tokens == 1


def reserve(protocol: Protocol, token: str, until: str) -> Any:
    call = CALLS[protocol].ReserveNow
    if protocol is Protocol.V16:
        return call(1, until, token, 5)
    card = {"idToken": token, "type": "ISO14443"}
    return call(id=5, expiry_date_time=until, id_token=card, evse_id=1)


@pytest.mark.parametrize("protocol", list(Protocol))
async def test_a_reserved_socket_serves_its_card_only_until_it_expires(
    open_bench: Any, car: VehicleModel, protocol: Protocol
) -> None:
    async with open_bench(protocol) as bench:
        key = "status" if protocol is Protocol.V16 else "connector_status"
        assert (await bench.ask(reserve(protocol, "OTHER", "2024-06-11T04:30:00Z"))).status == "Accepted"
        assert (await bench.ask(reserve(protocol, "THIRD", "2024-06-11T04:30:00Z"))).status == "Occupied"
        await bench.quiet()
        assert bench.central.of("StatusNotification")[-1][key] == "Reserved"
        bench.plug_in(car)
        await bench.advance(60)
        assert not charges(bench)
        bench.unplug()
        await bench.advance(1800)
        assert bench.central.of("StatusNotification")[-1][key] == "Available"
        cancelled = await bench.ask(CALLS[protocol].CancelReservation(reservation_id=5))
        assert cancelled.status == "Rejected"
        assert (await bench.ask(reserve(protocol, "TAG1", "2024-06-11T09:00:00Z"))).status == "Accepted"
        assert (await bench.ask(CALLS[protocol].CancelReservation(reservation_id=5))).status == "Accepted"
        assert (await bench.ask(reserve(protocol, "TAG1", "2024-06-11T09:00:00Z"))).status == "Accepted"
        bench.plug_in(car)
        await bench.advance(60)
        assert charges(bench)
        assert bench.station.firmware.upkeep.reservations == {}
        assert bench.counters.errors == 0, bench.counters.faults


@pytest.mark.parametrize("protocol", list(Protocol))
async def test_updates_and_logs_are_told_step_by_step(open_bench: Any, protocol: Protocol) -> None:
    calls = CALLS[protocol]
    async with open_bench(protocol) as bench:
        if protocol is Protocol.V16:
            await bench.ask(calls.UpdateFirmware("https://host/firmware", "2024-06-11T04:01:00Z"))
            answer = await bench.ask(calls.GetDiagnostics("https://host/logs"))
            assert answer.file_name == "CP-1.log"
        else:
            firmware = {"location": "https://host/firmware", "retrieveDateTime": "2024-06-11T04:01:00Z"}
            assert (
                await bench.ask(calls.UpdateFirmware(request_id=3, firmware=firmware))
            ).status == "Accepted"
            log = {"remoteLocation": "https://host/logs"}
            assert (
                await bench.ask(calls.GetLog(log=log, log_type="DiagnosticsLog", request_id=4))
            ).status == "Accepted"
        await bench.advance(300)
        said = [one["status"] for one in bench.central.of("FirmwareStatusNotification")]
        assert said == ["Downloading", "Downloaded", "Installing", "Installed"]
        name = "DiagnosticsStatusNotification" if protocol is Protocol.V16 else "LogStatusNotification"
        assert [one["status"] for one in bench.central.of(name)] == ["Uploading", "Uploaded"]
        assert bench.counters.errors == 0, bench.counters.faults
