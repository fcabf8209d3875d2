"""The service as the gateway and the API use it."""

from __future__ import annotations

from csms.ocpp.reporting import NewsReport
from csms.ocpp.vocabulary import (
    Boot,
    BootAnswer,
    ConnectorStatus,
    EmptyAnswer,
    Heartbeat,
    HeartbeatAnswer,
    OcppVersion,
    StatusReport,
)
from csms.state.events import StationBooted, StationConnected, StatusChanged
from csms.state.service import StateService
from tests.csms.state.street import NOW

V16 = OcppVersion.V16


async def test_a_boot_is_accepted_and_published(service: StateService) -> None:
    with service.subscribe() as events:
        await service.connected("OLD-1", V16)
        answer = await service.handle("OLD-1", V16, Boot("Wijk", "Duo AC"))
        assert isinstance(answer, BootAnswer)
        assert (answer.status, answer.now, answer.interval_s) == ("Accepted", NOW, 900)
        assert events.take_all() == [
            StationConnected("OLD-1", V16, NOW),
            StationBooted("OLD-1", NOW, "Wijk", "Duo AC"),
        ]
    assert service.state.stations["OLD-1"].connected
    assert service.state.stations["OLD-1"].booted_at == NOW


async def test_a_heartbeat_tells_the_time_and_is_a_sign_of_life(service: StateService) -> None:
    assert service.state.stations["OLD-1"].seen_at is None
    assert await service.handle("OLD-1", V16, Heartbeat()) == HeartbeatAnswer(NOW)
    assert service.state.stations["OLD-1"].seen_at == NOW


async def test_a_status_reaches_its_evse(service: StateService) -> None:
    report = StatusReport(2, 1, ConnectorStatus.PREPARING, NOW)
    with service.subscribe() as events:
        assert await service.handle("OLD-1", V16, report) == EmptyAnswer()
        assert events.take_all() == [StatusChanged("OLD-1", 2, 1, ConnectorStatus.PREPARING, NOW)]
    assert service.state.stations["OLD-1"].evses[2].status is ConnectorStatus.PREPARING


async def test_what_nobody_acts_on_is_answered(service: StateService) -> None:
    assert await service.handle("OLD-1", V16, NewsReport("DataTransfer", ())) == EmptyAnswer()
