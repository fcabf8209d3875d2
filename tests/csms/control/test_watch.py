"""The meter's own word: a quarter that would exceed its limit is noticed while it can be saved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from csms.control.watch import MeterWatch
from csms.settings import MeterConfig, MeterRole, ServiceConfig
from csms.state.catalogue import Catalogue
from csms.state.events import MeterRead
from grid.config import load_document
from grid.street import GridSide, load_grid_side

CONFIGS = Path(__file__).parents[3] / "configs"
EVENING = datetime(2024, 6, 11, 15, 0, tzinfo=UTC)  # 17:00 local: the signal of 110 kW begins


@pytest.fixture(scope="module")
def grid() -> GridSide:
    return load_grid_side(load_document(CONFIGS / "lombok.toml"), lambda name: CONFIGS / name)


@pytest.fixture
def watch(grid: GridSide) -> MeterWatch:
    meter = MeterConfig(id="transformer", role=MeterRole.NODE, node="lombok-transformer")
    return MeterWatch(Catalogue({}, {}, grid.topology, ServiceConfig(meters=(meter,))), grid)


def feed(
    watch: MeterWatch, begin: datetime, powers_kw: list[float], meter: str = "transformer"
) -> list[bool]:
    """Read the meter every ten seconds."""
    seen, register_kwh = [], 500.0
    for number, power_kw in enumerate(powers_kw):
        at = begin + timedelta(seconds=10 * number)
        seen.append(watch.sees_excess(MeterRead(meter, at, power_kw, register_kwh, 0.0)))
        register_kwh += power_kw / 360
    return seen


def test_power_over_the_signal_is_seen_once_and_again_after_a_while(watch: MeterWatch) -> None:
    seen = feed(watch, EVENING, [130.0] * 12)
    assert seen[0]
    assert sum(seen) == 3
    assert not any(seen[1:5])


def test_power_under_the_signal_is_left_alone(watch: MeterWatch) -> None:
    assert not any(feed(watch, EVENING, [109.0] * 80))


def test_outside_its_hours_only_the_name_plate_counts(watch: MeterWatch) -> None:
    assert not any(feed(watch, EVENING - timedelta(hours=1), [130.0] * 80))
    assert any(feed(watch, EVENING - timedelta(minutes=30), [395.0] * 4))


def test_a_stale_meter_tells_nothing_of_the_quarter(watch: MeterWatch) -> None:
    feed(watch, EVENING, [130.0] * 31)
    assert watch.fresh_budget(EVENING + timedelta(minutes=5)) is not None
    assert watch.fresh_budget(EVENING + timedelta(minutes=8)) is None


def test_the_peak_of_the_month_is_the_highest_finished_mean(watch: MeterWatch) -> None:
    feed(watch, EVENING, [100.0] * 90 + [90.0] * 90 + [200.0] * 20)
    (peak_kw,) = watch.realised_peak_kw(EVENING).values()
    assert peak_kw == pytest.approx(100.0)
    assert watch.realised_peak_kw(EVENING + timedelta(days=30)) == {}


def test_other_meters_do_not_count(watch: MeterWatch) -> None:
    assert not any(feed(watch, EVENING, [500.0] * 5, meter="sun"))
