"""What stations tell beside charging is kept: every message of every version has an effect."""

from __future__ import annotations

from typing import Any

import pytest

from csms.ocpp.codec import codec_of
from csms.ocpp.news import RULES
from csms.ocpp.reporting import NewsKind, NewsReport, VariableReport
from csms.ocpp.schemas import schemas_of
from csms.ocpp.vocabulary import EmptyAnswer, OcppVersion
from csms.state.news import list_news, list_variables
from tests.csms.api.world import NOW, World
from wijkstroom.street import Street, load_street

STATION = "LMB-17"
V16, V201, V21 = OcppVersion.V16, OcppVersion.V201, OcppVersion.V21
AT = "2024-06-11T15:20:00Z"
EVENT = {
    "eventId": 1,
    "timestamp": AT,
    "trigger": "Alerting",
    "actualValue": "81.5",
    "eventNotificationType": "HardWiredMonitor",
    "component": {"name": "Connector", "evse": {"id": 1}},
    "variable": {"name": "Temperature"},
}
OCSP = {
    "hashAlgorithm": "SHA256",
    "issuerNameHash": "a",
    "issuerKeyHash": "b",
    "serialNumber": "c0ffee",
    "responderURL": "http://ocsp.example",
}


@pytest.fixture(scope="module")
def street() -> Street:
    return load_street()


@pytest.fixture
async def world(street: Street) -> World:
    world = World(street)
    await world.service.start()
    return world


async def tell(world: World, version: OcppVersion, action: str, payload: dict[str, Any]) -> None:
    schemas_of(version).check_request(action, payload)
    request = codec_of(version).decode_request(action, payload, world.clock.now())
    assert isinstance(request, NewsReport | VariableReport)
    assert await world.service.handle(STATION, version, request) == EmptyAnswer()


async def told(world: World) -> list[tuple[str, str, str]]:
    rows = await world.store.read(lambda session: list_news(session, station_id=STATION, kind=None, limit=99))
    return [(row.kind, row.subject, row.status) for row in reversed(rows)]


@pytest.mark.parametrize(
    ("version", "action", "payload", "kept"),
    [
        (V16, "FirmwareStatusNotification", {"status": "Installed"}, ("firmware", "", "Installed")),
        (V16, "DiagnosticsStatusNotification", {"status": "Uploaded"}, ("log", "", "Uploaded")),
        (V16, "LogStatusNotification", {"status": "Uploaded", "requestId": 7}, ("log", "7", "Uploaded")),
        (
            V16,
            "SecurityEventNotification",
            {"type": "TamperDetectionActivated", "timestamp": AT},
            ("security", "TamperDetectionActivated", ""),
        ),
        (
            V16,
            "SignedFirmwareStatusNotification",
            {"status": "InvalidSignature", "requestId": 3},
            ("firmware", "3", "InvalidSignature"),
        ),
        (V16, "DataTransfer", {"vendorId": "org.example", "messageId": "a"}, ("other", "org.example.a", "")),
        (V201, "FirmwareStatusNotification", {"status": "Idle"}, ("firmware", "", "Idle")),
        (
            V201,
            "SecurityEventNotification",
            {"type": "SettingSystemTime", "timestamp": AT, "techInfo": "ntp"},
            ("security", "SettingSystemTime", ""),
        ),
        (
            V201,
            "NotifyEvent",
            {"generatedAt": AT, "seqNo": 0, "eventData": [EVENT]},
            ("monitoring", "Connector.Temperature", "81.5"),
        ),
        (
            V201,
            "ReservationStatusUpdate",
            {"reservationId": 5, "reservationUpdateStatus": "Expired"},
            ("reservation", "5", "Expired"),
        ),
        (
            V201,
            "NotifyChargingLimit",
            {"chargingLimit": {"chargingLimitSource": "EMS"}},
            ("limit", "EMS", "Set"),
        ),
        (V201, "ClearedChargingLimit", {"chargingLimitSource": "EMS"}, ("limit", "EMS", "Cleared")),
        (V201, "GetCertificateStatus", {"ocspRequestData": OCSP}, ("certificate", "c0ffee", "")),
        (
            V21,
            "NotifyDERAlarm",
            {"controlType": "EnterService", "timestamp": AT, "gridEventFault": "OverVoltage"},
            ("der", "EnterService", "OverVoltage"),
        ),
        (
            V21,
            "NotifyPriorityCharging",
            {"transactionId": "t-1", "activated": True},
            ("profile", "t-1", "true"),
        ),
    ],
)
async def test_each_message_is_kept_in_the_same_words(
    world: World, version: OcppVersion, action: str, payload: dict[str, Any], kept: tuple[str, str, str]
) -> None:
    await tell(world, version, action, payload)
    assert await told(world) == [kept]


