"""Quirks: what real stations do otherwise than their standard says, one name each, freely combined. Pure.

A quirk has a value where it needs one; the meaning stands beside its name. `Quirks` bends what goes through a
firmware: profiles on their way in, readings and instants on their way out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from simulator.station.messages import Measured, Reading
from simulator.station.profiles import (
    DEFAULT_PHASES,
    Profile,
    ProfileRefusedError,
    SchedulePeriod,
)

WH_PER_KWH = 1000.0
SECONDS_PER_DAY = 86_400.0
PERCENT = 100.0
_REGISTERS = frozenset({"Energy.Active.Import.Register", "Energy.Active.Export.Register"})
_EXPORTS = {
    "Power.Active.Export": "Power.Active.Import",
    "Current.Export": "Current.Import",
}


class Quirk(StrEnum):
    """Names of quirks, as in scenario and station files; in brackets the unit of the value."""

    REJECTS_ZERO = "rejects_zero"
    IGNORES_WATTS = "ignores_watts"
    IGNORES_NUMBER_PHASES = "ignores_number_phases"
    IGNORES_START_SCHEDULE = "ignores_start_schedule"
    ACCEPTS_WITHOUT_APPLYING = "accepts_without_applying"
    NEGATIVE_IS_UNLIMITED = "negative_is_unlimited"
    LIES_IN_CONFIGURATION = "lies_in_configuration"
    NEVER_EXPIRES = "never_expires"
    EXPIRES_TO_UNLIMITED = "expires_to_unlimited"
    FORGETS_TX_PROFILES = "forgets_tx_profiles"
    KEEPS_TX_PROFILES = "keeps_tx_profiles"
    MAX_PERIODS = "max_periods"  # periods
    FLASH_WEARS_OUT = "flash_wears_out"  # writes until profiles are refused
    CLOCK_OFFSET = "clock_offset"  # seconds that its clock is ahead
    CLOCK_DRIFT = "clock_drift"  # seconds that its clock gains in a day
    WRONG_ZONE = "wrong_zone"  # hours of a local time that is written as UTC
    METER_ERROR = "meter_error"  # percent that the meter counts too much
    METER_RESOLUTION = "meter_resolution"  # Wh
    METER_ROLLOVER = "meter_rollover"  # kWh at which registers begin at 0 again
    EXPORT_AS_NEGATIVE_IMPORT = "export_as_negative_import"
    EXPORT_IN_IMPORT = "export_in_import"
    NO_POWER = "no_power"
    NO_CURRENT = "no_current"


NEEDS_VALUE = frozenset(
    {
        Quirk.MAX_PERIODS,
        Quirk.FLASH_WEARS_OUT,
        Quirk.CLOCK_OFFSET,
        Quirk.CLOCK_DRIFT,
        Quirk.WRONG_ZONE,
        Quirk.METER_ERROR,
        Quirk.METER_RESOLUTION,
        Quirk.METER_ROLLOVER,
    }
)


@dataclass(frozen=True, slots=True)
class Quirks:
    """Some quirks at once.

    Parameters
    ----------
    values
        Value by quirk; 1 for those without one.
    """

    values: Mapping[Quirk, float] = field(default_factory=dict)

    def __contains__(self, quirk: object) -> bool:
        return quirk in self.values

    def __or__(self, other: Quirks) -> Quirks:
        return Quirks({**self.values, **other.values})

    def clock_error_s(self, at: datetime, origin: datetime) -> float:
        """Return how far the station's clock is ahead at an instant [s]; ``origin``: when it was right."""
        drift = self.values.get(Quirk.CLOCK_DRIFT, 0.0) * (at - origin).total_seconds() / SECONDS_PER_DAY
        return self.values.get(Quirk.CLOCK_OFFSET, 0.0) + drift

    def written_instant(self, at: datetime, origin: datetime) -> datetime:
        """Return an instant as the station writes it, with the error of its clock and of its zone."""
        zone_s = self.values.get(Quirk.WRONG_ZONE, 0.0) * 3600.0
        return at + timedelta(seconds=round(self.clock_error_s(at, origin) + zone_s, 3))

    def bend_profile(self, profile: Profile, now: datetime, origin: datetime, writes: int) -> Profile | None:
        """Return what the station makes of a profile, None when it says yes and does nothing.

        Parameters
        ----------
        profile
            As it came.
        now
            True time.
        origin
            When the station's clock was right.
        writes
            Profiles that were written before this one.

        Raises
        ------
        ProfileRefusedError
            When it refuses what the standard lets pass.
        """
        self._refuse(profile, writes)
        if Quirk.ACCEPTS_WITHOUT_APPLYING in self or (profile.unit == "W" and Quirk.IGNORES_WATTS in self):
            return None
        bent = replace(profile, periods=tuple(self._bend_period(one) for one in profile.periods))
        error_s = self.clock_error_s(now, origin)
        if error_s:
            bent = _shifted(bent, -error_s)
        if Quirk.IGNORES_START_SCHEDULE in self and bent.start_s is not None:
            bent = replace(bent, start_s=now.timestamp())
        if Quirk.EXPIRES_TO_UNLIMITED in self and bent.duration_s is not None:
            kept = tuple(one for one in bent.periods if one.start_s < bent.duration_s)
            bent = replace(bent, periods=(*kept, SchedulePeriod(bent.duration_s)), duration_s=None)
        if Quirk.NEVER_EXPIRES in self:
            bent = replace(bent, duration_s=None, valid_to_s=None)
        return bent

    def _refuse(self, profile: Profile, writes: int) -> None:
        if writes >= self.values.get(Quirk.FLASH_WEARS_OUT, math.inf):
            raise ProfileRefusedError("InternalError", "the memory for profiles is worn out")
        if len(profile.periods) > self.values.get(Quirk.MAX_PERIODS, math.inf):
            raise ProfileRefusedError("TooManyPeriods", "more periods than this model takes")
        if Quirk.REJECTS_ZERO in self and any(one.limit == 0.0 for one in profile.periods):
            raise ProfileRefusedError("InvalidValue", "this model takes no limit of 0")

    def _bend_period(self, period: SchedulePeriod) -> SchedulePeriod:
        if Quirk.IGNORES_NUMBER_PHASES in self:
            period = replace(period, phases=DEFAULT_PHASES)
        if Quirk.NEGATIVE_IS_UNLIMITED in self and period.limit is not None and period.limit < 0.0:
            period = replace(period, limit=None)
        return period

    def bend_reading(self, reading: Reading) -> Reading:
        """Return a reading as the station's meter gives it."""
        if not self.values:
            return reading
        export_wh = next(
            (one.value for one in reading.values if one.measurand == "Energy.Active.Export.Register"), 0.0
        )
        values = tuple(self._bend_value(one, export_wh) for one in reading.values if self._measures(one))
        import_wh = reading.import_wh
        if Quirk.EXPORT_IN_IMPORT in self:
            import_wh += round(export_wh)
        register_wh = round(self._register(import_wh))
        # A reading without any value is no message: the register is always there.
        kept = values or (Measured("Energy.Active.Import.Register", register_wh, "Wh"),)
        return replace(reading, import_wh=register_wh, values=kept)

    def _measures(self, one: Measured) -> bool:
        return not (
            (Quirk.NO_POWER in self and one.measurand.startswith("Power."))
            or (Quirk.NO_CURRENT in self and one.measurand.startswith("Current."))
        )

    def _bend_value(self, one: Measured, export_wh: float) -> Measured:
        if one.measurand in _REGISTERS:
            counts_both = Quirk.EXPORT_IN_IMPORT in self and one.measurand == "Energy.Active.Import.Register"
            return replace(one, value=self._register(one.value + (export_wh if counts_both else 0.0)))
        turned = _EXPORTS.get(one.measurand)
        if turned is not None and Quirk.EXPORT_AS_NEGATIVE_IMPORT in self and one.value > 0.0:
            return replace(one, measurand=turned, value=-one.value)
        return one

    def _register(self, energy_wh: float) -> float:
        counted = energy_wh * (1.0 + self.values.get(Quirk.METER_ERROR, 0.0) / PERCENT)
        step_wh = self.values.get(Quirk.METER_RESOLUTION, 1.0)
        counted = math.floor(counted / step_wh) * step_wh
        rollover_kwh = self.values.get(Quirk.METER_ROLLOVER)
        return counted if rollover_kwh is None else counted % (rollover_kwh * WH_PER_KWH)


def _shifted(profile: Profile, seconds: float) -> Profile:
    """Return a profile as a clock that is wrong lets it happen."""

    def shift(instant_s: float | None) -> float | None:
        return None if instant_s is None else instant_s + seconds

    return replace(
        profile,
        start_s=shift(profile.start_s),
        valid_from_s=shift(profile.valid_from_s),
        valid_to_s=shift(profile.valid_to_s),
    )
