"""What a set of samples of one instant says of a socket."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from csms.ocpp.vocabulary import Measurand, Sample

_NOMINAL_VOLTAGE_V = 230.0
# Where energy leaves the station; what is measured elsewhere would count twice.
_AT_THE_SOCKET = {None, "Outlet"}
_PHASES = {"L1": "L1", "L1-N": "L1", "L2": "L2", "L2-N": "L2", "L3": "L3", "L3-N": "L3"}


@dataclass(frozen=True, slots=True)
class Reading:
    """A socket at one instant; None for what was not measured.

    Parameters
    ----------
    at
        When.
    import_kwh, export_kwh
        Registers over all phases [kWh].
    power_kw
        > 0 charges [kW].
    phase_currents_a
        By phase, > 0 charges [A].
    voltage_v
        Mean of the phases against neutral [V].
    soc_fraction
        State of charge [fraction].
    """

    at: datetime
    import_kwh: float | None = None
    export_kwh: float | None = None
    power_kw: float | None = None
    phase_currents_a: dict[str, float] = field(default_factory=dict)
    voltage_v: float | None = None
    soc_fraction: float | None = None


def read_samples(samples: Iterable[Sample]) -> list[Reading]:
    """Return a reading for every instant, in their order."""
    by_time = sorted(samples, key=attrgetter("timestamp"))
    return [_read(at, list(group)) for at, group in groupby(by_time, key=attrgetter("timestamp"))]


def find_total(samples: Sequence[Sample], measurand: str) -> float | None:
    """Return the value over all phases at the socket: as measured, else the sum of the three phases."""
    phases: dict[str, float] = {}
    for sample in samples:
        if sample.measurand != measurand or sample.location not in _AT_THE_SOCKET:
            continue
        if sample.phase is None:
            return sample.value
        if sample.phase in _PHASES:
            phases[_PHASES[sample.phase]] = sample.value
    return sum(phases.values()) if phases else None


def _read(at: datetime, samples: list[Sample]) -> Reading:
    currents, voltage_v = _read_currents(samples), _read_voltage(samples)
    power_kw = _read_power(samples)
    if power_kw is None and currents:
        power_kw = sum(currents.values()) * (voltage_v or _NOMINAL_VOLTAGE_V) / 1000
    soc = [sample.value for sample in samples if sample.measurand == Measurand.SOC]
    return Reading(
        at=at,
        import_kwh=find_total(samples, Measurand.ENERGY_IMPORT_REGISTER),
        export_kwh=find_total(samples, Measurand.ENERGY_EXPORT_REGISTER),
        power_kw=power_kw,
        phase_currents_a=currents,
        voltage_v=voltage_v,
        soc_fraction=min(max(soc[-1], 0.0), 1.0) if soc else None,
    )


def _read_power(samples: list[Sample]) -> float | None:
    taken = find_total(samples, Measurand.POWER_IMPORT)
    given = find_total(samples, Measurand.POWER_EXPORT)
    return _net(taken, given)


def _net(taken: float | None, given: float | None) -> float | None:
    """Subtract what is given; some stations say it twice, as a negative import too."""
    if given is None or (taken is not None and taken < 0):
        return taken
    return (taken or 0.0) - abs(given)


def _read_currents(samples: list[Sample]) -> dict[str, float]:
    taken, given = _by_phase(samples, Measurand.CURRENT_IMPORT), _by_phase(samples, Measurand.CURRENT_EXPORT)
    net = {phase: _net(taken.get(phase), given.get(phase)) for phase in sorted(taken.keys() | given.keys())}
    return {phase: value for phase, value in net.items() if value is not None}


def _by_phase(samples: list[Sample], measurand: Measurand) -> dict[str, float]:
    return {
        _PHASES[sample.phase]: sample.value
        for sample in samples
        if sample.measurand == measurand
        and sample.location in _AT_THE_SOCKET
        and sample.phase is not None
        and sample.phase in _PHASES
    }


def _read_voltage(samples: list[Sample]) -> float | None:
    values = [
        sample.value
        for sample in samples
        if sample.measurand == Measurand.VOLTAGE
        and sample.location in _AT_THE_SOCKET
        and (sample.phase is None or sample.phase in _PHASES)
    ]
    return sum(values) / len(values) if values else None
