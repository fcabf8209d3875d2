"""Whether a meter can be believed: its registers must count what its power says.

A meter that repeats itself, or whose sign is wrong, would make room that is not there. Over a minute or more
the power that it tells, added up, is compared with what its registers gained.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from csms.state.events import MeterRead

WINDOW = timedelta(seconds=60)
# Readings further apart say nothing of what was between them.
LONGEST_GAP = timedelta(seconds=180)
# Less energy than this in a window says nothing: 3 kW for a minute [kWh].
LEAST_KWH = 0.05
# Registers that gained less than this part of what the power came to stand still.
FROZEN_FRACTION = 0.1


@dataclass(slots=True)
class _Window:
    first: MeterRead
    last: MeterRead
    told_kwh: float = 0.0


@dataclass(slots=True)
class MeterTrust:
    """Compares power and registers, by meter."""

    doubted: set[str] = field(default_factory=set)
    _windows: dict[str, _Window] = field(default_factory=dict)

    def see(self, reading: MeterRead) -> bool:
        """Take in a reading; say whether its meter is believed now and was not, or the other way round."""
        window = self._windows.get(reading.meter_id)
        if window is None or not timedelta() < reading.at - window.last.at <= LONGEST_GAP:
            self._windows[reading.meter_id] = _Window(reading, reading)
            return False
        mean_kw = (reading.power_kw + window.last.power_kw) / 2.0
        window.told_kwh += mean_kw * ((reading.at - window.last.at) / timedelta(hours=1))
        window.last = reading
        if reading.at - window.first.at < WINDOW:
            return False
        self._windows[reading.meter_id] = _Window(reading, reading)
        return self._judge(window)

    def _judge(self, window: _Window) -> bool:
        first, last = window.first, window.last
        counted_kwh = (last.import_kwh - first.import_kwh) - (last.export_kwh - first.export_kwh)
        if max(abs(window.told_kwh), abs(counted_kwh)) < LEAST_KWH:
            return False
        # One rule for both: a frozen register has gained nothing, a flipped one has gained the other way.
        believed = counted_kwh * window.told_kwh > FROZEN_FRACTION * window.told_kwh**2
        changed = believed is (last.meter_id in self.doubted)
        if believed:
            self.doubted.discard(last.meter_id)
        else:
            self.doubted.add(last.meter_id)
        return changed
