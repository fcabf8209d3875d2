"""Quotes for drivers: the order of the choices, cents, and what does not fit."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.tariffs.driver import (
    CENT,
    Choice,
    DriverPricing,
    IdleFeeConfig,
    build_quote,
    price_energy,
    price_idle,
)

PRICING = DriverPricing()
DEAR_NOW = [0.40] * 4 + [0.20] * 12


def test_every_choice_costs_what_its_quarters_cost() -> None:
    quote = build_quote(PRICING, DEAR_NOW, [100.0] * 16, 11.0, 11.0)
    # share: mean 0.25; later: 0.20 - 0.02; fast: 0.40 + 0.08; each with 0.10 on top and 21 % VAT
    assert quote.eur_per_kwh == {
        Choice.LATER: Decimal("0.34"),
        Choice.SHARE: Decimal("0.42"),
        Choice.FAST: Decimal("0.70"),
    }


def test_later_goes_where_the_plan_leaves_room() -> None:
    room = [11.0] * 4 + [0.0] * 8 + [5.5] * 4
    quote = build_quote(PRICING, DEAR_NOW, room, 11.0, 11.0)
    # half of it must go into the dear quarters; sharing is cheaper and stands for both
    assert quote.eur_per_kwh[Choice.LATER] == Decimal("0.40")
    full = build_quote(PRICING, DEAR_NOW, [0.0] * 16, 11.0, 11.0)
    assert Choice.LATER not in full.eur_per_kwh


def test_what_does_not_fit_the_stay_is_not_offered() -> None:
    assert build_quote(PRICING, DEAR_NOW, [100.0] * 16, 11.0, 44.1).eur_per_kwh == {}


def test_nobody_is_paid_for_taking_energy() -> None:
    quote = build_quote(PRICING, [-2.0] * 16, [100.0] * 16, 11.0, 11.0)
    assert set(quote.eur_per_kwh.values()) == {Decimal("0.00")}


@given(
    st.lists(st.floats(-0.5, 1.5), min_size=1, max_size=48),
    st.data(),
    st.floats(1.0, 22.0),
    st.floats(0.1, 100.0),
)
def test_later_is_never_dearer_than_sharing_nor_that_than_fast(
    costs: list[float], data: st.DataObject, socket_kw: float, energy_kwh: float
) -> None:
    room = data.draw(st.lists(st.floats(-20.0, 40.0), min_size=len(costs), max_size=len(costs)))
    found = build_quote(PRICING, costs, room, socket_kw, energy_kwh).eur_per_kwh
    prices = [found[choice] for choice in Choice if choice in found]
    assert prices == sorted(prices)
    assert all(price == price.quantize(CENT) and price >= 0 for price in prices)


@pytest.mark.parametrize(
    ("kwh", "price", "amount"),
    [(10.0, "0.35", "3.50"), (0.1 + 0.2, "0.35", "0.11"), (12.3456, "0.41", "5.06"), (0.0, "0.35", "0.00")],
)
def test_energy_is_priced_to_the_cent(kwh: float, price: str, amount: str) -> None:
    assert price_energy(kwh, Decimal(price)) == Decimal(amount)


@pytest.mark.parametrize(("minutes", "amount"), [(0, "0.00"), (1, "0.05"), (119, "5.95"), (600, "6.00")])
def test_idle_minutes_are_capped_by_the_day(minutes: int, amount: str) -> None:
    assert price_idle(Decimal(minutes), IdleFeeConfig()) == Decimal(amount)


def test_a_fee_that_runs_too_soon_is_refused() -> None:
    with pytest.raises(ValueError, match="refused_minutes"):
        IdleFeeConfig(refused_minutes=14.0)
