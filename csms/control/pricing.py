"""What drivers pay: quotes from plan and tariff, a price for every session, and the idle clock at work."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from csms.control.ledger import EvseKey, Ledger
from csms.control.sessions import ConnectedCar, list_cars
from csms.state.driver_rows import IdleNotice, SessionPrice, read_account, record_idle, record_price
from csms.state.errors import ConflictError, NotFoundError, RejectedError
from csms.state.permission import discharge_permission
from csms.state.records import Declaration
from csms.state.service import StateService
from csms.state.station_state import SessionState
from grid.capacity.envelope import compute_envelope
from grid.clock import Clock
from grid.errors import WijkstroomError
from grid.street import GridSide
from grid.tariffs.driver import Choice, DriverPricing, Quote, build_quote
from grid.tariffs.idle import NOTHING_KW, IdleClock, Observation, observe, runs_from
from grid.timegrid import QUARTER, floor_quarter

logger = logging.getLogger(__name__)

TICK_S: Final = 60.0
# A sample that is older says nothing of what a car draws now.
_FRESH: Final = timedelta(minutes=15)


class PriceDesk:
    """Quotes, prices and idle fees.

    Parameters
    ----------
    service
        Sessions, and the rows of what they cost.
    grid
        Prices and limits.
    clock
        The street's time.
    ledger
        What every socket is offered.
    planned_net_kw
        What the latest plan draws for the street at an instant, None outside of it [kW].
    """

    def __init__(
        self,
        service: StateService,
        grid: GridSide,
        clock: Clock,
        ledger: Ledger,
        planned_net_kw: Callable[[datetime], float | None],
    ) -> None:
        self._service, self._grid, self._clock, self._ledger = service, grid, clock, ledger
        self._planned_net_kw = planned_net_kw
        self._clocks: dict[str, IdleClock] = {}
        self._priced: set[str] = set()
        self.pricing: DriverPricing | None = service.catalogue.service.pricing

    def quote(
        self, station_id: str, energy_kwh: float | None = None, until: datetime | None = None
    ) -> Quote | None:
        """Return what each choice costs now at a station, None where nothing is priced or no price is known.

        Parameters
        ----------
        station_id
            Where.
        energy_kwh, until
            What is needed, by when; what is usual where nobody says.
        """
        pricing = self.pricing
        if pricing is None:
            return None
        now = self._clock.now()
        start = floor_quarter(now)
        stay = timedelta(hours=pricing.quoted_stay_h) if until is None else until - start
        starts = [start + step * QUARTER for step in range(max(round(stay / QUARTER), 1))]
        try:
            costs = self._grid.prices.import_price_eur_per_kwh(starts, known_at=now)
        except WijkstroomError:
            return None
        model = self._service.catalogue.model_of(station_id)
        socket_kw = model.max_current_a * model.phases * self._grid.voltage_v / 1000
        return build_quote(
            pricing,
            [float(cost) for cost in costs],
            self._room_kw(starts, now),
            socket_kw,
            pricing.quoted_energy_kwh if energy_kwh is None else energy_kwh,
        )

    async def choose(
        self, session_id: str, choice: Choice, energy_kwh: float | None, departure: datetime | None
    ) -> SessionPrice:
        """Agree with a driver on a price, and plan accordingly.

        Raises
        ------
        NotFoundError
            When no such session runs, or nothing is priced.
        ConflictError
            When it is too late to choose, or the choice does not fit.
        RejectedError
            When what is needed is not said.
        """
        found = self._service.state.find_session(session_id)
        if found is None or self.pricing is None:
            raise NotFoundError(f"there is no running session {session_id!r} with a price")
        station_id, _, session = found
        now = self._clock.now()
        if now > session.started_at + timedelta(minutes=self.pricing.choice_minutes):
            message = f"could be chosen within {self.pricing.choice_minutes:g} minutes of the start"
            raise ConflictError("choice", message)
        if choice is not Choice.SHARE and energy_kwh is None:
            raise RejectedError("energy_kwh", f"is needed for {choice.value}: say how much the car needs")
        if choice is Choice.LATER and departure is None:
            raise RejectedError("departure", "is needed for later: say when the car leaves")
        quote = self.quote(station_id, energy_kwh, departure)
        if quote is None or choice not in quote.eur_per_kwh:
            offered = ", ".join(quote.eur_per_kwh) if quote and quote.eur_per_kwh else "nothing"
            raise ConflictError("choice", f"{choice.value} does not fit now: on offer is {offered}")
        price = SessionPrice(choice, quote.eur_per_kwh[choice], now)
        if energy_kwh is not None:
            leaves = self._leave_fast(station_id, energy_kwh) if choice is Choice.FAST else departure
            if leaves is not None:
                await self._service.declare(session_id, Declaration(leaves, energy_kwh=energy_kwh))
        work = partial(record_price, session_id=session_id, price=price, replace=True)
        await self._service.store.write(work)
        self._priced.add(session_id)
        return price

    async def run(self) -> None:
        """Give every session a price and watch those that idle, until cancelled."""
        if self.pricing is None:
            return
        while True:
            await self.look()
            await self._clock.sleep(TICK_S)

    async def look(self) -> None:
        """Look at every running session once."""
        service, now = self._service, self._clock.now()
        cars = list_cars(now, service.state, service.catalogue, {}, {})
        running = {car.session.id for car in cars}
        self._clocks = {name: clock for name, clock in self._clocks.items() if name in running}
        self._priced &= running
        for car in cars:
            if car.session.id not in self._priced:
                await self._give_price(car, now)
            await self._watch(car, now)

    async def _give_price(self, car: ConnectedCar, now: datetime) -> None:
        """Agree on sharing, unless something was agreed before."""
        quote = self.quote(car.key.station_id)
        if quote is None or Choice.SHARE not in quote.eur_per_kwh:
            return
        price = SessionPrice(Choice.SHARE, quote.eur_per_kwh[Choice.SHARE], now)
        work = partial(record_price, session_id=car.session.id, price=price, replace=False)
        await self._service.store.write(work)
        self._priced.add(car.session.id)

    async def _watch(self, car: ConnectedCar, now: datetime) -> None:
        fee = None if self.pricing is None else self.pricing.idle_fee
        name = car.session.id
        before = self._clocks.get(name)
        if fee is None or (before is None and car.session.power_kw >= NOTHING_KW):
            return
        if before is None:
            account = await self._service.store.read(partial(read_account, session_id=name))
            before = IdleClock(counted={each.day: each.ran for each in account.idle})
        after = observe(before, self._see(car, before.at or now, now), fee, self._grid.tz)
        self._clocks[name] = after
        announced = after.announced_at is not None and after.announced_at != before.announced_at
        if not announced and after.counted == before.counted:
            return
        notice = None
        if announced and after.announced_at is not None:
            notice = IdleNotice(after.announced_at, runs_from(after.announced_at, fee))
            logger.info("session %s idles: its fee runs from %s", name, notice.runs_from.isoformat())
        amounts = after.fee_eur(fee)
        days = {day: (ran, amounts[day]) for day, ran in after.counted.items()}
        await self._service.store.write(partial(record_idle, session_id=name, notice=notice, days=days))

    def _see(self, car: ConnectedCar, since: datetime, now: datetime) -> Observation:
        """Return what is known of a session's idling now."""
        offered = self._offer(car.key, car.session.id, since, now)
        permission = discharge_permission(self._service.catalogue, self._service.state, *car.key)
        return Observation(
            at=now,
            offered_kw=None if offered is None else offered[1],
            offered_since=now if offered is None else offered[0],
            minimum_kw=car.model.min_current_a * car.kw_per_a(self._grid.voltage_v),
            drawn_kw=self._drawn_kw(car, now),
            two_way=permission.allowed,
            stay_until=_stay_until(car.session, None if car.booking is None else car.booking.start),
        )

    def _offer(
        self, key: EvseKey, session_id: str, since: datetime, now: datetime
    ) -> tuple[datetime, float] | None:
        """Return the least that a session surely is offered, and since when; None when nobody knows."""
        order = self._ledger.confirmed(key)
        if order is not None and order.session_id == session_id:
            return order.at, min(order.curve.between(max(since, order.at), now + _INSTANT))
        if self._ledger.has_orders(key):
            return None
        fallback_kw = self._ledger.fallback_kw(key)
        return None if fallback_kw is None else (since, fallback_kw)

    def _drawn_kw(self, car: ConnectedCar, now: datetime) -> float | None:
        station = self._service.state.stations.get(car.key.station_id)
        sampled_at = car.session.sampled_at
        if station is None or not station.connected or sampled_at is None or now - sampled_at > _FRESH:
            return None
        return car.session.power_kw

    def _room_kw(self, starts: list[datetime], now: datetime) -> list[float]:
        """Return what the latest plan leaves of the street's limit in each quarter [kW]."""
        envelope = compute_envelope(
            self._grid.topology,
            self._grid.topology.root.id,
            starts,
            self._grid.tz,
            self._service.catalogue.service.power_factor,
            signals=self._service.state.signals,
            known_at=now,
        )
        planned = [self._planned_net_kw(start) or 0.0 for start in starts]
        return [float(limit) - net for limit, net in zip(envelope.import_limit_kw, planned, strict=True)]

    def _leave_fast(self, station_id: str, energy_kwh: float) -> datetime:
        """Return by when a car has its energy that charges at once, with a quarter to spare."""
        model = self._service.catalogue.model_of(station_id)
        socket_kw = model.max_current_a * model.phases * self._grid.voltage_v / 1000
        return self._clock.now() + timedelta(hours=energy_kwh / socket_kw) + QUARTER


_INSTANT = timedelta(microseconds=1)


def _stay_until(session: SessionState, booked: datetime | None) -> datetime | None:
    """Return until when the driver, the car or a booking says that it stays."""
    said = (
        None if session.declaration is None else session.declaration.departure,
        None if session.needs is None else session.needs.departure,
        booked,
    )
    return max((one for one in said if one is not None), default=None)
