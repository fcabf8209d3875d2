"""What was possible is what somebody who knows everything could have served within the same limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grid.topology import Direction, Limit, LimitKind, LimitUnit
from simulator.baselines import POLICIES, Baseline
from simulator.fleet.draw import draw_fleet
from simulator.fleet.sessions import Fleet
from simulator.fleet.setup import FleetSetup
from simulator.hindsight import HindsightError, build_problem, compute_possible, list_candidates
from simulator.noise import draw_uncontrolled
from simulator.replay import Replay
from simulator.setup import StationSetup
from simulator.world import StreetSetup
from wijkstroom.street import Street

DAY = date(2024, 6, 11)
few = settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def build(street: Street, stations: tuple[StationSetup, ...], fleet: Fleet, hours: int = 24) -> StreetSetup:
    assert street.simulation is not None
    noise = street.simulation.noise
    uncontrolled = draw_uncontrolled(noise, street.grid, fleet.start, hours * 3600, 1)
    return StreetSetup(street.grid, stations, fleet, uncontrolled)


def squeezed(setup: StreetSetup, limit_kw: float) -> StreetSetup:
    """The same street behind a smaller transformer, without households and sun."""
    limit = Limit(
        value=limit_kw,
        unit=LimitUnit.KW,
        direction=Direction.IMPORT,
        kind=LimitKind.THERMAL,
        source="test",
    )
    nodes = tuple(replace(node, limits=(limit,)) for node in setup.grid.topology.nodes)
    grid = replace(setup.grid, topology=replace(setup.grid.topology, nodes=nodes))
    nothing = np.zeros_like(setup.uncontrolled.base_kw)
    return replace(setup, grid=grid, uncontrolled=replace(setup.uncontrolled, base_kw=nothing, pv_kw=nothing))


@pytest.fixture(scope="module")
def setup(street: Street, stations: tuple[StationSetup, ...], fleet_setup: FleetSetup) -> StreetSetup:
    return build(street, stations, draw_fleet(fleet_setup, DAY, 1))


def test_on_the_default_day_every_need_is_possible(setup: StreetSetup) -> None:
    possible_kwh = compute_possible(setup)
    assert set(possible_kwh) == {session.id for session in setup.fleet.sessions}
    for session in setup.fleet.sessions:
        need_kwh = setup.fleet.need_kwh(session)
        assert possible_kwh[session.id] <= need_kwh + 1e-6
        if session.departure <= setup.end:
            assert possible_kwh[session.id] == pytest.approx(need_kwh, abs=1e-3)
        else:
            assert possible_kwh[session.id] == 0.0


def test_behind_a_small_transformer_only_so_much_is_possible(setup: StreetSetup) -> None:
    small = squeezed(setup, 5.0)
    needed_kwh = sum(setup.fleet.need_kwh(one.session) for one in list_candidates(setup))
    possible_kwh = sum(compute_possible(small).values())
    # Somebody charges all the time, or nobody who is there needs anything.
    assert 0.5 * 5.0 * 24.0 < possible_kwh <= 5.0 * 24.0 + 1e-6
    assert possible_kwh < needed_kwh


@few
@given(seed=st.integers(0, 2**20), limit_kw=st.floats(3.0, 60.0))
def test_no_policy_serves_more_in_all(
    street: Street,
    stations: tuple[StationSetup, ...],
    fleet_setup: FleetSetup,
    seed: int,
    limit_kw: float,
) -> None:
    fleet = draw_fleet(fleet_setup, DAY, seed, hours=12)
    visitors = replace(fleet, sessions=tuple(one for one in fleet.sessions if one.booking is None))
    small = squeezed(build(street, stations, visitors, hours=12), limit_kw)
    possible_kwh = sum(compute_possible(small).values())
    record = Replay(small, POLICIES[Baseline.EARLIEST_DEADLINE]).run()
    by_id = {one.id: one for one in visitors.sessions}
    served_kwh = sum(
        visitors.at_socket_kwh(by_id[one.session_id], one.left_kwh - one.arrived_kwh)
        for one in record.outcomes
        if one.ended
    )
    assert served_kwh <= possible_kwh + 1e-3


def test_a_short_stay_is_not_promised_its_whole_quarter(setup: StreetSetup) -> None:
    session = max((one for one in setup.fleet.sessions if one.booking is None), key=setup.fleet.need_kwh)
    hurried = replace(session, departure=session.arrival + timedelta(minutes=10))
    alone = replace(setup, fleet=replace(setup.fleet, sessions=(hurried,)))
    possible_kwh = compute_possible(alone)[hurried.id]
    assert 0.0 < possible_kwh <= 11.04 / 6.0 + 1e-6


def test_without_sessions_nothing_is_asked(setup: StreetSetup) -> None:
    assert compute_possible(replace(setup, fleet=replace(setup.fleet, sessions=()))) == {}


def test_every_phase_of_every_pole_is_limited(setup: StreetSetup) -> None:
    problem = build_problem(setup, list_candidates(setup))
    fuses = [group for group in problem.groups if group.id.startswith("fuse")]
    assert all(set(group.import_limit_kw or ()) == {25.0 * 0.23} for group in fuses)
    poles = {setup.places[one.row].connection_id for one in list_candidates(setup)}
    assert len(poles) < len(fuses) <= 3 * len(poles)


def test_a_solver_that_fails_is_told(setup: StreetSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> object:
        raise RuntimeError("no solver")

    monkeypatch.setattr("optimizer.search.search", broken)
    with pytest.raises(HindsightError, match="solver failed"):
        compute_possible(setup)
