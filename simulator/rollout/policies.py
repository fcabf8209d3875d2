"""Policies that need no plan: charge at once, and a daily limit on every pole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.rollout.calendar import YearGrid
from simulator.rollout.layout import Layout
from simulator.rollout.scenario import Control
from simulator.rollout.sockets import Sockets

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Uncontrolled:
    """Every car charges as fast as it can, behind its pole's fuse.

    Parameters
    ----------
    fuse_a
        Of a pole, per phase.
    """

    discharges = False

    def __init__(self, fuse_a: float) -> None:
        self.fuse_a = fuse_a

    def arrive(self, step: int, index: Ints, sockets: Sockets) -> None:
        """Need not know."""

    def resize(self, layout: Layout) -> None:
        """Need not know."""

    def powers(self, step: int, index: Ints, sockets: Sockets) -> Floats:
        """Return the chargers' full power."""
        del step
        return sockets.charger_kw[index]

    def limit_a(self, step: int) -> float:
        """Return the fuse."""
        del step
        return self.fuse_a


class StaticLimit(Uncontrolled):
    """Like uncontrolled, but for a daily window in which every pole has a lower limit.

    Parameters
    ----------
    fuse_a
        Of a pole, per phase.
    control
        Window and limit.
    grid
        The year, for local time.
    """

    def __init__(self, fuse_a: float, control: Control, grid: YearGrid) -> None:
        super().__init__(fuse_a)
        hour = grid.quarter / 4
        inside = (hour >= control.static_from_hour) & (hour < control.static_to_hour)
        self._limit_a = np.where(inside, min(control.static_a, fuse_a), fuse_a)

    def limit_a(self, step: int) -> float:
        """Return the limit of this time of day."""
        return float(self._limit_a[step])
