"""From a description to a station that works: sockets, firmware, settings as from the factory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from simulator.setup import Protocol, StationSetup
from simulator.station.evse import Evse
from simulator.station.firmware import Firmware
from simulator.station.quirks import Quirk
from simulator.station.settings import Settings
from simulator.vehicle.socket import NoRecorder, Recorder, Socket

DEFAULT_HEARTBEAT_S = 300
DEFAULT_METER_INTERVAL_S = 300


def build_settings(
    setup: StationSetup, *, aligned_s: int = DEFAULT_METER_INTERVAL_S, sampled_s: int = 0
) -> Settings:
    """Return the settings of a station fresh from the factory.

    Parameters
    ----------
    setup
        What it is.
    aligned_s, sampled_s
        Between meter values on the clock, and since the transaction began; 0 switches off [s].
    """
    units = {"A": "Current", "W": "Power"}
    fixed = {
        "NumberOfConnectors": str(len(setup.evses)),
        "SupportedFeatureProfiles": "Core,SmartCharging,RemoteTrigger",
        "ChargeProfileMaxStackLevel": str(setup.max_stack_level),
        "ChargingScheduleAllowedChargingRateUnit": units[setup.rate_unit],
        "ChargingScheduleMaxPeriods": str(setup.max_periods),
        "MaxChargingProfilesInstalled": "20",
    }
    variables = {
        ("SmartChargingCtrlr", "PeriodsPerSchedule"): str(setup.max_periods),
        ("SmartChargingCtrlr", "ProfileStackLevel"): str(setup.max_stack_level),
        ("SmartChargingCtrlr", "RateUnit"): setup.rate_unit,
        ("SmartChargingCtrlr", "Enabled"): "true",
    }
    if setup.protocol is Protocol.V21:
        variables["SmartChargingCtrlr", "SupportsDynamicProfiles"] = "true"
        variables["SmartChargingCtrlr", "SupportsMaxOfflineDuration"] = "true"
        variables["V2XChargingCtrlr", "Enabled"] = "true" if setup.bidirectional else "false"
    lies = Quirk.LIES_IN_CONFIGURATION in setup.quirks
    return Settings(DEFAULT_HEARTBEAT_S, sampled_s, aligned_s, fixed, variables, lies=lies)


def build_firmware(
    setup: StationSetup,
    origin: datetime,
    new_id: Callable[[], str],
    *,
    rows: Mapping[int, int] | None = None,
    recorder: Recorder | None = None,
    settings: Settings | None = None,
    voltage_v: float = 230.0,
) -> Firmware:
    """Build a station.

    Parameters
    ----------
    setup
        What it is.
    origin
        The instant of second 0 of the run (aware).
    new_id
        Makes names of transactions.
    rows
        The recorder's row of each EVSE.
    recorder
        Gets the power of every second.
    settings
        Intervals; None for those of the factory.
    voltage_v
        Voltage between phase and neutral [V].
    """
    evses = {}
    for one in setup.evses:
        socket = Socket(
            0 if rows is None else rows[one.id],
            recorder or NoRecorder(),
            phases=setup.phases,
            voltage_v=voltage_v,
            bidirectional=setup.bidirectional,
        )
        evses[one.id] = Evse(one, socket, setup.max_current_a)
        evses[one.id].reports_capacity = setup.protocol is Protocol.V21
        evses[one.id].rectifies = setup.direct_current
    return Firmware(setup, evses, settings or build_settings(setup), origin, new_id)
