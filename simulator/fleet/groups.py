"""Who comes to the stations of a fleet file; each is drawn for itself: any number of workers agree. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

import numpy as np

from simulator.config import (
    BookingsTable,
    ClassShares,
    NoiseTable,
    SharedCarTable,
    SimulationConfig,
    VehicleShare,
)
from simulator.fleet.behaviour import HABITS, SEASON_SESSIONS, Telling, choose_telling, evening_prices
from simulator.fleet.file import Crew, FleetPlan
from simulator.fleet.joint import Draws, JointSampler, Place
from simulator.fleet.plugins import CLASSES, Circumstances, PlugIns, PlugInSampler, Sockets
from simulator.fleet.sessions import Declaration, InformationClass, Session
from simulator.fleet.setup import FleetSetup, SocketKey
from simulator.fleet.shared import draw_shared
from simulator.setup import Protocol, StationSetup

STREAM = 31
SHORTEST_STAY = timedelta(minutes=3)
TURNOVER = timedelta(minutes=2)
WEEKEND = 5
# Who declares does so within this time, and leaves so long after what was declared at the most [s].
LATEST_DECLARATION_S, LATEST_LEAVING_S = 300.0, 600.0
# Who opts out asks for this multiple of the time at full power: a battery that fills takes less.
TAPER_ALLOWANCE = 1.15


class FleetDraw:
    """Draws the sessions of a fleet, station by station and day by day.

    Parameters
    ----------
    plan
        The fleet.
    seed
        Of everything random.
    """

    def __init__(self, plan: FleetPlan, seed: int) -> None:
        self.plan, self.seed = plan, seed
        self._sampler = lru_cache(maxsize=None)(self._build_sampler)
        self._joint = {place: JointSampler(place, tables) for place, tables in plan.tables.items()}

    def sessions(self, stations: Sequence[StationSetup], days: Sequence[date]) -> list[Session]:
        """Draw everybody who comes to some stations on some consecutive local days, by arrival."""
        wanted = {station.id for station in stations}
        drawn: list[Session] = []
        for crew in self.plan.crews:
            for station in crew.stations:
                if station.id in wanted:
                    drawn += self._at_station(crew, station, days)
        return sorted(drawn, key=lambda session: (session.arrival, session.id))

    def _at_station(self, crew: Crew, station: StationSetup, days: Sequence[date]) -> Iterator[Session]:
        if crew.model is not None:
            yield from self._shared(crew, station, days)
            return
        free_from = dict.fromkeys((evse.id for evse in station.evses), datetime.min.replace(tzinfo=UTC))
        for day in days:
            rng = self._stream(station, day)
            for session in self._of_day(crew, station, day, rng):
                free = [evse_id for evse_id, instant in free_from.items() if instant <= session.arrival]
                if free:
                    evse_id = free[int(rng.integers(len(free)))]
                    free_from[evse_id] = session.departure + TURNOVER
                    yield replace(session, evse_id=evse_id)

    def _of_day(
        self, crew: Crew, station: StationSetup, day: date, rng: np.random.Generator
    ) -> Iterator[Session]:
        sockets = Sockets(station.max_current_a, station.phases, station.direct_current)
        sampler = self._sampler(Place(crew.group.place.value), sockets)
        weekend = day.weekday() >= WEEKEND
        mean = crew.group.sessions_per_socket_day * len(station.evses) * SEASON_SESSIONS[day.month - 1]
        share = sampler.joint.weekend_share
        # The mean is that of the week: its days differ as the data say.
        mean *= 7.0 * (share / 2.0 if weekend else (1.0 - share) / 5.0)
        count = int(rng.poisson(mean))
        if count:
            plug_ins = self._draw(sampler, count, day, rng)
            starts = rng.integers(0, 900, count)
            for row in np.lexsort((starts, plug_ins.quarter)):
                yield self._session(station, day, plug_ins, int(row), int(starts[row]), rng)

    def _draw(
        self,
        sampler: PlugInSampler,
        count: int,
        day: date,
        rng: np.random.Generator,
    ) -> PlugIns:
        weekend = day.weekday() >= WEEKEND
        part = sampler.joint.weekend_share if weekend else 1.0 - sampler.joint.weekend_share
        drawn = sampler.joint.draw(int((count + 4.0 * count**0.5 + 20.0) / max(part, 0.05)), rng)
        of_day = np.flatnonzero(drawn.weekend == weekend)[:count]
        kept = Draws(
            drawn.quarter[of_day], drawn.weekend[of_day], drawn.stay_h[of_day], drawn.energy_kwh[of_day]
        )
        head = self.plan.file.fleet
        prices = evening_prices(head.evening_price_ratio) if head.evening_price_ratio > 1.0 else None
        return sampler.dress(kept, rng, Circumstances(day.month, prices, head.leaves_when_full))

    def _session(
        self,
        station: StationSetup,
        day: date,
        plug_ins: PlugIns,
        row: int,
        second: int,
        rng: np.random.Generator,
    ) -> Session:
        quarter = int(plug_ins.quarter[row])
        local = datetime.combine(day, time(quarter // 4, quarter % 4 * 15), self.plan.tz)
        arrival = local.astimezone(UTC) + timedelta(seconds=second)
        stay = max(SHORTEST_STAY, timedelta(seconds=round(float(plug_ins.stay_h[row]) * 3600.0)))
        vehicle = self.plan.mix.files[int(plug_ins.car[row])]
        model = self.plan.mix.models[vehicle]
        speaks = model.reports_soc and station.protocol is not Protocol.V16
        reward = self.plan.file.fleet.steering_reward_eur_per_kwh
        habits = HABITS[CLASSES[int(plug_ins.driver[row])]]
        telling = choose_telling(habits, reward, rng, speaks=speaks)
        name = f"{station.id}-{arrival:%m%d%H%M%S}-{row}"
        session = Session(
            id=name,
            station_id=station.id,
            evse_id=0,
            token=f"SIM{zlib.crc32(name.encode()):08X}",
            vehicle=vehicle,
            arrival=arrival,
            departure=arrival + stay,
            information=telling.information,
            start_energy_kwh=float(plug_ins.start_kwh[row]),
            target_energy_kwh=float(plug_ins.target_kwh[row]),
            limit_fraction=float(plug_ins.target_kwh[row]) / model.capacity_kwh,
        )
        full_after_h = float(plug_ins.energy_kwh[row] / plug_ins.power_kw[row])
        return _told(session, telling, float(plug_ins.energy_kwh[row]), full_after_h, rng)

    def _shared(self, crew: Crew, station: StationSetup, days: Sequence[date]) -> list[Session]:
        """Draw the bookings of the shared cars of one station: one car a socket."""
        bookings, vehicle, model = self.plan.file.bookings, crew.group.vehicle, crew.model
        assert bookings is not None, "checked when the file was read"
        assert vehicle is not None, "as above"
        assert model is not None, "as above"
        numbers = [zlib.crc32(f"{station.id}/{evse.id}".encode()) for evse in station.evses]
        cars = tuple(
            SharedCarTable(token=f"CAR{number:08X}", station=station.id, evse=evse.id, file=vehicle)
            for number, evse in zip(numbers, station.evses, strict=True)
        )
        setup = FleetSetup(
            _shared_config(vehicle, bookings, cars),
            self.plan.tz,
            {vehicle: model},
            (),
            tuple(SocketKey(station.id, evse.id, True, station.max_current_a) for evse in station.evses),
            self._joint[Place.PUBLIC],
        )
        start = datetime.combine(days[0], time(), self.plan.tz).astimezone(UTC)
        # Every station its own stream, whatever its place in the file.
        return draw_shared(setup, start, days, self.seed + numbers[0])

    def _build_sampler(self, place: Place, sockets: Sockets) -> PlugInSampler:
        return PlugInSampler(self._joint[place], self.plan.mix, sockets)

    def _stream(self, station: StationSetup, day: date) -> np.random.Generator:
        return np.random.default_rng([self.seed, STREAM, day.toordinal(), zlib.crc32(station.id.encode())])


def _shared_config(
    vehicle: str, bookings: BookingsTable, cars: tuple[SharedCarTable, ...]
) -> SimulationConfig:
    return SimulationConfig(
        sessions_per_day=0.0,
        class_shares=ClassShares(none=1.0, driver=0.0, car=0.0),
        vehicles=(VehicleShare(file=vehicle, share=1.0),),
        noise=NoiseTable(
            base_load_deviations=0.0,
            base_load_correlation_minutes=1.0,
            pv_deviations=0.0,
            pv_correlation_minutes=1.0,
        ),
        bookings=bookings,
        shared_cars=cars,
    )


def _told(
    session: Session, telling: Telling, energy_kwh: float, full_after_h: float, rng: np.random.Generator
) -> Session:
    """Add to a session what its driver tells: the need, and when the car must be ready."""
    delay_s, early_s = rng.uniform(0.0, LATEST_DECLARATION_S), rng.uniform(0.0, LATEST_LEAVING_S)
    stay_s = (session.departure - session.arrival).total_seconds()
    at = session.arrival + timedelta(seconds=round(min(delay_s, stay_s / 4.0)))
    ready_by = None
    if telling.opted_out:
        soonest = at + timedelta(hours=TAPER_ALLOWANCE * full_after_h)
        ready_by = min(soonest.replace(microsecond=0), session.departure)
    if telling.information is not InformationClass.DRIVER:
        return replace(session, ready_by=ready_by)
    leaves = session.departure - timedelta(seconds=round(min(early_s, stay_s / 4.0)))
    return replace(session, ready_by=ready_by, declaration=Declaration(at, energy_kwh, ready_by or leaves))


def compress(sessions: Sequence[Session], start: datetime, begin: datetime, speed: float) -> list[Session]:
    """Let a fleet's day pass faster: when people come and go is divided, what cars and stations do is not.

    Parameters
    ----------
    sessions
        As drawn.
    start
        The instant of the fleet's own time at which the run begins; who is there then comes at once.
    begin
        When that is on the wall.
    speed
        Fleet seconds per second.
    """

    def move(instant: datetime) -> datetime:
        return begin + max(timedelta(), instant - start) / speed

    fast = [session.retimed(move) for session in sessions if session.departure > start]
    return [session for session in fast if session.departure > session.arrival]
