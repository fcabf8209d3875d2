"""The street of the comparison: a part of a real one, and everything that happens on it in some days.

A part has a share of the stations, and the same share of households, sun and limits of the nodes, so that it
is as tight as the whole. Times are rounded inwards: a car is there in the quarters that it is there whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from csms.state.catalogue import Catalogue
from grid.capacity.envelope import compute_envelope
from grid.street import GridSide
from grid.timegrid import QUARTER, TimeGrid
from grid.topology import Node
from simulator.fleet.sessions import Booking, Fleet, Session
from simulator.noise import draw_uncontrolled
from simulator.truth import SECONDS_PER_QUARTER
from simulator.vehicle.model import VehicleModel
from wijkstroom.scene import draw_scene
from wijkstroom.street import Street

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stay:
    """A session in quarters of the run.

    Parameters
    ----------
    session, model
        Who.
    arrival, departure
        First quarter with it, and first without; it may lie after the run.
    phases, max_kw, least_kw
        What its charger does at its socket [kW].
    need_kwh
        What it needs, at the socket [kWh].
    """

    session: Session
    model: VehicleModel
    arrival: int
    departure: int
    phases: int
    max_kw: float
    least_kw: float
    need_kwh: float

    @property
    def id(self) -> str:
        """The session's id."""
        return self.session.id

    @property
    def socket(self) -> tuple[str, int]:
        """Its station and EVSE."""
        return self.session.station_id, self.session.evse_id

    @property
    def efficiency(self) -> float:
        """Battery energy per energy at the socket at full power [fraction]."""
        return self.model.efficiency(self.max_kw)


@dataclass(frozen=True)
class Month:
    """Some days of a street, known in full.

    Parameters
    ----------
    street, grid, catalogue
        The part of it.
    start
        First quarter (UTC).
    stays
        Who comes, by arrival.
    bookings
        Of the shared cars, by announcement.
    base_kw, pv_kw
        Households and sun as they really are, shape (quarters,) [kW].
    import_price_eur_per_kwh, export_price_eur_per_kwh
        Of each quarter; the arrays are one horizon longer than the run.
    import_limit_kw, export_limit_kw
        Lowest limit of any node, with which the run is judged, as long [kW].
    periods
        Month and tariff band of each quarter of the run.
    quarters
        Length of the run.
    """

    street: Street
    grid: GridSide
    catalogue: Catalogue
    start: datetime
    stays: tuple[Stay, ...]
    bookings: tuple[Booking, ...]
    base_kw: Floats
    pv_kw: Floats
    import_price_eur_per_kwh: Floats
    export_price_eur_per_kwh: Floats
    import_limit_kw: Floats
    export_limit_kw: Floats
    periods: tuple[tuple[str, str], ...]
    quarters: int

    def at(self, quarter: int) -> datetime:
        """Return the start of a quarter (UTC)."""
        return self.start + quarter * QUARTER


def take_part(street: Street, every: int) -> Street:
    """Return every so-manieth station of a street with its share of households, sun and limits.

    Parameters
    ----------
    street
        The whole.
    every
        1 for all of it, 3 for a third.
    """
    if every == 1:
        return street
    share = 1.0 / every
    part = street.limited_to([one.id for one in street.stations[every - 1 :: every]])
    kept = {station.connection for station in part.stations}
    grid = part.grid
    nodes = tuple(_shrink(node, share) for node in grid.topology.nodes)
    connections = tuple(one for one in grid.topology.connections if one.id in kept)
    array = replace(grid.sun.array, peak_kw=grid.sun.array.peak_kw * share)
    simulation = part.simulation
    if simulation is not None:
        simulation = simulation.model_copy(update={"sessions_per_day": simulation.sessions_per_day * share})
    smaller = replace(
        grid,
        topology=replace(grid.topology, nodes=nodes, connections=connections),
        sun=replace(grid.sun, array=array),
        realised_peak_kw={name: peak * share for name, peak in grid.realised_peak_kw.items()},
        contracted_kw={name: power * share for name, power in grid.contracted_kw.items()},
    )
    return replace(part, grid=smaller, simulation=simulation)


