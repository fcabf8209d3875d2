from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from csms.ocpp.vocabulary import ConnectorStatus
from csms.state.station_state import EvseState, StreetState
from csms.web.alerts import Severity, list_alerts
from tests.csms.web.world import METERS, NOW, World

CALM = (50.0, 110.0)


def test_a_quiet_street_needs_nobody(world: World) -> None:
    state = world.state
    stations = {
        name: replace(station, connected=True, evses={1: EvseState(1)})
        for name, station in state.stations.items()
    }
    state = replace(state, stations=stations)
    assert list_alerts(state, world.stations, METERS, NOW, None, CALM) == []


def test_alerts_name_place_and_remedy_the_gravest_first(world: World) -> None:
    alerts = list_alerts(world.state, world.stations, METERS, NOW, NOW - timedelta(hours=1), (130.0, 110.0))
    assert [alert.severity for alert in alerts] == sorted(alert.severity for alert in alerts)
    told = {alert.place: alert for alert in alerts}
    assert told["ST-0002 socket 2"].what == "reports a fault"
    assert told["ST-0003"].severity is Severity.WARNING
    assert "1 session" in told["ST-0003"].what
    critical = [alert.what for alert in alerts if alert.severity is Severity.CRITICAL]
    assert critical == ["130.0 kW flows where 110 kW is allowed", "the latest plan is of 14:30 UTC"]
    assert all(alert.remedy for alert in alerts)


@pytest.mark.parametrize(
    ("load", "severities"),
    [
        ((None, 110.0), []),
        ((130.0, None), []),
        ((100.0, 110.0), []),
        ((108.0, 110.0), [Severity.NOTICE]),
        ((110.4, 110.0), [Severity.NOTICE]),
        ((110.6, 110.0), [Severity.CRITICAL]),
    ],
)
def test_a_load_is_judged_against_its_limit(
    load: tuple[float | None, float | None], severities: list[Severity]
) -> None:
    assert [alert.severity for alert in list_alerts(StreetState(), (), (), NOW, None, load)] == severities


def test_silent_meters_and_stations_never_seen_are_told(world: World) -> None:
    later = NOW + timedelta(seconds=90)
    alerts = list_alerts(world.state, ["new"], METERS, later, later, CALM)
    assert [(alert.place, alert.severity) for alert in alerts] == [
        ("meter node", Severity.WARNING),
        ("meter pv", Severity.WARNING),
        ("new", Severity.NOTICE),
    ]
    assert len(list_alerts(StreetState(), (), METERS, NOW, None, CALM)) == 2


def test_a_socket_out_of_service_is_a_notice(world: World) -> None:
    station = world.state.stations["ST-0001"]
    station = replace(station, evses={1: EvseState(1, ConnectorStatus.UNAVAILABLE)})
    state = replace(world.state, stations={"ST-0001": station})
    (alert,) = list_alerts(state, ["ST-0001"], (), NOW, None, CALM)
    assert (alert.severity, alert.document()["severity"]) == (Severity.NOTICE, "notice")
