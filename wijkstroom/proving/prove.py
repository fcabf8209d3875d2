"""One site-day with faults, from a seed: run it, judge it, say how to see it again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from csms.state.store import open_store
from wijkstroom.proving.faults import KINDS, Fault, Planned, draw_faults, let_happen
from wijkstroom.proving.judge import Violation, delivered_kwh, energy_cost_eur, list_violations
from wijkstroom.proving.reversion import measure_reversion_s
from wijkstroom.proving.site import HOURS, draw_site
from wijkstroom.proving.stand import Stand
from wijkstroom.proving.virtual import run_virtually
from wijkstroom.quirky import give_quirks


@dataclass(frozen=True, slots=True)
class Trial:
    """One site-day to be run.

    Parameters
    ----------
    seed
        Of street, day, people and faults.
    faults
        How many happen.
    kinds
        Classes of them.
    guarded
        Whether the guard is on.
    hours
        Length, from 06:00 local time on [h].
    planned
        Exactly these faults instead of drawn ones.
    quirks_from
        Which quirk the first station has, the next one the next (`wijkstroom.quirky`); None: none has any.
    """

    seed: int
    faults: int = 100
    kinds: tuple[type[Fault], ...] = KINDS
    guarded: bool = True
    hours: float = HOURS
    planned: tuple[Planned, ...] | None = None
    quirks_from: int | None = None

    @property
    def command(self) -> str:
        """How to see it again."""
        parts = [f"wijkstroom prove --seed {self.seed} --faults {self.faults} --hours {self.hours:g}"]
        if self.kinds != KINDS:
            parts += [f"--kind {kind.__name__}" for kind in self.kinds]
        if self.quirks_from is not None:
            parts.append(f"--quirks-from {self.quirks_from}")
        return " ".join(parts if self.guarded else [*parts, "--guard-off"])


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a site-day came to.

    Parameters
    ----------
    trial
        What was run.
    faults
        How many began.
    violations
        Limits that were not kept.
    uncontrollable_kwh
        Above limits with charging at zero [kWh].
    delivered_kwh, cost_eur
        What the cars got, and what the street's energy cost.
    stations, writes, plans
        Stations, profiles that were sent to them, plans that the last run of the service made.
    highest_charge_s, highest_discharge_s
        When the sockets drew most and least together [s after the begin].
    lowest_kw
        What they drew then, < 0 is given back [kW].
    reversions, lease_reversion_max_s
        How often a socket went back to its fallback because nobody renewed what it was told, and the longest
        that this took after the end of it [s].
    """

    trial: Trial
    faults: int
    violations: tuple[Violation, ...]
    uncontrollable_kwh: float
    delivered_kwh: float
    cost_eur: float
    stations: int
    writes: int
    plans: int
    highest_charge_s: int
    highest_discharge_s: int
    lowest_kw: float
    reversions: int
    lease_reversion_max_s: float


def run_trial(trial: Trial) -> Verdict:
    """Run a site-day on a virtual loop of its own.

    Parameters
    ----------
    trial
        What to run.
    """
    return run_virtually(_run(trial))


async def _run(trial: Trial) -> Verdict:
    site = draw_site(trial.seed, trial.hours)
    if trial.quirks_from is not None:
        site = replace(site, scene=give_quirks(site.scene, trial.quirks_from))
    ids = [setup.id for setup in site.scene.setups]
    planned = trial.planned
    if planned is None:
        planned = tuple(draw_faults(trial.kinds, ids, trial.faults, site.scene.seconds, trial.seed))
    store = open_store("sqlite://", inline=True)
    stand = Stand(site, store, guarded=trial.guarded)
    plans = 0
    try:
        async with stand.running():
            failing = asyncio.create_task(let_happen(planned, stand))
            record = await stand.street.run_to_end()
            plans = 0 if stand.loop is None else stand.loop.plans
            failing.cancel()
            await asyncio.gather(failing, return_exceptions=True)
    finally:
        await store.close()
    truth, street = stand.street.world.truth, site.scene.street
    total_kw = truth.power_kw.sum(axis=0)
    fallback_a = street.service.fallback_current_a
    reversion_s = measure_reversion_s(stand.told, truth, fallback_a, street.grid.voltage_v)
    return Verdict(
        trial,
        len(planned),
        list_violations(record),
        record.limits.uncontrollable_kwh,
        delivered_kwh(record),
        energy_cost_eur(site, record),
        len(ids),
        stand.writes,
        plans,
        int(total_kw.argmax()),
        int(total_kw.argmin()),
        float(total_kw.min()),
        len(reversion_s),
        max(reversion_s, default=0.0),
    )