def _shrink(node: Node, share: float) -> Node:
    limits = tuple(limit.model_copy(update={"value": limit.value * share}) for limit in node.limits)
    return replace(node, limits=limits, households=round(node.households * share))


def draw_month(street: Street, day: date, days: int, seed: int, horizon_h: float) -> Month:
    """Draw everything that happens in a run, and a horizon longer.

    Parameters
    ----------
    street
        A street with a table ``[simulation]``.
    day
        Local day on which the run begins, at 06:00.
    days
        Length of the run.
    seed
        The only source of randomness.
    horizon_h
        How far the last plan looks [h].
    """
    scene = draw_scene(street, day, 24.0 * days + horizon_h, seed)
    quarters = days * int(timedelta(days=1) / QUARTER)
    known = quarters + round(horizon_h * 4.0)
    starts = TimeGrid(scene.start, QUARTER, known).starts
    truth = draw_uncontrolled(
        scene.simulation.noise, street.grid, scene.start, known * SECONDS_PER_QUARTER, seed
    )
    topology = street.grid.topology
    # At power factor 1, as the truth of a run is judged.
    envelope = compute_envelope(topology, topology.root.id, starts, street.grid.tz, 1.0)
    catalogue = build_catalogue(street)
    return Month(
        street=street,
        grid=street.grid,
        catalogue=catalogue,
        start=scene.start,
        stays=tuple(list_stays(scene.fleet, catalogue, scene.start)),
        bookings=scene.fleet.bookings,
        base_kw=_means(truth.base_kw),
        pv_kw=_means(truth.pv_kw),
        import_price_eur_per_kwh=street.grid.prices.import_price_eur_per_kwh(starts),
        export_price_eur_per_kwh=street.grid.prices.export_price_eur_per_kwh(starts),
        import_limit_kw=envelope.import_limit_kw,
        export_limit_kw=envelope.export_limit_kw,
        periods=tuple(
            (f"{start.astimezone(street.grid.tz):%Y-%m}", band or "")
            for start, band in zip(
                starts[:quarters], street.grid.tariff.bands_of(starts[:quarters], street.grid.tz), strict=True
            )
        ),
        quarters=quarters,
    )


def draw_stays(street: Street, day: date, days: int, seed: int, horizon_h: float) -> tuple[Stay, ...]:
    """Draw who else might come in a run, as `draw_month` does."""
    scene = draw_scene(street, day, 24.0 * days + horizon_h, seed)
    return tuple(list_stays(scene.fleet, build_catalogue(street), scene.start))


def build_catalogue(street: Street) -> Catalogue:
    """Build what the service knows of a street."""
    stations = {each.id: each for each in street.stations}
    return Catalogue(stations, street.models, street.grid.topology, street.service)


def list_stays(fleet: Fleet, catalogue: Catalogue, start: datetime) -> list[Stay]:
    """Return the sessions of a fleet that are there for a whole quarter or more."""
    stays = []
    for session in fleet.sessions:
        model, station = fleet.model_of(session), catalogue.model_of(session.station_id)
        phases = min(model.phases, station.phases)
        arrival = -((start - session.arrival) // QUARTER)
        departure = (session.departure - start) // QUARTER
        if departure > arrival:
            most_a = min(model.max_current_a, station.max_current_a)
            max_kw, least_kw = (model.power_kw(amperes, phases) for amperes in (most_a, model.min_current_a))
            need_kwh = fleet.need_kwh(session)
            stays.append(Stay(session, model, arrival, departure, phases, max_kw, least_kw, need_kwh))
    return sorted(stays, key=lambda stay: (stay.arrival, stay.id))


def _means(series: NDArray[np.float32]) -> Floats:
    means = series.astype(np.float64).reshape(-1, SECONDS_PER_QUARTER).mean(axis=1)
    return np.asarray(means, dtype=np.float64)
