"""What a station is told once, before it is steered: its ceiling, its fallback, and how to meter."""

from __future__ import annotations

from datetime import datetime

from csms.control.profiles import fallback_profile, station_max_profile
from csms.ocpp.dialects import DischargeDialect
from csms.ocpp.vocabulary import Command, Measurand, SetAlignedInterval, SetAlignedMeasurands, SetProfile
from csms.settings import StationConfig
from csms.state.catalogue import Catalogue

_MEASURANDS = (
    Measurand.ENERGY_IMPORT_REGISTER,
    Measurand.POWER_IMPORT,
    Measurand.CURRENT_IMPORT,
    Measurand.VOLTAGE,
    Measurand.SOC,
)
_BIDIRECTIONAL_MEASURANDS = (
    Measurand.ENERGY_IMPORT_REGISTER,
    Measurand.ENERGY_EXPORT_REGISTER,
    Measurand.POWER_IMPORT,
    Measurand.POWER_EXPORT,
    Measurand.CURRENT_IMPORT,
    Measurand.VOLTAGE,
    Measurand.SOC,
)


def fallbacks(catalogue: Catalogue, station: StationConfig, now: datetime) -> dict[int, SetProfile]:
    """Return by EVSE the command that limits it while no plan holds: it goes first."""
    model = catalogue.model_of(station.id)
    current_a = catalogue.service.fallback_current_a
    return {
        evse.id: SetProfile(evse.id, fallback_profile(model, evse.id, current_a, now))
        for evse in station.evses
    }


def ceiling(catalogue: Catalogue, station: StationConfig, now: datetime) -> SetProfile:
    """Return the command that keeps a whole station under the fuse of its connection."""
    fuse_a = catalogue.connection_of(station.id).fuse_current_a
    model = catalogue.model_of(station.id)
    return SetProfile(0, station_max_profile(model, len(station.evses), fuse_a, now))


def metering(catalogue: Catalogue, station: StationConfig) -> tuple[Command, ...]:
    """Return the commands that say what and how often sockets are metered.

    Values on the clock make a quarter's energy the difference of two registers.
    A station that refuses keeps its own way of metering; the service takes what comes.
    """
    model = catalogue.model_of(station.id)
    discharges = model.discharge_dialect is not DischargeDialect.NONE
    return (
        SetAlignedInterval(catalogue.service.meter_interval_s),
        SetAlignedMeasurands(_BIDIRECTIONAL_MEASURANDS if discharges else _MEASURANDS),
    )
