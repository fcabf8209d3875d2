"""What a run was worth and whether it kept its limits, by the simulator's one-second truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grid.topology import Averaging
from simulator.result import RunRecord
from simulator.truth import Excess
from wijkstroom.proving.site import Site

# Below this an excess is a car's tenth of an ampere or a meter's watt, for some seconds [kWh].
TOLERANCE_KWH = 0.005


@dataclass(frozen=True, slots=True)
class Violation:
    """A limit that was not kept.

    Parameters
    ----------
    place, source
        Which.
    exceeded_kwh
        How far [kWh].
    any_second
        Whether it had to be kept in every second.
    """

    place: str
    source: str
    exceeded_kwh: float
    any_second: bool


def list_violations(record: RunRecord) -> tuple[Violation, ...]:
    """Return the limits that a run did not keep; what the households alone exceed is not counted.

    Parameters
    ----------
    record
        The finished run.
    """
    return tuple(_as_violation(one) for one in record.limits.excesses if one.exceeded_kwh > TOLERANCE_KWH)


def _as_violation(excess: Excess) -> Violation:
    any_second = excess.limit.averaging is Averaging.ANY_SECOND
    return Violation(excess.owner, excess.limit.source, excess.exceeded_kwh, any_second)


def delivered_kwh(record: RunRecord) -> float:
    """Return what the cars' meters counted, less what was taken back [kWh]."""
    return float(sum(one.import_kwh - one.export_kwh for one in record.outcomes))


def energy_cost_eur(site: Site, record: RunRecord) -> float:
    """Return what the street paid for its energy at the day's prices [EUR]."""
    prices = site.scene.street.grid.prices
    starts, now = record.meters.starts, site.scene.end
    bought = np.asarray(prices.import_price_eur_per_kwh(starts, now)) * record.meters.import_kwh
    sold = np.asarray(prices.export_price_eur_per_kwh(starts, now)) * record.meters.export_kwh
    return float(bought.sum() - sold.sum())
