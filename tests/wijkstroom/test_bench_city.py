"""The benchmark of cities: cities that repeat, the published names, limits that bind."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer.city.planner import plan_city
from optimizer.planner import plan
from wijkstroom.bench import city as bench
from wijkstroom.bench.frame import Figure


def test_equal_arguments_give_equal_cities() -> None:
    assert bench.make_city(12) == bench.make_city(12)


def test_figures_have_the_published_names_and_their_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "TARGET_SITES", 2)
    city = bench.make_city(2)
    figures = bench._figures(city, plan_city(city), 1.0, 0.0)
    assert [(figure.name, figure.target) for figure in figures] == [
        ("city_40_s", "<= 60"),
        ("city_40_gap", "<= 0.01"),
        ("city_40_overload_kwh", "<= 0.001"),
    ]
    assert figures[2].met
    assert "0 findings" in figures[2].reference


def test_without_coordination_the_nodes_are_overloaded_and_with_it_they_are_not() -> None:
    city = bench.make_city(3)
    assert bench.overload_kwh(city, [plan(site) for site in city.sites]) > 1.0
    assert bench.overload_kwh(city, [site.plan for site in plan_city(city).sites]) < 1e-3


def test_no_coordination_is_reported_beside_the_coordinated_city() -> None:
    figures: list[Figure] = bench.measure_uncoordinated(2)
    assert [figure.name for figure in figures] == [
        "city_40_uncoordinated_overload_kwh",
        "city_40_equal_shares_dearer",
    ]
    assert all(figure.value is not None and np.isfinite(figure.value) for figure in figures)


def test_events_stay_within_the_quotas() -> None:
    figure = bench.measure_events(3)
    assert figure.name == "city_event_ms"
    assert "by 0.000 kWh" in figure.reference
