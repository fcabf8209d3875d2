"""What a driver pays for a kWh: charge later, share, or fast now, quoted before the session starts.

A quote places the energy in the quarters of the stay as the choice would, and takes what it costs there:
fast from now on at full power, shared evenly over the stay, later in the cheapest quarters in which the plan
leaves room. Prices of a quote are in whole cents, VAT included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from grid.config import StrictModel
from grid.timegrid import QUARTER_HOURS

CENT: Final = Decimal("0.01")
_NOTHING_KWH: Final = 1e-9
Amount = Annotated[float, Field(ge=0.0)]
Floats = NDArray[np.float64]


class Choice(StrEnum):
    """How a driver wants to charge."""

    LATER = "later"
    SHARE = "share"
    FAST = "fast"


class IdleFeeConfig(StrictModel):
    """``[service.pricing.idle_fee]``: what it costs to stay plugged in when full.

    Parameters
    ----------
    eur_per_minute
        Including VAT [EUR/min].
    refused_minutes
        The car must refuse offered power for so long first [min].
    notice_minutes
        The fee is announced, and runs so long after that [min].
    cap_eur_per_day
        Most per session and local day, including VAT [EUR].
    night_from, night_to
        Local hours in which it never runs; the same time twice: no such hours.
    """

    eur_per_minute: Amount = 0.05
    refused_minutes: Annotated[float, Field(ge=15.0, le=1440.0)] = 15.0
    notice_minutes: Annotated[float, Field(ge=0.0, le=1440.0)] = 15.0
    cap_eur_per_day: Amount = 6.0
    night_from: time = time(21)
    night_to: time = time(8)


class DriverPricing(StrictModel):
    """``[service.pricing]``: what drivers pay.

    Parameters
    ----------
    margin_eur_per_kwh
        Added to what the energy costs, excluding VAT [EUR/kWh].
    later_discount_eur_per_kwh
        Off for charging later, excluding VAT [EUR/kWh].
    fast_surcharge_eur_per_kwh
        On top for charging at once, excluding VAT [EUR/kWh].
    vat_fraction
        VAT [fraction].
    quoted_energy_kwh, quoted_stay_h
        What is quoted for when nobody says what is needed [kWh, h].
    choice_minutes
        How long after the start a driver may still choose [min].
    idle_fee
        What it costs to stay when full; without it nothing.
    """

    margin_eur_per_kwh: Amount = 0.10
    later_discount_eur_per_kwh: Amount = 0.02
    fast_surcharge_eur_per_kwh: Amount = 0.08
    vat_fraction: Annotated[float, Field(ge=0.0, le=1.0)] = 0.21
    quoted_energy_kwh: Annotated[float, Field(gt=0.0, le=1000.0)] = 20.0
    quoted_stay_h: Annotated[float, Field(ge=1.0, le=72.0)] = 10.0
    choice_minutes: Annotated[float, Field(ge=0.0, le=1440.0)] = 15.0
    idle_fee: IdleFeeConfig | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """What each choice costs; one that does not fit is not offered.

    Parameters
    ----------
    eur_per_kwh
        Including VAT, in whole cents [EUR/kWh].
    """

    eur_per_kwh: Mapping[Choice, Decimal]


def build_quote(
    pricing: DriverPricing,
    cost_eur_per_kwh: Sequence[float],
    room_kw: Sequence[float],
    socket_kw: float,
    energy_kwh: float,
) -> Quote:
    """Quote a session: ``later <= share <= fast`` whenever they are offered.

    Parameters
    ----------
    pricing
        Margins and VAT.
    cost_eur_per_kwh
        Energy, tax and transport of each quarter of the stay, excluding VAT, shape (steps,) [EUR/kWh].
    room_kw
        What the plan leaves free in each, shape (steps,) [kW].
    socket_kw
        What the socket gives at the most [kW].
    energy_kwh
        How much is needed, > 0 [kWh].
    """
    costs = np.asarray(cost_eur_per_kwh, dtype=np.float64)
    full_kwh = np.full(len(costs), socket_kw * QUARTER_HOURS)
    free_kwh = np.clip(np.asarray(room_kw, dtype=np.float64), 0.0, socket_kw) * QUARTER_HOURS
    share = float(costs.mean())
    fast = _fill(energy_kwh, full_kwh, range(len(costs)))
    later = _fill(energy_kwh, free_kwh, [int(step) for step in np.argsort(costs, kind="stable")])
    even_fits = energy_kwh / len(costs) <= socket_kw * QUARTER_HOURS + _NOTHING_KWH
    found: dict[Choice, float] = {}
    if later is not None and even_fits:
        found[Choice.LATER] = (
            min(float(later @ costs) / energy_kwh, share) - pricing.later_discount_eur_per_kwh
        )
    if even_fits:
        found[Choice.SHARE] = share
    if fast is not None:
        found[Choice.FAST] = max(float(fast @ costs) / energy_kwh, share) + pricing.fast_surcharge_eur_per_kwh
    return Quote({choice: _price(pricing, cost) for choice, cost in found.items()})


def price_energy(energy_kwh: float, eur_per_kwh: Decimal) -> Decimal:
    """Return what metered energy costs, to the cent; registers count whole Wh."""
    return _cents(Decimal(f"{energy_kwh:.3f}") * eur_per_kwh)


def price_idle(minutes: Decimal, fee: IdleFeeConfig) -> Decimal:
    """Return what a local day's idle minutes cost, the cap kept, to the cent."""
    return min(_cents(minutes * decimal_of(fee.eur_per_minute)), _cents(decimal_of(fee.cap_eur_per_day)))


def decimal_of(value: float) -> Decimal:
    """Return a configured number as it was written."""
    return Decimal(str(value))


def _fill(energy_kwh: float, most_kwh: Floats, order: Sequence[int]) -> Floats | None:
    """Place energy in quarters, in an order; None when it does not fit."""
    placed, left = np.zeros(len(most_kwh)), energy_kwh
    for step in order:
        placed[step] = min(left, float(most_kwh[step]))
        left -= placed[step]
        if left <= _NOTHING_KWH:
            return placed
    return None


def _price(pricing: DriverPricing, cost_eur_per_kwh: float) -> Decimal:
    """Add margin and VAT; nobody is paid for taking energy."""
    net = max(Decimal(f"{cost_eur_per_kwh:.6f}") + decimal_of(pricing.margin_eur_per_kwh), Decimal(0))
    return _cents(net * (1 + decimal_of(pricing.vat_fraction)))


def _cents(amount_eur: Decimal) -> Decimal:
    return amount_eur.quantize(CENT, ROUND_HALF_UP)
