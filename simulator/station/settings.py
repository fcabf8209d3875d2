"""What a central system may change in a station: configuration keys of 1.6 and variables of 2.x."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Setting(StrEnum):
    """Settings that the firmware acts on, by the names of 1.6."""

    HEARTBEAT = "HeartbeatInterval"
    SAMPLED_INTERVAL = "MeterValueSampleInterval"
    ALIGNED_INTERVAL = "ClockAlignedDataInterval"
    SAMPLED_MEASURANDS = "MeterValuesSampledData"
    ALIGNED_MEASURANDS = "MeterValuesAlignedData"


class SettingStatus(StrEnum):
    """Outcome of a change, by the words of 1.6."""

    ACCEPTED = "Accepted"
    REJECTED = "Rejected"
    UNKNOWN = "NotSupported"


_KEYS = frozenset(setting.value for setting in Setting)
_LISTS = frozenset({Setting.SAMPLED_MEASURANDS, Setting.ALIGNED_MEASURANDS})
# The variables of 2.x that are the same settings: (component, variable).
VARIABLES: dict[tuple[str, str], Setting] = {
    ("OCPPCommCtrlr", "HeartbeatInterval"): Setting.HEARTBEAT,
    ("SampledDataCtrlr", "TxUpdatedInterval"): Setting.SAMPLED_INTERVAL,
    ("AlignedDataCtrlr", "Interval"): Setting.ALIGNED_INTERVAL,
    ("SampledDataCtrlr", "TxUpdatedMeasurands"): Setting.SAMPLED_MEASURANDS,
    ("AlignedDataCtrlr", "Measurands"): Setting.ALIGNED_MEASURANDS,
}
# What these stations measure.
MEASURANDS = (
    "Energy.Active.Import.Register",
    "Energy.Active.Export.Register",
    "Power.Active.Import",
    "Power.Active.Export",
    "Current.Import",
    "Current.Export",
    "Voltage",
    "SoC",
    "Display.BatteryEnergyCapacity",
)
_LONGEST_INTERVAL_DIGITS = 9


@dataclass
class Settings:
    """The settings of one station.

    Parameters
    ----------
    heartbeat_s
        Between heartbeats [s].
    sampled_s, aligned_s
        Between meter values since the transaction began, and on the clock; 0 switches off [s].
    fixed
        What can be read and not changed, by the names of 1.6.
    fixed_variables
        The same by component and variable of 2.x.
    sampled_measurands, aligned_measurands
        What those meter values hold.
    lies
        Whether it takes every value, reads it back and goes on as before.
    told
        What it was told while it lied.
    """

    heartbeat_s: int
    sampled_s: int
    aligned_s: int
    fixed: dict[str, str]
    fixed_variables: dict[tuple[str, str], str]
    sampled_measurands: tuple[str, ...] = MEASURANDS
    aligned_measurands: tuple[str, ...] = MEASURANDS
    lies: bool = False
    told: dict[str, str] = field(default_factory=dict)

    def get(self, key: str) -> tuple[str, bool] | None:
        """Return value and whether it is read-only, None when there is no such key."""
        if key in self.told:
            return self.told[key], False
        if key in _KEYS:
            return self._read(Setting(key)), False
        return (self.fixed[key], True) if key in self.fixed else None

    def change(self, key: str, value: str) -> SettingStatus:
        """Change a key."""
        if self.lies and self.get(key) is not None:
            self.told[key] = value
            return SettingStatus.ACCEPTED
        if key in self.fixed:
            return SettingStatus.REJECTED
        if key not in _KEYS:
            return SettingStatus.UNKNOWN
        setting = Setting(key)
        if setting in _LISTS:
            return self._change_list(setting, value)
        if not value.isdecimal() or len(value) > _LONGEST_INTERVAL_DIGITS:
            return SettingStatus.REJECTED
        self._write(setting, int(value))
        return SettingStatus.ACCEPTED

    def get_variable(self, component: str, variable: str) -> str | None:
        """Return a variable of 2.x, None when there is no such."""
        setting = VARIABLES.get((component, variable))
        if setting is not None:
            return self.told.get(setting.value, self._read(setting))
        return self.fixed_variables.get((component, variable))

    def variables(self) -> list[tuple[str, str, str, bool]]:
        """Return component, variable, value and whether it can be changed, of everything in 2.x."""
        changeable = [(*name, self._read(setting), True) for name, setting in VARIABLES.items()]
        return [*changeable, *((*name, value, False) for name, value in self.fixed_variables.items())]

    def change_variable(self, component: str, variable: str, value: str) -> SettingStatus:
        """Change a variable of 2.x."""
        setting = VARIABLES.get((component, variable))
        if setting is not None:
            return self.change(setting.value, value)
        known = (component, variable) in self.fixed_variables
        return SettingStatus.REJECTED if known else SettingStatus.UNKNOWN

    def keys(self) -> list[str]:
        """Return every key of 1.6."""
        return [*(str(setting.value) for setting in Setting), *self.fixed]

    def _change_list(self, setting: Setting, value: str) -> SettingStatus:
        measurands = tuple(part.strip() for part in value.split(","))
        if not set(measurands) <= set(MEASURANDS):
            return SettingStatus.REJECTED
        if setting is Setting.SAMPLED_MEASURANDS:
            self.sampled_measurands = measurands
        else:
            self.aligned_measurands = measurands
        return SettingStatus.ACCEPTED

    def _read(self, setting: Setting) -> str:
        match setting:
            case Setting.HEARTBEAT:
                return str(self.heartbeat_s)
            case Setting.SAMPLED_INTERVAL:
                return str(self.sampled_s)
            case Setting.ALIGNED_INTERVAL:
                return str(self.aligned_s)
            case Setting.SAMPLED_MEASURANDS:
                return ",".join(self.sampled_measurands)
            case Setting.ALIGNED_MEASURANDS:
                return ",".join(self.aligned_measurands)

    def _write(self, setting: Setting, value: int) -> None:
        if setting is Setting.HEARTBEAT:
            self.heartbeat_s = max(value, 1)
        elif setting is Setting.SAMPLED_INTERVAL:
            self.sampled_s = value
        else:
            self.aligned_s = value
