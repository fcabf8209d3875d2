"""What cycling costs a battery: a price per kWh, and Schmalstieg's model of lithium cells. Pure.

Schmalstieg et al. 2014, J. Power Sources 257, doi:10.1016/j.jpowsour.2014.02.012: NMC 18650 cells of 2.15 Ah,
``C = 1 - alpha t^0.75 - beta sqrt(Q)`` with t in days and Q in Ah through the cell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

# A battery of 120 EUR/kWh that lasts 2,000 full cycles, in and out.
BATTERY_EUR_PER_KWH, FULL_CYCLES = 120.0, 2000.0
THROUGHPUT_EUR_PER_KWH = BATTERY_EUR_PER_KWH / (2.0 * FULL_CYCLES)
DISCHARGE_EUR_PER_KWH = 2.0 * THROUGHPUT_EUR_PER_KWH
CELL_AH = 2.15
ZERO_CELSIUS_K = 273.15
# Voltage of a resting cell by state of charge (assumption: an ordinary NMC curve).
_SOC, _REST_V = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0), (3.00, 3.45, 3.60, 3.67, 3.84, 4.05, 4.17)


@dataclass(frozen=True, slots=True)
class Use:
    """How a battery was used for some time.

    Parameters
    ----------
    days
        Its age [d].
    throughput_kwh
        Energy into and out of it together [kWh].
    mean_soc_fraction
        Mean state of charge.
    depth_fraction
        Mean depth of its cycles.
    celsius
        Its temperature [deg C].
    """

    days: float
    throughput_kwh: float
    mean_soc_fraction: float = 0.5
    depth_fraction: float = 0.5
    celsius: float = 20.0


def throughput_cost_eur(charged_kwh: float, discharged_kwh: float) -> float:
    """Return what energy through a battery costs in wear: 0.03 EUR/kWh each way [EUR].

    Parameters
    ----------
    charged_kwh, discharged_kwh
        Into and out of the battery, each >= 0 [kWh].
    """
    return THROUGHPUT_EUR_PER_KWH * (charged_kwh + discharged_kwh)


def rest_voltage_v(soc_fraction: float) -> float:
    """Return the voltage of a resting cell [V]."""
    return float(np.interp(soc_fraction, _SOC, _REST_V))


def calendar_factor(voltage_v: float, celsius: float) -> float:
    """Return alpha, the calendar ageing at a voltage [V] and a temperature [deg C], per d^0.75."""
    return (7.543e6 * voltage_v - 23.75e6) * math.exp(-6976.0 / (celsius + ZERO_CELSIUS_K))


def cycle_factor(voltage_v: float, depth_fraction: float) -> float:
    """Return beta, the ageing by cycles of a depth around a voltage [V], per Ah^0.5."""
    return 7.348e-3 * (voltage_v - 3.667) ** 2 + 7.6e-4 + 4.081e-3 * depth_fraction


def capacity_loss_fraction(use: Use, capacity_kwh: float) -> float:
    """Return the part of its capacity that a battery has lost, by Schmalstieg's model.

    Parameters
    ----------
    use
        Its life so far.
    capacity_kwh
        When it was new [kWh].
    """
    voltage_v = rest_voltage_v(use.mean_soc_fraction)
    calendar = calendar_factor(voltage_v, use.celsius) * use.days**0.75
    cell_ah = use.throughput_kwh / capacity_kwh * CELL_AH
    return float(calendar + cycle_factor(voltage_v, use.depth_fraction) * math.sqrt(cell_ah))
