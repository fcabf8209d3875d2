"""The tariffs that a street is compared under, and the street as plans see it under each."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

import numpy as np

from grid.street import GridSide
from grid.tariffs.energy import PriceBook
from grid.tariffs.network import NetworkTariff, TariffBand, TariffSheet, load_sheet
from grid.timegrid import QUARTER, TimeGrid, local_midnight
from simulator.noise import SECONDS_PER_QUARTER, forecast_street
from wijkstroom.resources import configs_directory
from wijkstroom.street import Street

# Variants that hold for large connections of other kinds than a street at its transformer has.
OTHER_CONNECTIONS = frozenset({"ms"})
# How far from its bound a plan may stop [fraction], or after how long [s]. Missing energy dominates what a
# plan costs: at a gap of 0.02 the money drowned in it, and discharge cost more than it earned.
PLAN_GAP, PLAN_BUDGET_S = 0.001, 3.0
# Prices that differ by less make the same plans, as good as [fraction].
SAME_PRICE = 0.25
# What plans do not see of a band.
_UNSEEN = frozenset({"contract_eur_per_kw_year"})


class Control(StrEnum):
    """How the cars are charged."""

    UNCONTROLLED = "uncontrolled"
    SMART = "smart"
    V2G = "V2G"


@dataclass(frozen=True, slots=True)
class Case:
    """A tariff that is looked at.

    Parameters
    ----------
    sheet
        Its sheet.
    variant
        One of its variants; None: every connection alone, by its fuse.
    """

    sheet: TariffSheet
    variant: str | None

    @property
    def name(self) -> str:
        """Sheet and variant."""
        return f"{self.sheet.name}, {self.variant or 'every connection alone'}"

    @property
    def tariff(self) -> NetworkTariff:
        """What plans see; a small connection pays nothing per kWh and for no peak."""
        if self.variant is not None:
            return self.sheet.tariff(self.variant)
        any_variant = self.sheet.tariff(next(iter(self.sheet.variants)))
        return any_variant.model_copy(update={"bands": (TariffBand(name="all"),)})

    @property
    def terms(self) -> str:
        """What plans see of it: cases with about the same prices share their plans."""
        bands = self.tariff.model_dump(mode="json")["bands"]
        return json.dumps(
            [{key: _blur(value) for key, value in each.items() if key not in _UNSEEN} for each in bands]
        )


def _blur(value: Any) -> Any:
    return round(math.log(value, 1.0 + SAME_PRICE)) if isinstance(value, float) and value > 0.0 else value


def list_cases() -> list[Case]:
    """List the shipped tariffs that a street at a transformer, or its connections alone, can have."""
    sheets = [load_sheet(path) for path in sorted((configs_directory() / "tariffs").glob("*.toml"))]
    cases = []
    for sheet in sheets:
        cases += [Case(sheet, name) for name in sheet.variants if name not in OTHER_CONNECTIONS]
        if sheet.small is not None:
            cases.append(Case(sheet, None))
    return cases


def list_quarters(grid: GridSide, first: date, days: int) -> tuple[datetime, ...]:
    """Return the starts of the quarters of some local days."""
    start, end = (local_midnight(day, grid.tz) for day in (first, first + timedelta(days=days)))
    return TimeGrid(start, QUARTER, (end - start) // QUARTER).starts


def street_under(street: Street, case: Case, control: Control, first: date, days: int) -> Street:
    """Return a street with the prices of a tariff, and with cars that give back or do not.

    Peaks that households are expected to make anyway in the days are sunk.
    """
    tariff, grid, service = case.tariff, street.grid, street.service
    own = grid.prices
    prices = PriceBook(
        own.series,
        own.tz,
        own.publication_local_time,
        own.energy_tax_eur_per_kwh,
        own.export_fee_eur_per_kwh,
        tariff,
    )
    vehicles = tuple(
        each.model_copy(update={"discharge_opt_in": each.discharge_opt_in and control is Control.V2G})
        for each in service.vehicles
    )
    sunk_kw = dict(_list_sunk_kw(grid, tariff, list_quarters(grid, first, days)))
    return replace(
        street,
        grid=replace(grid, tariff=tariff, prices=prices, realised_peak_kw=sunk_kw, contracted_kw={}),
        service=service.model_copy(
            update={"vehicles": vehicles, "plan_gap": PLAN_GAP, "plan_budget_s": PLAN_BUDGET_S}
        ),
    )


def _list_sunk_kw(
    grid: GridSide, tariff: NetworkTariff, starts: tuple[datetime, ...]
) -> Iterator[tuple[str, float]]:
    """Yield the highest expected import without any car, band by band [kW]."""
    forecast = forecast_street(grid, starts[0], len(starts) * SECONDS_PER_QUARTER)
    net_kw = forecast.base_kw.median - forecast.pv_kw.median
    names = np.array(tariff.bands_of(starts, grid.tz))
    for band in tariff.bands:
        yield band.name, float(np.max(net_kw[names == band.name], initial=0.0))
