from __future__ import annotations

from dataclasses import replace

import pytest

from csms.control.fallback import list_weaknesses
from csms.control.snapshot import plan_grid
from csms.settings import ServiceConfig
from csms.state.catalogue import Catalogue
from tests.csms.control.street import HOUR, NOW, load_catalogue, load_lombok

STARTS = plan_grid(NOW, 24.0).starts
CATALOGUE = load_catalogue()


def only(count: int, current_a: float = 6.0) -> Catalogue:
    stations = dict(list(CATALOGUE.stations.items())[:count])
    return replace(CATALOGUE, stations=stations, service=ServiceConfig(fallback_current_a=current_a))


def test_a_few_stations_are_safe_by_themselves() -> None:
    assert list_weaknesses(only(3), load_lombok(), STARTS) == ()


def test_the_evening_signal_needs_a_plan() -> None:
    (weakness,) = list_weaknesses(CATALOGUE, load_lombok(), STARTS)
    assert weakness.place == "lombok-transformer"
    assert "evening signal" in weakness.source
    assert weakness.at == NOW + 11 * HOUR
    # 48 sockets at 6 A draw 199 kW, the signal is 110 kW.
    assert weakness.excess_kw > 199.0 - 110.0
    assert "lombok-transformer" in str(weakness)


def test_a_fuse_that_carries_only_some_of_its_sockets() -> None:
    weaknesses = list_weaknesses(only(1, current_a=13.0), load_lombok(), STARTS)
    assert [each.place for each in weaknesses] == ["pole-01"]
    assert weaknesses[0].excess_kw == pytest.approx(0.69)
    assert weaknesses[0].at is None
