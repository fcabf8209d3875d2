"""What the service knows at an hour of a run, and the problem that its own code makes of that."""

from __future__ import annotations

from datetime import timedelta

from csms.control.ledger import EvseKey
from csms.control.nowcast import compute_nowcast
from csms.control.observed import AGREEING_SAMPLES, CarLimits
from csms.control.sessions import SUSPENDED_BY_CAR
from csms.control.snapshot import History, PlanningCase, build_problem, plan_grid
from csms.ocpp.vocabulary import ChargingNeeds, ConnectorStatus
from csms.settings import MeterRole
from csms.state.events import BookingMade, SessionDeclared
from csms.state.permission import discharge_permission
from csms.state.station_state import EvseState, MeterState, SessionState, StationState, StreetState
from simulator.fleet.sessions import InformationClass
from wijkstroom.rolling.month import Month
from wijkstroom.rolling.world import Guest, World

# A booking is forgotten so long after its end.
MEMORY = timedelta(days=1)


class Service:
    """Builds the service's problem of a run at any quarter; it remembers what the service remembers.

    Parameters
    ----------
    world
        The run. Nothing is read of it that stations, drivers and meters do not tell.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._history = History()

    def build_case(self, quarter: int) -> PlanningCase:
        """Build the problem at the start of a quarter."""
        world, month = self._world, self._world.month
        now, state = month.at(quarter), _describe(world, quarter)
        service, sessions = month.catalogue.service, list(world.guests.values())
        steps = plan_grid(now, service.horizon_h)
        nowcast = compute_nowcast(now, steps.starts, month.grid, service.meters, state.meters, [], {})
        period = f"{now.astimezone(month.grid.tz):%Y-%m}"
        history = History(
            limits={guest.stay.id: _observed(guest) for guest in sessions},
            fairness=self._history.fairness,
            realised_peak_kw={band: peak for (name, band), peak in world.peaks_kw.items() if name == period},
        )
        allowed_kw = {
            EvseKey(*guest.stay.socket): discharge_permission(
                month.catalogue, state, *guest.stay.socket
            ).export_limit_kw
            for guest in sessions
        }
        case = build_problem(
            now, state, month.catalogue, month.grid, nowcast, history, allowed_discharge_kw=allowed_kw
        )
        self._history = History(fairness=case.fairness)
        return case


def _describe(world: World, quarter: int) -> StreetState:
    """Return the street as events would have told it."""
    month, now = world.month, world.month.at(quarter)
    stations = {name: StationState(name, connected=True) for name in month.catalogue.stations}
    for guest in world.guests.values():
        name, evse_id = guest.stay.socket
        stations[name].evses[evse_id] = EvseState(
            evse_id, ConnectorStatus.OCCUPIED, _describe_session(month, guest, quarter)
        )
    bookings = {
        one.id: BookingMade(one.id, one.token, one.start, one.end, one.energy_kwh, one.announced_at)
        for one in month.bookings
        if one.announced_at <= now < one.end + MEMORY
    }
    meters = {}
    if quarter > 0:
        sun_kw = float(month.pv_kw[quarter - 1])
        node_kw = float(month.base_kw[quarter - 1]) - sun_kw
        for meter in month.catalogue.service.meters:
            # What cars draw is known in a run, so the meter of the node is read without them.
            power_kw = -sun_kw if meter.role is MeterRole.PV else node_kw
            meters[meter.id] = MeterState(meter.id, now, power_kw, 0.0, 0.0)
    return StreetState(stations, bookings, meters)


def _describe_session(month: Month, guest: Guest, quarter: int) -> SessionState:
    stay, session, now = guest.stay, guest.stay.session, month.at(quarter)
    declaration = needs = None
    if session.declaration is not None:
        told = session.declaration
        declaration = SessionDeclared(stay.id, told.at, told.departure, told.energy_kwh)
    if session.information is InformationClass.CAR:
        needs = ChargingNeeds(
            session.evse_id,
            "AC_three_phase" if stay.phases > 1 else "AC_single_phase",
            departure=session.departure,
            energy_kwh=stay.need_kwh,
            phases=stay.phases,
        )
    return SessionState(
        id=stay.id,
        transaction_id=stay.id,
        token=session.token,
        started_at=month.at(stay.arrival),
        imported_kwh=guest.imported_kwh,
        exported_kwh=guest.exported_kwh,
        power_kw=guest.power_kw,
        soc_fraction=_soc(guest),
        sampled_at=now,
        charging_state=SUSPENDED_BY_CAR if guest.is_full else "Charging",
        needs=needs,
        declaration=declaration,
    )


def _soc(guest: Guest) -> float | None:
    """Return the state of charge of a shared car, which its owner's system tells."""
    if guest.stay.session.information is not InformationClass.BOOKING:
        return None
    return guest.energy_kwh / guest.stay.model.capacity_kwh


def _observed(guest: Guest) -> CarLimits:
    phases = frozenset(range(1, guest.stay.phases + 1)) if guest.imported_kwh > 0.0 else frozenset()
    return CarLimits(used_phases=phases, idle_count=AGREEING_SAMPLES if guest.is_full else 0)
