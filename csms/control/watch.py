"""The fast watch: every reading of a node's meter says whether the running quarter keeps its limits."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from csms.control.budget import QuarterBudget, finished_mean_kw, observe
from csms.control.trust import MeterTrust
from csms.settings import MeterRole
from csms.state.catalogue import Catalogue
from csms.state.events import MeterRead
from csms.state.station_state import MeterState
from grid.capacity.envelope import compute_envelope
from grid.capacity.signals import SignalBook
from grid.street import GridSide

logger = logging.getLogger(__name__)

# After an alarm orders and meters need a moment before the next one means something.
PATIENCE = timedelta(seconds=45)
# A limit counts as exceeded from here on: meters are read to the watt, cars follow to a tenth of an ampere.
TOLERANCE_FRACTION = 0.002


class MeterWatch:
    """Keeps the running quarter's budget of the root node.

    Parameters
    ----------
    catalogue
        The street's meters.
    grid
        Its limits.
    signals
        What grid operators said, as it is when asked.
    """

    def __init__(
        self, catalogue: Catalogue, grid: GridSide, signals: Callable[[], SignalBook] = SignalBook
    ) -> None:
        self._signals = signals
        self._grid = grid
        self._trust = MeterTrust()
        self._power_factor = catalogue.service.power_factor
        self.budget: QuarterBudget | None = None
        root = grid.topology.root.id
        self._meters = {
            meter.id: timedelta(seconds=meter.stale_after_s)
            for meter in catalogue.service.meters
            if meter.role is MeterRole.NODE and meter.node == root
        }
        self._stale_after = timedelta()
        self._peaks_kw: dict[tuple[str, str], float] = {}
        self._limit: tuple[datetime, SignalBook, float] | None = None
        self._alarmed_at: datetime | None = None

    def sees_excess(self, reading: MeterRead) -> bool:
        """Take in a reading; say whether the quarter would exceed its limit if nothing changed."""
        if self._trust.see(reading):
            doubted = reading.meter_id in self._trust.doubted
            logger.warning(
                "meter %s %s",
                reading.meter_id,
                "is not believed: look at it" if doubted else "is believed again",
            )
            # What was planned by it stands on sand.
            return True
        if reading.meter_id not in self._meters:
            return False
        self._stale_after = self._meters[reading.meter_id]
        before, self.budget = self.budget, observe(self.budget, _state_of(reading))
        if before is not None:
            self._note_peak(before, self.budget)
        limit_kw = self._import_limit_kw(self.budget.quarter, reading.at) * (1.0 + TOLERANCE_FRACTION)
        if reading.meter_id in self._trust.doubted or not self.budget.overruns(limit_kw, reading.at):
            return False
        if self._alarmed_at is not None and reading.at - self._alarmed_at < PATIENCE:
            return False
        self._alarmed_at = reading.at
        return True

    @property
    def doubted(self) -> frozenset[str]:
        """Meters whose registers do not count what their power says."""
        return frozenset(self._trust.doubted)

    def fresh_budget(self, now: datetime) -> QuarterBudget | None:
        """Return what the running quarter has used, None without a fresh reading."""
        if self._trust.doubted & self._meters.keys():
            return None
        if self.budget is None or now - self.budget.read_at > self._stale_after:
            return None
        return self.budget

    def realised_peak_kw(self, now: datetime) -> dict[str, float]:
        """Return the highest quarter-hour mean of import per tariff band in the running peak period [kW]."""
        period = self._grid.tariff.peak_period(now, self._grid.tz)
        return {band: peak_kw for (each, band), peak_kw in self._peaks_kw.items() if each == period}

    def _note_peak(self, before: QuarterBudget, after: QuarterBudget) -> None:
        mean_kw = finished_mean_kw(before, after)
        band = self._grid.tariff.bands_of([before.quarter], self._grid.tz)[0]
        if mean_kw is not None and band is not None:
            key = (self._grid.tariff.peak_period(before.quarter, self._grid.tz), band)
            self._peaks_kw[key] = max(self._peaks_kw.get(key, 0.0), mean_kw)

    def _import_limit_kw(self, quarter: datetime, now: datetime) -> float:
        signals = self._signals()
        known = self._limit
        if known is None or known[:2] != (quarter, signals):
            root, grid = self._grid.topology.root.id, self._grid
            envelope = compute_envelope(
                grid.topology, root, [quarter], grid.tz, self._power_factor, signals=signals, known_at=now
            )
            known = self._limit = (quarter, signals, float(envelope.import_limit_kw[0]))
        return known[2]


def _state_of(reading: MeterRead) -> MeterState:
    return MeterState(reading.meter_id, reading.at, reading.power_kw, reading.import_kwh, reading.export_kwh)
