"""Limits inside the street: the fuses of connections, phase by phase, and what they may feed in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from csms.control.ledger import EvseKey
from csms.control.sessions import ConnectedCar
from csms.state.catalogue import Catalogue
from grid.topology import Connection
from grid.units import W_PER_KW
from optimizer.problem import Group

ALL_PHASES = (1, 2, 3)


def build_connection_groups(
    cars: Sequence[ConnectedCar],
    catalogue: Catalogue,
    fallback_current_a: float,
    unsteered_kw: Mapping[str, float] | None = None,
) -> tuple[Group, ...]:
    """Build the groups of all connections that planned sessions hang on.

    A car's current loads the conductors behind the phases that it uses; where the rotation is not known, a
    car that does not use all phases counts in full on every conductor. Every other socket of the connection
    may begin to draw the fallback current before the next plan: that is kept free on all conductors.

    Parameters
    ----------
    cars
        The sessions.
    catalogue
        Connections and sockets.
    fallback_current_a
        What a socket draws while it has no plan [A].
    unsteered_kw
        By session that is not planned, the most that it may draw; the fallback rate where that is more [kW].
    """
    unsteered_kw = unsteered_kw or {}
    planned: dict[str, list[ConnectedCar]] = defaultdict(list)
    for car in cars:
        if car.session.id not in unsteered_kw:
            planned[car.connection_id].append(car)
    reserved_a = _reserve(cars, catalogue, fallback_current_a, unsteered_kw)
    groups: list[Group] = []
    for name, members in planned.items():
        connection = catalogue.topology.connection(name)
        room_a = max(connection.fuse_current_a - reserved_a[name], 0.0)
        groups += _fuse_groups(connection, members, room_a, catalogue.topology.voltage_v)
        if any(car.allowed_discharge_kw > 0.0 for car in members):
            groups.append(_export_group(connection, members))
    return tuple(groups)


def phase_weights(car: ConnectedCar) -> tuple[float, float, float]:
    """Return the share of a car's power on each conductor of its connection [fraction]."""
    used = car.used_phases
    conductors = car.evse.phase_rotation.conductors
    weights = [0.0, 0.0, 0.0]
    for phase in ALL_PHASES:
        if conductors is None:
            weights[phase - 1] = 1.0 / len(used)
        elif phase in used:
            weights[conductors[phase - 1]] += 1.0 / len(used)
    return weights[0], weights[1], weights[2]


def _fuse_groups(
    connection: Connection, members: Sequence[ConnectedCar], room_a: float, voltage_v: float
) -> list[Group]:
    ids = tuple(car.session.id for car in members)
    kw_per_a = voltage_v / W_PER_KW
    fuse_kw = connection.fuse_current_a * kw_per_a
    if connection.fuse_phases == 1:
        return [_group(f"{connection.id} fuse", ids, room_a * kw_per_a, fuse_kw, dict.fromkeys(ids, 1.0))]
    weights = {car.session.id: phase_weights(car) for car in members}
    return [
        _group(
            f"{connection.id} L{conductor + 1}",
            ids,
            room_a * kw_per_a,
            fuse_kw,
            {name: each[conductor] for name, each in weights.items()},
        )
        for conductor in range(len(ALL_PHASES))
    ]


def _group(
    name: str, ids: tuple[str, ...], import_kw: float, export_kw: float, weights: Mapping[str, float]
) -> Group:
    return Group(
        id=name,
        members=ids,
        import_limit_kw=import_kw,
        export_limit_kw=export_kw,
        weights=dict(weights),
    )


def _export_group(connection: Connection, members: Sequence[ConnectedCar]) -> Group:
    limit_kw = connection.export_limit_kw if connection.feed_in_registered else 0.0
    ids = tuple(car.session.id for car in members)
    return Group(id=f"{connection.id} feed-in", members=ids, export_limit_kw=limit_kw)


def _reserve(
    cars: Sequence[ConnectedCar],
    catalogue: Catalogue,
    fallback_current_a: float,
    unsteered_kw: Mapping[str, float],
) -> dict[str, float]:
    """Return the current that is kept free on every conductor of each connection [A]."""
    by_socket = {
        EvseKey(station.id, evse.id): fallback_current_a
        for station in catalogue.stations.values()
        for evse in station.evses
    }
    voltage_v = catalogue.topology.voltage_v
    for car in cars:
        drawn_kw = unsteered_kw.get(car.session.id)
        drawn_a = None if drawn_kw is None else drawn_kw / car.kw_per_a(voltage_v)
        by_socket[car.key] = 0.0 if drawn_a is None else max(drawn_a, fallback_current_a)
    connection_of = {car.key: car.connection_id for car in cars}
    reserved_a: dict[str, float] = defaultdict(float)
    for key, each in by_socket.items():
        reserved_a[connection_of.get(key) or catalogue.station(key.station_id).connection] += each
    return reserved_a
