"""Energy registers of a meter: import and export, each only ever rising, read in whole watt hours."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SECONDS_PER_HOUR = 3600.0
WH_PER_KWH = 1000.0
# What adding up seconds in another order may change [kWh].
_ROUNDING_KWH = 1e-9


@dataclass(slots=True)
class Registers:
    """What a meter counts.

    Parameters
    ----------
    import_kwh, export_kwh
        Energy so far, exact [kWh].
    gain
        What the meter counts of a true kWh: 1 for a perfect one, 0.99 to 1.01 within class B.
    """

    import_kwh: float = 0.0
    export_kwh: float = 0.0
    gain: float = 1.0

    def add(self, power_kw: NDArray[np.float64]) -> None:
        """Count seconds of power (> 0 is import) [kW], shape (seconds,)."""
        total_kwh = float(power_kw.sum()) / SECONDS_PER_HOUR
        taken_kwh = float(np.maximum(power_kw, 0.0).sum()) / SECONDS_PER_HOUR
        self.import_kwh += self.gain * taken_kwh
        self.export_kwh += self.gain * max(0.0, taken_kwh - total_kwh)

    def after(self, power_kw: NDArray[np.float64]) -> Registers:
        """Return what the registers will be after some more seconds."""
        later = Registers(self.import_kwh, self.export_kwh, self.gain)
        later.add(power_kw)
        return later

    @property
    def import_wh(self) -> int:
        """The import register as it reads [Wh]."""
        return math.floor((self.import_kwh + _ROUNDING_KWH) * WH_PER_KWH)

    @property
    def export_wh(self) -> int:
        """The export register as it reads [Wh]."""
        return math.floor((self.export_kwh + _ROUNDING_KWH) * WH_PER_KWH)
