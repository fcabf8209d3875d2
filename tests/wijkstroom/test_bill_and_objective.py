"""The optimizer's money and the settlement come from one tariff: they are equal to the cent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csms.control.prices import build_peak_bands
from grid.meterfile import MeterSeries
from grid.tariffs.bill import compute_bill
from grid.tariffs.contract import GridContract
from grid.tariffs.energy import PriceBook
from grid.tariffs.network import TariffSheet
from grid.tariffs.settlement import Section, settle
from grid.timegrid import QUARTER, TimeGrid
from optimizer.evaluate import Powers, build_plan
from optimizer.heuristics import STATUS
from optimizer.problem import Problem
from tests.csms.control.street import load_lombok

GRID = load_lombok()
# Sunday evening to Monday evening: two weeks, two months.
START = datetime(2024, 6, 30, 16, tzinfo=UTC)
STEPS = TimeGrid(START, QUARTER, 96)
price = st.integers(0, 40).map(lambda cents: cents / 100)


@st.composite
def sheets(draw: st.DrawFn) -> TariffSheet:
    def band(name: str, **window: str) -> dict[str, Any]:
        return {
            "name": name,
            **window,
            "peak_eur_per_kw_month": draw(price),
            "peak_weight": draw(st.sampled_from([0.0, 0.5, 1.0])),
            "import_eur_per_kwh": draw(price),
            "export_fee_eur_per_kwh": draw(price),
            "export_credit_eur_per_kwh": draw(price),
            "reward_eur_per_kwh": draw(price),
        }

    rules = {
        "peak_period": draw(st.sampled_from(["week", "month", "year"])),
        "peak_price_factor": draw(st.sampled_from([0.25, 1.0, 1.5])),
        "reward_basis": "all",
    }
    bands = [band("evening", daily_from="17:00", daily_to="21:00"), band("rest")]
    return TariffSheet.model_validate(
        {
            "name": "Trial",
            "operator": "Nobody",
            "valid_from": "2024-01-01",
            "valid_to": "2024-12-31",
            "status": "what-if",
            "source": "invented for a test",
            "variants": {"trial": {"settlement": rules, "bands": bands}},
        }
    )


@settings(max_examples=30, deadline=None)
@given(sheets(), st.integers(0, 2**32 - 1))
def test_objective_bill_and_settlement_are_equal(sheet: TariffSheet, seed: int) -> None:
    tariff = sheet.tariff("trial")
    prices = PriceBook(GRID.prices.series, GRID.tz, tariff=tariff, energy_tax_eur_per_kwh=0.0916)
    grid = replace(GRID, tariff=tariff, prices=prices, realised_peak_kw={}, contracted_kw={})
    net_kw = np.random.default_rng(seed).integers(-40, 80, 96).astype(float)
    problem = Problem.model_validate(
        {
            "start": START,
            "step_minutes": 15.0,
            "steps": 96,
            "import_price_eur_per_kwh": prices.import_price_eur_per_kwh(STEPS.starts),
            "export_price_eur_per_kwh": prices.export_price_eur_per_kwh(STEPS.starts),
            "base_load_kw": np.maximum(net_kw, 0.0),
            "pv_kw": np.maximum(-net_kw, 0.0),
            "import_limit_kw": 1e5,
            "export_limit_kw": 1e5,
            "evs": (),
            "peak_bands": build_peak_bands(grid, STEPS, {}),
        }
    )
    nothing = np.zeros((0, 96))
    plan = build_plan(problem, Powers(nothing, nothing, np.zeros(96)), STATUS)

    imported, exported = np.maximum(net_kw, 0.0) / 4, np.maximum(-net_kw, 0.0) / 4
    bill = compute_bill(STEPS.starts, imported, exported, prices, tariff, {})
    assert bill.total_eur == pytest.approx(plan.money_eur, abs=1e-6)

    contract = GridContract.model_validate(
        {
            "ean18": "871694600000010901",
            "connection_kind": "large",
            "tariff_variant": "trial",
            "valid_from": "2020-01-01",
            "energy_tax": {"tiers": [{"eur_per_kwh": 0.0916}]},
        }
    )
    settlement = settle(MeterSeries(STEPS.starts, imported, exported), sheet, contract)
    day_ahead = prices.series.at(STEPS.starts)
    energy_eur = float((imported - exported) @ day_ahead)
    network = sum(
        (settlement.sum_eur(section) for section in (Section.NETWORK, Section.REWARD, Section.TAX)),
        Decimal(0),
    )
    # Each line is rounded to a cent.
    assert float(network) + energy_eur == pytest.approx(
        plan.money_eur, abs=0.005 * len(settlement.lines) + 1e-6
    )
