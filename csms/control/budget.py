"""The quarter that runs: how much power is left for the rest of it under a limit on its mean."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from csms.state.station_state import MeterState
from grid.timegrid import QUARTER, floor_quarter

QUARTER_H = QUARTER / timedelta(hours=1)
# Shorter than this a rest of a quarter counts as this long: what is left is too little to steer by [h].
SHORTEST_REST_H = 30 / 3600


@dataclass(frozen=True, slots=True)
class QuarterBudget:
    """Energy through a node since the quarter began, from its meter's registers.

    Parameters
    ----------
    quarter
        Start of the quarter.
    used_kwh
        Import less export so far [kWh].
    read_at
        When the meter was last read.
    power_kw
        What flowed then, > 0 is import [kW].
    net_register_kwh
        Import register less export register then [kWh].
    """

    quarter: datetime
    used_kwh: float
    read_at: datetime
    power_kw: float
    net_register_kwh: float

    def used_by_kwh(self, now: datetime) -> float:
        """Return the energy used up to a moment, at the last measured power since the last reading [kWh]."""
        return self.used_kwh + self.power_kw * _hours(now - self.read_at)

    def allowed_import_kw(self, limit_kw: float, now: datetime) -> float:
        """Return the power that the rest of the quarter may draw so that its mean keeps a limit [kW].

        ``(K h - E) / (h - t)``; may be negative when the quarter is lost already.
        """
        rest_h = max(_hours(self.quarter + QUARTER - now), SHORTEST_REST_H)
        return (limit_kw * QUARTER_H - self.used_by_kwh(now)) / rest_h

    def overruns(self, limit_kw: float, now: datetime) -> bool:
        """Say whether the mean would exceed a limit if the last power stayed."""
        return self.power_kw > self.allowed_import_kw(limit_kw, now) and self.power_kw > 0.0


def finished_mean_kw(before: QuarterBudget, after: QuarterBudget) -> float | None:
    """Return the mean of the quarter that ended between two readings, None when none did [kW]."""
    if after.quarter != before.quarter + QUARTER:
        return None
    until_end_kwh = after.net_register_kwh - before.net_register_kwh - after.used_kwh
    return (before.used_kwh + until_end_kwh) / QUARTER_H


def observe(budget: QuarterBudget | None, reading: MeterState) -> QuarterBudget:
    """Take in a reading; a new quarter begins with what flowed since its start.

    Without an earlier reading the part of the quarter before the first one counts at that reading's power.
    """
    quarter, net_kwh = floor_quarter(reading.read_at), reading.import_kwh - reading.export_kwh
    since_start_h = _hours(reading.read_at - quarter)
    if budget is None or reading.read_at <= budget.read_at or quarter - budget.quarter > QUARTER:
        used_kwh = reading.power_kw * since_start_h
    elif budget.quarter == quarter:
        used_kwh = budget.used_kwh + net_kwh - budget.net_register_kwh
    else:
        passed_h = _hours(reading.read_at - budget.read_at)
        used_kwh = (net_kwh - budget.net_register_kwh) * since_start_h / passed_h
    return QuarterBudget(quarter, used_kwh, reading.read_at, reading.power_kw, net_kwh)


def _hours(span: timedelta) -> float:
    return span / timedelta(hours=1)