@pytest.mark.parametrize("version", OcppVersion)
def test_no_message_of_a_station_is_without_effect(version: OcppVersion) -> None:
    schemas, codec = schemas_of(version), codec_of(version)
    own = {
        "Authorize",
        "BootNotification",
        "Heartbeat",
        "MeterValues",
        "StartTransaction",
        "StatusNotification",
    }
    own |= {"StopTransaction", "TransactionEvent", "NotifyEVChargingNeeds", "NotifyReport"}
    assert codec.STATION_ACTIONS - own <= set(RULES)
    assert all(schemas.knows(action) for action in codec.STATION_ACTIONS)


def test_every_rule_is_of_a_message() -> None:
    assert set(RULES) <= set().union(*(codec_of(version).STATION_ACTIONS for version in OcppVersion))


async def test_what_is_told_again_is_kept_once(world: World) -> None:
    event = {"type": "InvalidTLSVersion", "timestamp": AT}
    for _ in range(2):
        await tell(world, V201, "SecurityEventNotification", event)
        await world.clock.advance(30)
    await tell(world, V201, "SecurityEventNotification", event | {"timestamp": "2024-06-11T15:21:00Z"})
    assert len(await told(world)) == 2


async def test_each_event_of_a_message_is_one(world: World) -> None:
    events = [EVENT | {"eventId": number, "actualValue": str(number)} for number in range(3)]
    await tell(world, V21, "NotifyEvent", {"generatedAt": AT, "seqNo": 0, "eventData": events})
    assert [status for _, _, status in await told(world)] == ["0", "1", "2"]


async def test_an_instant_that_cannot_be_is_ours(world: World) -> None:
    event = {"type": "ResetOrReboot", "timestamp": "1970-01-01T00:00:00Z"}
    await tell(world, V201, "SecurityEventNotification", event)
    (row,) = await world.store.read(
        lambda session: list_news(session, station_id=None, kind=NewsKind.SECURITY, limit=9)
    )
    assert row.at == row.received_at == NOW


async def test_secrets_and_people_are_not_kept(world: World) -> None:
    payload = {"data": "Jan Bakker", "seqNo": 0, "requestId": 1, "generatedAt": AT}
    await tell(world, V201, "NotifyCustomerInformation", payload)
    rows = await world.store.read(lambda session: list_news(session, station_id=None, kind=None, limit=9))
    assert "Bakker" not in rows[0].payload


def report(seq_no: int, *variables: tuple[str, str, str], more: bool = False) -> dict[str, Any]:
    data = [
        {
            "component": {"name": component},
            "variable": {"name": variable},
            "variableAttribute": [{"value": value}],
            "variableCharacteristics": {"dataType": "string", "supportsMonitoring": False, "unit": "s"},
        }
        for component, variable, value in variables
    ]
    return {"requestId": 1, "generatedAt": AT, "seqNo": seq_no, "tbc": more, "reportData": data}


async def test_a_device_model_comes_in_parts_in_any_order(world: World) -> None:
    second = report(1, ("OCPPCommCtrlr", "HeartbeatInterval", "60"))
    first = report(
        0, ("SecurityCtrlr", "BasicAuthPassword", "secret"), ("Clock", "TimeZone", "UTC"), more=True
    )
    for part in (second, first, second):
        await tell(world, V201, "NotifyReport", part)
    await tell(world, V201, "NotifyReport", report(0, ("OCPPCommCtrlr", "HeartbeatInterval", "120")))
    rows = await world.store.read(lambda session: list_variables(session, station_id=STATION))
    values = {f"{one.component}.{one.variable}": one.value for one, _ in rows}
    assert values == {
        "Clock.TimeZone": "UTC",
        "OCPPCommCtrlr.HeartbeatInterval": "120",
        "SecurityCtrlr.BasicAuthPassword": "***",
    }


async def test_operators_read_it(world: World) -> None:
    await tell(world, V201, "SecurityEventNotification", {"type": "ResetOrReboot", "timestamp": AT})
    await tell(world, V201, "NotifyReport", report(0, ("Clock", "TimeZone", "UTC")))
    async with world.client() as client:
        (news,) = (await client.get(f"/api/v1/stations/{STATION}/news", params={"kind": "security"})).json()
        assert (await client.get("/api/v1/news")).json() == [news]
        (variable,) = (await client.get(f"/api/v1/stations/{STATION}/variables")).json()
        assert (await client.get("/api/v1/stations/nobody/news")).status_code == 404
    assert (news["subject"], news["at"]) == ("ResetOrReboot", "2024-06-11T15:20:00Z")
    assert (variable["variable"], variable["value"], variable["unit"]) == ("TimeZone", "UTC", "s")
