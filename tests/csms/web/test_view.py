from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from csms.settings import MeterRole
from csms.state.station_state import StreetState
from csms.web.view import (
    PlanView,
    SocketName,
    day_start,
    measured_kw,
    view_day,
    view_plan,
    view_station,
    view_totals,
)
from grid.capacity.signals import SignalBook
from grid.street import GridSide
from grid.timegrid import QUARTER
from tests.csms.web.world import METERS, NOW, World


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2024-06-11T03:59:59Z", "2024-06-10T04:00:00Z"),
        ("2024-06-11T04:00:00Z", "2024-06-11T04:00:00Z"),
        ("2024-10-27T04:59:00Z", "2024-10-26T04:00:00Z"),  # the night with 25 hours
        ("2024-10-27T05:00:00Z", "2024-10-27T05:00:00Z"),
        ("2024-03-31T03:59:00Z", "2024-03-30T05:00:00Z"),  # the night with 23
        ("2024-03-31T04:00:00Z", "2024-03-31T04:00:00Z"),
    ],
)
def test_the_day_begins_at_six_in_the_street(now: str, expected: str, grid: GridSide) -> None:
    assert day_start(datetime.fromisoformat(now), grid) == datetime.fromisoformat(expected)


def test_a_day_shows_limits_with_their_source_and_prices(grid: GridSide) -> None:
    day = view_day(NOW, grid, 0.95, None, SignalBook())
    evening, afternoon = 4 * (17 - 6), 4 * (14 - 6)
    assert day["limit_kw"][evening] == 110.0
    assert day["limit_source"][evening] == "lombok-transformer: Stedin evening signal"
    assert day["limit_kw"][evening - 1] == pytest.approx(380.0)
    assert day["price_eur_per_mwh"][afternoon] == pytest.approx(0.86)
    assert day["planned_kw"] == [None] * 96
    assert json.loads(json.dumps(day, allow_nan=False)) == day


def test_a_day_beyond_the_price_series_still_shows_limits(grid: GridSide) -> None:
    day = view_day(datetime(1999, 6, 11, 12, tzinfo=UTC), grid, 0.95, None, SignalBook())
    assert day["price_eur_per_mwh"] == [None] * 96
    assert 110.0 in day["limit_kw"]


def test_only_what_is_to_come_is_shown_as_planned(grid: GridSide) -> None:
    start = NOW - 8 * QUARTER
    plan = PlanView(NOW, "OPTIMAL (solved)", 0.1, start, QUARTER, tuple(float(n) for n in range(20)))
    day = view_day(NOW, grid, 0.95, plan, SignalBook())
    now = (NOW - day_start(NOW, grid)) // QUARTER
    assert day["planned_kw"][now : now + 12] == [float(n) for n in range(8, 20)]
    assert day["planned_kw"][now - 1] is None
    assert day["planned_kw"][now + 12] is None


def test_nothing_personal_leaves(world: World) -> None:
    shown = [
        view_station(each, world.state.stations[each], SocketName("m", {1: "e"}), NOW, None)
        for each in world.stations
    ]
    text = json.dumps(shown)
    assert "charging" in text.lower()
    for secret in ("CARD", "session-", "transaction-"):
        assert secret not in text


def test_a_station_that_was_never_heard_of_shows_its_configured_sockets() -> None:
    document = view_station("A", None, SocketName("m", {1: "NL*1", 2: "NL*2"}), NOW, None)
    assert not document["connected"]
    assert [socket["emi3"] for socket in document["sockets"]] == ["NL*1", "NL*2"]
    assert all(socket["status"] is None and socket["session"] is None for socket in document["sockets"])


def test_a_session_shows_wish_and_plan(world: World) -> None:
    plan = PlanView(NOW, "", 0.0, NOW, QUARTER, (), {"session-0": (3.5,)})
    state = world.state.stations["ST-0001"]
    session = view_station("ST-0001", state, world.source.names("ST-0001"), NOW, plan)["sockets"][0][
        "session"
    ]
    assert session["planned_kw"] == 3.5
    assert session["wanted_kwh"] == 22.0
    assert session["departure_ms"] == round((NOW + timedelta(hours=14)).timestamp() * 1000)


def test_a_plan_names_sockets_not_sessions(world: World) -> None:
    sentences = ("Warning: session-0 is short, session-9 is gone.",)
    plan = PlanView(NOW, "", 0.0, NOW, QUARTER, (), {"session-0": (), "session-9": ()}, sentences)
    shown = view_plan(plan, world.state)
    assert shown is not None
    assert shown["explanation"] == ["Warning: ST-0001 socket 1 is short, a car that has left is gone."]


def test_a_plan_with_many_warnings_says_first_what_it_does(world: World) -> None:
    sentences = (*(f"Warning: {n} is short." for n in range(9)), "The peak is 95 kW.")
    shown = view_plan(PlanView(NOW, "", 0.0, NOW, QUARTER, (), {}, sentences), world.state)
    assert shown is not None
    assert shown["explanation"][0] == "The peak is 95 kW."
    assert shown["explanation"][1:4] == list(sentences[:3])
    assert shown["explanation"][4:] == ["And 6 more warnings: the plan has them all."]


def test_totals_add_up(world: World, grid: GridSide) -> None:
    totals = view_totals(world.state, METERS, 4, NOW, view_day(NOW, grid, 0.95, None, SignalBook()))
    assert (totals["stations"], totals["connected"], totals["sessions"]) == (4, 3, 4)
    assert (totals["charging_kw"], totals["discharging_kw"]) == (22.2, 5.0)
    assert (totals["node_kw"], totals["pv_kw"], totals["limit_kw"]) == (84.2, 31.5, 110.0)


def test_silent_and_missing_meters_measure_nothing(world: World) -> None:
    assert measured_kw(world.state, METERS, MeterRole.NODE, NOW + timedelta(minutes=15)) == 84.2
    assert measured_kw(world.state, METERS, MeterRole.NODE, NOW + timedelta(minutes=16)) is None
    assert measured_kw(StreetState(), METERS, MeterRole.NODE, NOW) is None
    assert measured_kw(world.state, (), MeterRole.NODE, NOW) is None
    half = replace(world.state, meters={"pv": world.state.meters["pv"]})
    assert measured_kw(half, METERS, MeterRole.PV, NOW) == -31.5
