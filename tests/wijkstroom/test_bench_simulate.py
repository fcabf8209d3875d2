"""The measurement of many stations, with a few of them."""

from __future__ import annotations

import asyncio

from wijkstroom.bench.simulate import Load, compose_figures, measure_stations


def test_few_stations_are_measured_as_many_are() -> None:
    load = Load(stations=4, ramp_s=0.0, measured_s=0.2)
    found = asyncio.run(measure_stations(load))
    assert found.online == 4
    assert found.cars >= 4
    assert found.errors == 0
    assert found.megabytes > 0.0
    figures = {figure.name: figure for figure in compose_figures(load, found)}
    assert figures["stations"].met
    assert figures["errors"].met
    assert {"cpu_fraction", "mb", "meter_values_per_minute", "backlog_s"} <= set(figures)
