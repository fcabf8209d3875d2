"""From rules to what happens: faults at instants and stations' quirks, each from a stream of its own. Pure.

A stream is named by seed, rule and station, so that neither other stations nor the number of processes that
share the work move anything.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from simulator.faults.scenario import DEFAULT_VALUES, OF_SOCKET, FaultKind, FaultRule, Scenario
from simulator.setup import StationSetup
from simulator.station.quirks import Quirk, Quirks

SECONDS_PER_DAY = 86_400.0
_FAULTS, _QUIRKS = 21, 22


@dataclass(frozen=True, order=True, slots=True)
class FaultEvent:
    """A fault that begins and ends.

    Parameters
    ----------
    begin_s, end_s
        Seconds after the begin of the run.
    station_id
        Where.
    evse_id
        Which socket; 0 for the whole station.
    kind
        What.
    value
        As its kind needs.
    """

    begin_s: float
    end_s: float
    station_id: str
    evse_id: int
    kind: FaultKind
    value: float = 0.0


def draw_faults(
    scenario: Scenario, stations: Sequence[StationSetup], seconds: float, seed: int
) -> list[FaultEvent]:
    """Draw every fault of a run, by time.

    Parameters
    ----------
    scenario
        The rules.
    stations
        What stands there.
    seconds
        Length of the run [s]; a longer run begins with the same faults.
    seed
        Together with the scenario's own the only source of randomness.
    """
    events: list[FaultEvent] = []
    for number, rule in enumerate(scenario.faults):
        for station in stations:
            if fnmatchcase(station.id, rule.stations):
                rng = _stream(seed + scenario.scenario.seed, _FAULTS, number, station.id)
                events += _draw_rule(rule, station, seconds, rng)
    return sorted(events)


def draw_quirks(scenario: Scenario, station: StationSetup, seed: int) -> Quirks:
    """Return the quirks of one station: those of its model, and those that the scenario gives it."""
    values: dict[Quirk, float] = {}
    for number, rule in enumerate(scenario.quirks):
        if not fnmatchcase(station.id, rule.stations):
            continue
        rng = _stream(seed + scenario.scenario.seed, _QUIRKS, number, station.id)
        if rng.random() < rule.share:
            values[rule.kind] = 1.0 if rule.value is None else rule.value
    return station.quirks | Quirks(values)


def _draw_rule(
    rule: FaultRule, station: StationSetup, seconds: float, rng: np.random.Generator
) -> Iterator[FaultEvent]:
    for begin_s in _begins(rule, rng):
        if begin_s >= seconds:
            return
        lasts_s = 60.0 * rng.uniform(rule.duration_minutes_min, rule.duration_minutes_max)
        picked = station.evses[int(rng.integers(len(station.evses)))].id
        yield FaultEvent(
            begin_s,
            begin_s + lasts_s,
            station.id,
            (rule.evse or picked) if rule.kind in OF_SOCKET else 0,
            rule.kind,
            DEFAULT_VALUES.get(rule.kind, 0.0) if rule.value is None else rule.value,
        )


def _begins(rule: FaultRule, rng: np.random.Generator) -> Iterator[float]:
    if rule.at_minutes is not None:
        yield rule.at_minutes * 60.0
        return
    assert rule.per_day is not None, "checked when the rule was read"
    begin_s = 0.0
    while True:
        begin_s += float(rng.exponential(SECONDS_PER_DAY / rule.per_day))
        yield begin_s


def _stream(seed: int, kind: int, number: int, station_id: str) -> np.random.Generator:
    return np.random.default_rng([seed, kind, number, zlib.crc32(station_id.encode())])
