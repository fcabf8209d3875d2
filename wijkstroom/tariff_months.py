"""A month of a street under each tariff: what it costs uncontrolled, planned, and planned with discharge.

The street is planned hour by hour by the service's own problem (`wijkstroom.rolling`), once for every set of
prices that plans can see, and settled by the tariff's own rules. All amounts exclude VAT.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grid.meterfile import MeterSeries
from grid.street import GridSide
from grid.tariffs.bill import SeparateConnection, compute_separate_bill
from grid.tariffs.contract import CustomerKind, EnergyTax, GridContract, TaxTier
from grid.tariffs.settlement import Section, settle
from grid.timegrid import QUARTER, QUARTER_HOURS, QUARTERS_PER_DAY
from wijkstroom.accounts import SMALL_FUSE, SMALL_FUSE_KW
from wijkstroom.rolling.month import draw_month
from wijkstroom.rolling.policies import Deterministic, Policy, Uncontrolled
from wijkstroom.rolling.run import Run
from wijkstroom.rolling.world import World
from wijkstroom.street import Street
from wijkstroom.tariff_cases import Case, Control, list_cases, list_quarters, street_under

Floats = NDArray[np.float64]
# The code of nobody's connection: a settlement wants one.
_EAN18 = "871694600000010901"


@dataclass(frozen=True)
class Flows:
    """What the meters of a month counted, quarter by quarter.

    Parameters
    ----------
    base_kwh, pv_kwh, charged_kwh, discharged_kwh
        Households, sun, into and out of cars [kWh].
    shortfall_kwh
        Missing at the departures of the month, at the sockets [kWh].
    """

    base_kwh: Floats
    pv_kwh: Floats
    charged_kwh: Floats
    discharged_kwh: Floats
    shortfall_kwh: float

    @property
    def import_kwh(self) -> Floats:
        """From the grid into the street as one connection [kWh]."""
        return np.maximum(self._net_kwh, 0.0)

    @property
    def export_kwh(self) -> Floats:
        """From the street as one connection into the grid [kWh]."""
        return np.maximum(-self._net_kwh, 0.0)

    @property
    def _net_kwh(self) -> Floats:
        # To the watt-hour, as meters count.
        return np.round(self.base_kwh - self.pv_kwh + self.charged_kwh - self.discharged_kwh, 3)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a month cost, without VAT.

    Parameters
    ----------
    total_eur
        All of it [EUR].
    energy_eur, network_eur, reward_eur, tax_eur, wear_eur
        Day-ahead energy, network charges, rewards (< 0: received), energy tax, wear of discharging [EUR].
    peak_kw
        Highest quarter-hour mean of import [kW].
    charged_kwh, discharged_kwh, shortfall_kwh
        Into cars, out of cars, and missing at departure [kWh].
    """

    total_eur: float
    energy_eur: float
    network_eur: float
    reward_eur: float
    tax_eur: float
    wear_eur: float
    peak_kw: float
    charged_kwh: float
    discharged_kwh: float
    shortfall_kwh: float


