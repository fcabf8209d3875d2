"""What a run was worth: energy and money from meters, alike for the planned run and for every baseline."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from grid.street import GridSide
from grid.tariffs.bill import Bill, SeparateConnection, compute_bill, compute_separate_bill
from grid.timegrid import QUARTER_HOURS

# A small connection of the Dutch low-voltage grid, on which homes and roofs hang: 3 x 25 A at 230 V.
SMALL_FUSE = "3x25A"
SMALL_FUSE_KW = 17.25

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Metered:
    """What the meters of a run registered, per quarter.

    Parameters
    ----------
    starts
        Starts of the quarters of the run (UTC).
    import_kwh, export_kwh
        The street's one connection to the market, shape (quarters,) [kWh].
    pv_kwh
        Generation of the street's own array [kWh].
    connection_import_kwh, connection_export_kwh
        The charging stations behind each connection, by its id [kWh].
    """

    starts: tuple[datetime, ...]
    import_kwh: FloatArray
    export_kwh: FloatArray
    pv_kwh: FloatArray
    connection_import_kwh: dict[str, FloatArray]
    connection_export_kwh: dict[str, FloatArray]

    @property
    def discharged_kwh(self) -> float:
        """Energy that stations gave back, at their meters [kWh]."""
        return float(sum(energy.sum() for energy in self.connection_export_kwh.values()))

    @property
    def peak_import_kw(self) -> float:
        """Highest quarter-hour mean of the street's import [kW]."""
        return float(self.import_kwh.max(initial=0.0) / QUARTER_HOURS)

    @property
    def pv_self_consumed_fraction(self) -> float | None:
        """Share of the generation that did not leave the street, None without generation."""
        generated_kwh = float(self.pv_kwh.sum())
        if generated_kwh <= 0.0:
            return None
        return 1.0 - float(np.minimum(self.pv_kwh, self.export_kwh).sum()) / generated_kwh

    def base_load_kwh(self) -> FloatArray:
        """Return what is left for the households: import less export, plus sun, less stations [kWh]."""
        stations = sum(self.connection_import_kwh.values(), np.zeros(len(self.starts)))
        stations = stations - sum(self.connection_export_kwh.values(), np.zeros(len(self.starts)))
        base: FloatArray = self.import_kwh - self.export_kwh + self.pv_kwh - stations
        # Meters are read a moment apart, so a quiet quarter can come out a few watt-hours below nothing.
        return np.maximum(base, 0.0)


@dataclass(frozen=True, slots=True)
class Terms:
    """What is not on a meter but belongs to the comparison, alike in all runs.

    Parameters
    ----------
    degradation_eur_per_kwh
        Wear per kWh discharged [EUR/kWh].
    shortfall_eur_per_kwh
        Price of energy that was short at departure, as the service derives it [EUR/kWh].
    shortfall_kwh
        Energy that was short at departure [kWh].
    stored_kwh
        Energy in the batteries that are connected at the end [kWh].
    """

    degradation_eur_per_kwh: float
    shortfall_eur_per_kwh: float
    shortfall_kwh: float
    stored_kwh: float


@dataclass(frozen=True, slots=True)
class Costs:
    """The two ways of counting.

    Parameters
    ----------
    shared_eur
        The street as one connection to the market.
    alone_eur
        Every connection billed alone; None when the street names no tariff for that.
    """

    shared_eur: float
    alone_eur: float | None


def compute_costs(metered: Metered, terms: Terms, grid: GridSide) -> Costs:
    """Compute what a run cost [EUR].

    Degradation of what was discharged and the price of what was short are added, and energy stored at the end
    is valued at the mean import price of the run.
    """
    other_eur = terms.shortfall_eur_per_kwh * terms.shortfall_kwh
    other_eur -= terms.stored_kwh * float(grid.prices.import_price_eur_per_kwh(metered.starts).mean())
    shared = compute_bill(
        metered.starts,
        metered.import_kwh,
        metered.export_kwh,
        grid.prices,
        grid.tariff,
        grid.realised_peak_kw,
        grid.contracted_kw,
    )
    alone = _bill_alone(metered, grid)
    return Costs(
        _total_eur(shared, metered, terms) + other_eur,
        None if alone is None else _total_eur(alone, metered, terms) + other_eur,
    )


def _total_eur(bill: Bill, metered: Metered, terms: Terms) -> float:
    return bill.with_degradation(metered.discharged_kwh, terms.degradation_eur_per_kwh).total_eur


def _bill_alone(metered: Metered, grid: GridSide) -> Bill | None:
    if grid.small_tariff is None:
        return None
    poles = [
        SeparateConnection(
            connection.id,
            connection.fuse,
            metered.connection_import_kwh[connection.id],
            metered.connection_export_kwh[connection.id],
        )
        for connection in grid.topology.connections
        if connection.id in metered.connection_import_kwh
    ]
    nothing = np.zeros(len(metered.starts))
    households = sum(node.households for node in grid.topology.nodes)
    homes = SeparateConnection("homes", SMALL_FUSE, metered.base_load_kwh(), nothing, count=households)
    roofs_count = math.ceil(grid.sun.array.peak_kw / SMALL_FUSE_KW)
    roofs = SeparateConnection("roofs", SMALL_FUSE, nothing, metered.pv_kwh, count=roofs_count)
    return compute_separate_bill(metered.starts, [*poles, homes, roofs], grid.prices, grid.small_tariff)
