"""Every limit of the street is a bound of the guard, with who sets it and what it leaves for sockets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from csms.control.bounds import Surroundings, build_bounds
from csms.control.guard import Bound
from csms.control.headroom import build_headroom, find_free
from csms.control.ledger import EvseKey, Ledger
from csms.control.sessions import list_cars
from csms.state.station_state import StationState
from grid.street import GridSide
from grid.topology import Direction, Limit, LimitKind, LimitUnit, Topology
from tests.csms.control.street import NOW, Plugged, Street

FALLBACK_KW = 4.14
HARDWARE_KW = 11.04


def look(street: Street, free: frozenset[EvseKey] = frozenset()) -> Surroundings:
    cars = {car.key: car for car in list_cars(NOW, street.state(), street.catalogue, {}, {})}
    state = street.state()
    return Surroundings(
        NOW, street.catalogue, street.grid, state.signals, street.nowcast(NOW), None, cars, free
    )


def bound(bounds: tuple[Bound, ...], place: str, direction: Direction = Direction.IMPORT) -> Bound:
    return next(each for each in bounds if each.place == place and each.direction is direction)


def keys_of(street: Street) -> dict[EvseKey, float]:
    return {
        EvseKey(station.id, evse.id): HARDWARE_KW
        for station in street.catalogue.stations.values()
        for evse in station.evses
    }


def test_every_pole_has_a_bound_per_conductor_both_ways_and_one_for_feeding_in() -> None:
    bounds = build_bounds(look(Street()))
    for connection in Street().catalogue.topology.connections:
        for conductor in ("L1", "L2", "L3"):
            for direction in Direction:
                each = bound(bounds, f"{connection.id} {conductor}", direction)
                assert (each.room_kw == 25.0 * 0.23).all()
        assert (bound(bounds, connection.id, Direction.EXPORT).room_kw == connection.export_limit_kw).all()


def test_the_root_leaves_what_upper_base_load_and_lower_sun_leave() -> None:
    street = Street()
    around = look(street)
    each = bound(build_bounds(around), "lombok-transformer")
    load_kw = around.nowcast.base_load_kw.upper - around.nowcast.pv_kw.lower
    assert each.room_kw + load_kw == pytest.approx(np.minimum(each.room_kw + load_kw, 380.0))
    assert (each.room_kw + load_kw).min() == pytest.approx(110.0)


def test_free_sockets_are_reserved_for_on_every_conductor_of_their_pole() -> None:
    key = EvseKey("LMB-01", 2)
    each = bound(build_bounds(look(Street(), frozenset({key}))), "pole-01 L1")
    assert each.room_kw == pytest.approx(np.full(96, (25.0 - 6.0) * 0.23))


def test_a_root_limit_in_ampere_is_kept_on_each_conductor() -> None:
    street = Street((Plugged("LMB-01"),))
    root = street.grid.topology.root
    limit = Limit(
        value=160.0, unit=LimitUnit.A, direction=Direction.IMPORT, kind=LimitKind.CABLE, source="cable"
    )
    topology = Topology((replace(root, limits=(limit,)),), street.grid.topology.connections)
    grid: GridSide = replace(street.grid, topology=topology)
    around = look(replace(street, grid=grid))
    each = bound(build_bounds(around), "lombok-transformer L2")
    load_kw = (around.nowcast.base_load_kw.upper - around.nowcast.pv_kw.lower) / 3
    assert each.room_kw == pytest.approx(160.0 * 0.23 - load_kw)
    assert each.weights[EvseKey("LMB-01", 1)] == pytest.approx(1 / 3)


def test_who_answers_and_is_guarded_is_free_and_who_is_silent_counts() -> None:
    street, key = Street(), EvseKey("LMB-01", 1)
    keys = keys_of(street)
    ledger = Ledger(keys)
    heard = StationState("LMB-01", connected=True, booted_at=NOW)
    state = replace(street.state(), stations={"LMB-01": heard})
    assert key not in find_free(state, keys, ledger)
    ledger.guard(key, FALLBACK_KW)
    assert key in find_free(state, keys, ledger)
    silent = replace(state, stations={"LMB-01": replace(heard, connected=False)})
    assert key not in find_free(silent, keys, ledger)
    assert EvseKey("LMB-02", 1) in find_free(silent, keys, ledger), "never heard of: not there yet"


def test_who_ignores_limits_counts_with_what_it_can_draw() -> None:
    street = Street((Plugged("LMB-01"),))
    keys = keys_of(street)
    ledger, key = Ledger(keys), EvseKey("LMB-01", 1)
    ledger.guard(key, FALLBACK_KW)
    free = frozenset(keys) - {key}
    obeying = build_headroom(look(street, free), keys, ledger)
    ignoring = build_headroom(look(street, free), keys, ledger, {key})
    assert obeying.worst[key].import_kw[0] == FALLBACK_KW
    assert ignoring.worst[key].import_kw[0] == HARDWARE_KW
    assert obeying.excesses(2) == ignoring.excesses(2) == ()