def compare_tariffs(
    street: Street, first: date, days: int, seed: int, tell: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Return a row per tariff with what the days cost under each way of control.

    Parameters
    ----------
    street
        A street with a table ``[simulation]``.
    first, days
        The local days that are billed; the run begins at 06:00 of the day before.
    seed
        The only source of randomness.
    tell
        Told what is begun.
    """
    flows: dict[tuple[str, Control], Flows] = {}
    rows = []
    for case in list_cases():
        row: dict[str, Any] = {"tariff": case.name, "status": case.sheet.status.value}
        for control in Control:
            key = (case.terms if control is not Control.UNCONTROLLED else "", control)
            if key not in flows:
                tell(f"{case.name}: {control}")
                under = street_under(street, case, control, first, days)
                flows[key] = run_days(under, control, first, days, seed)
            without = flows["", Control.UNCONTROLLED]
            row[control.value] = asdict(settle_days(street, case, flows[key], without, first))
        rows.append(row)
    return rows


def run_days(street: Street, control: Control, first: date, days: int, seed: int) -> Flows:
    """Run a street for some days and return what its meters counted; parameters as in `compare_tariffs`."""
    month = draw_month(street, first - timedelta(days=1), days + 1, seed, street.service.horizon_h)
    world = World(month)
    policy: Policy = Uncontrolled(world) if control is Control.UNCONTROLLED else Deterministic(world)
    Run(world, policy).advance(month.quarters)
    starts = list_quarters(street.grid, first, days)
    begin = (starts[0] - month.start) // QUARTER
    billed = slice(begin, begin + len(starts))
    left = [stay.id for stay in month.stays if begin < stay.departure <= begin + len(starts)]
    return Flows(
        base_kwh=QUARTER_HOURS * month.base_kw[billed],
        pv_kwh=QUARTER_HOURS * month.pv_kw[billed],
        charged_kwh=QUARTER_HOURS * (world.cars_kw + world.discharged_kw)[billed],
        discharged_kwh=QUARTER_HOURS * world.discharged_kw[billed],
        shortfall_kwh=sum(world.shortfall_kwh[name] for name in left),
    )


def settle_days(street: Street, case: Case, flows: Flows, without: Flows, first: date) -> Cost:
    """Settle what the meters counted.

    Parameters
    ----------
    street, case
        Whose bill, under which tariff.
    flows, without
        What was counted, and what was without control: rewards are paid against it.
    first
        The first day.
    """
    days = round(len(flows.base_kwh) / QUARTERS_PER_DAY)
    starts = list_quarters(street.grid, first, days)
    parts = (
        _settle_alone(street.grid, case, flows, starts)
        if case.variant is None
        else _settle_together(street.grid, case, flows, without, starts)
    )
    wear_eur = street.service.degradation_eur_per_kwh * float(flows.discharged_kwh.sum())
    return Cost(
        total_eur=sum(parts.values()) + wear_eur,
        **parts,
        wear_eur=wear_eur,
        peak_kw=float(flows.import_kwh.max()) / QUARTER_HOURS,
        charged_kwh=float(flows.charged_kwh.sum()),
        discharged_kwh=float(flows.discharged_kwh.sum()),
        shortfall_kwh=flows.shortfall_kwh,
    )


def _settle_together(
    grid: GridSide, case: Case, flows: Flows, without: Flows, starts: tuple[datetime, ...]
) -> dict[str, float]:
    """Settle the street as one connection, with its contracted capacity in every band that prices it."""
    capacity_kw = max(grid.contracted_kw.values(), default=0.0)
    priced = [band.name for band in case.tariff.bands if band.contract_eur_per_kw_year]
    contract = GridContract(
        ean18=_EAN18,
        connection_kind=CustomerKind.LARGE,
        tariff_variant=case.variant,
        valid_from=date.min,
        capacity_kw=dict.fromkeys(priced, capacity_kw),
        energy_tax=EnergyTax(tiers=(TaxTier(eur_per_kwh=grid.prices.energy_tax_eur_per_kwh),)),
    )
    meter = MeterSeries(starts, flows.import_kwh, flows.export_kwh, without.import_kwh)
    bill = settle(meter, case.sheet, contract, grid.tz)
    day_ahead = grid.prices.day_ahead_eur_per_kwh(starts)
    sold = day_ahead - grid.prices.export_fee_eur_per_kwh
    return {
        "energy_eur": float(flows.import_kwh @ day_ahead - flows.export_kwh @ sold),
        "network_eur": float(bill.sum_eur(Section.NETWORK)),
        "reward_eur": float(bill.sum_eur(Section.REWARD)),
        "tax_eur": float(bill.sum_eur(Section.TAX)),
    }


def _settle_alone(grid: GridSide, case: Case, flows: Flows, starts: tuple[datetime, ...]) -> dict[str, float]:
    """Settle homes, roofs and poles one by one, each with a small connection; the sun is shared by nobody."""
    tariff = case.sheet.small_tariff()
    assert tariff is not None, "cases without a variant have one"
    nothing = np.zeros(len(starts))
    homes = sum(node.households for node in grid.topology.nodes)
    roofs = -int(-grid.sun.array.peak_kw // SMALL_FUSE_KW)
    poles = len(grid.topology.connections)
    connections = [
        SeparateConnection("homes", SMALL_FUSE, flows.base_kwh, nothing, homes),
        SeparateConnection("roofs", SMALL_FUSE, nothing, flows.pv_kwh, roofs),
        SeparateConnection("poles", SMALL_FUSE, flows.charged_kwh, flows.discharged_kwh, poles),
    ]
    bill = compute_separate_bill(starts, connections, grid.prices, tariff)
    tax_eur = grid.prices.energy_tax_eur_per_kwh * float((flows.base_kwh + flows.charged_kwh).sum())
    return {
        "energy_eur": bill.energy_eur - tax_eur,
        "network_eur": bill.fixed_eur,
        "reward_eur": 0.0,
        "tax_eur": tax_eur,
    }
