"""What groups drew, and what of it was too much, in the messages of OSCP 2.0."""

from __future__ import annotations

from csms.share.metering import GroupAccount, Kept
from grid.feeds.oscp import (
    ComplianceError,
    EnergyMeasurement,
    ForecastedBlock,
    GroupMeasurements,
    OscpPhase,
    OscpUnit,
)
from grid.timegrid import QUARTER

_KWH_DIGITS = 3
_LONGEST_TEXT = 1000


def describe_measurements(account: GroupAccount, *, intermittent: bool) -> GroupMeasurements:
    """Return a group's energies: differences when the partner wants them, else registers."""
    measurements = []
    for quarter, registers in zip(account.quarters, account.registers, strict=True):
        energies = (quarter.import_kwh, quarter.export_kwh) if intermittent else registers
        for direction, value in zip(("IMPORT", "EXPORT"), energies, strict=True):
            measurements.append(
                EnergyMeasurement(
                    value=round(value, _KWH_DIGITS),
                    direction=direction,
                    measure_time=quarter.quarter + QUARTER,
                    initial_measure_time=quarter.quarter if intermittent else None,
                )
            )
    return GroupMeasurements(group_id=account.group_id, measurements=tuple(measurements))


def describe_excess(group_id: str, kept: Kept, *, expected: bool = False) -> ComplianceError:
    """Return what is told of a forecast that was not kept, or is not expected to be: blocks and powers."""
    quarters = zip(kept.starts, kept.limits_kw, kept.means_kw, strict=True)
    told = "; ".join(
        f"{start:%Y-%m-%dT%H:%MZ} {mean:.2f} kW of {limit:.2f} kW" for start, limit, mean in quarters
    )
    what = (
        "expected above the capacity even if nobody charges"
        if expected
        else "quarter means above the capacity"
    )
    text = f"{group_id}, {kept.direction.value}, {what}: {told}"
    return ComplianceError(
        message=text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…",
        forecasted_blocks=tuple(
            ForecastedBlock(
                capacity=limit,
                phase=OscpPhase.ALL,
                unit=OscpUnit.KW,
                start_time=start,
                end_time=start + QUARTER,
            )
            for start, limit in zip(kept.starts, kept.limits_kw, strict=True)
        ),
    )
