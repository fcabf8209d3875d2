"""One way to plan through all days of a run, and what came of it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from grid.timegrid import QUARTER_HOURS
from wijkstroom.rolling.policies import Orders, Policy
from wijkstroom.rolling.world import Guest, World

# Quarters from plan to plan.
HOUR = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    Parameters
    ----------
    energy_eur, wear_eur, peak_eur
        Import less export, wear of discharging, and peaks above those that the street file states [EUR].
    stored_eur
        Worth of what cars that are there in the end hold more than at arrival, at the mean price [EUR].
    charged_kwh, discharged_kwh
        At the sockets [kWh].
    shortfall_kwh
        Missing at departure, at the sockets, of the sessions that ended [kWh].
    limit_excess_kwh
        Over the limits of the nodes as far as cars cause it: what a guard would have had to shed [kWh].
    fuse_excess_kwh
        Over the fuses of the poles [kWh].
    sessions
        That ended.
    plans, cpu_s
        How many, and what of processor time they took, the problems included [s].
    """

    energy_eur: float
    wear_eur: float
    peak_eur: float
    stored_eur: float
    charged_kwh: float
    discharged_kwh: float
    shortfall_kwh: float
    limit_excess_kwh: float
    fuse_excess_kwh: float
    sessions: int
    plans: int
    cpu_s: float

    @property
    def cost_eur(self) -> float:
        """All of it [EUR]."""
        return self.energy_eur + self.wear_eur + self.peak_eur - self.stored_eur


class Run:
    """A policy on its way through a run.

    Parameters
    ----------
    world
        The street at the begin of the run.
    policy
        Asked every hour.
    """

    def __init__(self, world: World, policy: Policy) -> None:
        self._world, self._policy = world, policy
        self._quarter, self._plans, self._cpu_s = 0, 0, 0.0
        self._orders = Orders({}, ())
        self._waiting: list[Guest] = []

    def advance(self, quarters: int) -> Outcome:
        """Go on for so many quarters and return what everything until then came to."""
        for quarter in range(self._quarter, self._quarter + quarters):
            came = self._world.come_and_go(quarter)
            step = quarter % HOUR
            if step == 0:
                began_s = time.process_time()
                self._orders = self._policy.decide(quarter, HOUR)
                self._cpu_s += time.process_time() - began_s
                self._plans += 1
                came, self._waiting = [], []
            self._waiting += came
            self._world.carry_out(quarter, _follow(self._orders, step, self._waiting))
        self._quarter += quarters
        self._world.come_and_go(self._quarter)
        return _settle(self._world, self._quarter, self._plans, self._cpu_s)


def _follow(orders: Orders, step: int, waiting: list[Guest]) -> dict[str, float]:
    """Return what everybody is told in a quarter: the plan; who came since gets the least where it fits."""
    power_kw = {name: powers[step] for name, powers in orders.power_kw.items()}
    room_kw = orders.room_kw[step]
    for guest in waiting:
        least_kw = guest.stay.least_kw
        if guest.stay.id not in power_kw and least_kw <= room_kw:
            power_kw[guest.stay.id] = least_kw
            room_kw -= least_kw
    return power_kw


def _settle(world: World, quarters: int, plans: int, cpu_s: float) -> Outcome:
    month, run_of = world.month, slice(0, quarters)
    alone_kw = month.base_kw[run_of] - month.pv_kw[run_of]
    net_kw = alone_kw + world.cars_kw[run_of]
    import_price, export_price = (
        month.import_price_eur_per_kwh[run_of],
        month.export_price_eur_per_kwh[run_of],
    )
    energy_eur = float(np.maximum(net_kw, 0.0) @ import_price - np.maximum(-net_kw, 0.0) @ export_price)
    excess_kw = sum(
        np.maximum(0.0, sign * net_kw - limit[run_of]) - np.maximum(0.0, sign * alone_kw - limit[run_of])
        for sign, limit in ((1.0, month.import_limit_kw), (-1.0, month.export_limit_kw))
    )
    held_kwh = sum(guest.energy_kwh - guest.stay.session.start_energy_kwh for guest in world.guests.values())
    discharged_kwh = QUARTER_HOURS * float(world.discharged_kw.sum())
    peak_eur = sum(
        month.grid.tariff.band(band).peak_eur_per_kw_month
        * max(0.0, peak_kw - month.grid.realised_peak_kw.get(band, 0.0))
        for (_, band), peak_kw in world.peaks_kw.items()
        if band
    )
    return Outcome(
        energy_eur=QUARTER_HOURS * energy_eur,
        wear_eur=month.catalogue.service.degradation_eur_per_kwh * discharged_kwh,
        peak_eur=peak_eur,
        stored_eur=held_kwh * float(import_price.mean()),
        charged_kwh=QUARTER_HOURS * float((world.cars_kw + world.discharged_kw).sum()),
        discharged_kwh=discharged_kwh,
        shortfall_kwh=sum(world.shortfall_kwh.values()),
        limit_excess_kwh=QUARTER_HOURS * float(np.maximum(0.0, excess_kw).sum()),
        fuse_excess_kwh=QUARTER_HOURS * float(world.fuse_excess_kw.sum()),
        sessions=len(world.shortfall_kwh),
        plans=plans,
        cpu_s=cpu_s,
    )
