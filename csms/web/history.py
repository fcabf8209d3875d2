"""The day so far, read back from the rows after a restart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import Session

from csms.settings import MeterConfig, MeterRole
from csms.state.queries import energy_by_quarter, meter_energy_by_quarter
from csms.web.trace import BUCKET_MINUTES, Curve
from grid.timegrid import QUARTER, QUARTER_HOURS

_BUCKET = timedelta(minutes=BUCKET_MINUTES)


def read_history(
    session: Session, meters: Sequence[MeterConfig], start: datetime, end: datetime
) -> list[tuple[Curve, datetime, float]]:
    """Return whole quarters of a period as mean power of their registers, in the trace's buckets.

    Parameters
    ----------
    session
        The rows.
    meters
        The street's meters.
    start, end
        The period.

    Returns
    -------
    list of (curve, instant, value)
        In the order of time [kW].
    """
    registered = meter_energy_by_quarter(session, start, end)
    sums: dict[datetime, dict[Curve, float]] = {}
    for meter in meters:
        curve, sign = (Curve.NODE, 1) if meter.role is MeterRole.NODE else (Curve.PV, -1)
        for each in registered.get(meter.id, []):
            if each.import_kwh or each.export_kwh:  # nothing at all: the meter was not read
                _add(sums, each.quarter, curve, sign * (each.import_kwh - each.export_kwh))
    for quarters in energy_by_quarter(session, start, end).values():
        for each in quarters:
            _add(sums, each.quarter, Curve.CHARGING, each.import_kwh)
            _add(sums, each.quarter, Curve.DISCHARGING, each.export_kwh)
    return [
        (curve, quarter + bucket * _BUCKET, energy_kwh / QUARTER_HOURS)
        for quarter in sorted(sums)
        for bucket in range(QUARTER // _BUCKET)
        for curve, energy_kwh in sums[quarter].items()
    ]


def _add(sums: dict[datetime, dict[Curve, float]], quarter: datetime, curve: Curve, kwh: float) -> None:
    values = sums.setdefault(quarter, {})
    values[curve] = values.get(curve, 0.0) + kwh
