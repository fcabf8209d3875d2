"""Blocks of OSCP in every unit and on every conductor, and whose clock counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.capacity.signals import CapacitySignal, SignalBook, check_signal
from grid.feeds.oscp import ForecastedBlock, ForecastType, GroupCapacityForecast, read_forecast
from grid.timegrid import QUARTER
from grid.topology import Direction, Node, NodeKind, Phase, Topology

NOW = datetime(2026, 6, 9, 12, tzinfo=UTC)
TREE = Topology((Node("transformer", NodeKind.TRANSFORMER),), ())


def forecast(
    capacity: float,
    unit: str,
    phase: str = "ALL",
    spans: tuple[tuple[float, float], ...] = ((0, 1),),
) -> CapacitySignal:
    """Return a forecast with a block for every span of hours from now."""
    blocks = tuple(
        ForecastedBlock.model_validate(
            {
                "capacity": capacity,
                "unit": unit,
                "phase": phase,
                "start_time": NOW + timedelta(hours=begin),
                "end_time": NOW + timedelta(hours=end),
            }
        )
        for begin, end in spans
    )
    message = GroupCapacityForecast(group_id="G", type=ForecastType.CONSUMPTION, forecasted_blocks=blocks)
    return read_forecast(message, "transformer", "Stedin", "s", NOW, 230.0)


@pytest.mark.parametrize(
    ("capacity", "unit", "phase", "kw", "conductor"),
    [
        (100.0, "A", "ALL", 69.0, Phase.ALL),
        (100.0, "A", "UNKNOWN", 69.0, Phase.ALL),
        (100.0, "A", "TWO", 23.0, Phase.L2),
        (23_000.0, "W", "ONE", 23.0, Phase.L1),
        (23.0, "KW", "THREE", 23.0, Phase.L3),
        (46_000.0, "WH", "ALL", 23.0, Phase.ALL),
        (46.0, "KWH", "ONE", 23.0, Phase.L1),
    ],
)
def test_every_unit_and_conductor(
    capacity: float, unit: str, phase: str, kw: float, conductor: Phase
) -> None:
    (block,) = forecast(capacity, unit, phase, ((0, 2),)).blocks
    assert block.limit_kw == pytest.approx(kw)
    assert block.phase is conductor


@given(st.floats(0.0, 1e6), st.floats(0.25, 48.0))
def test_an_energy_over_a_span_is_its_mean_power(kwh: float, hours: float) -> None:
    (block,) = forecast(kwh, "KWH", spans=((0, hours),)).blocks
    span_h = (block.end - block.start) / timedelta(hours=1)
    assert block.limit_kw * span_h == pytest.approx(kwh)


def test_between_blocks_nothing_holds() -> None:
    book = SignalBook().with_signal(forecast(50.0, "KW", spans=((0, 1), (2, 3))))
    starts = [NOW + step * QUARTER for step in range(16)]
    values, names = book.limit_kw(TREE, "transformer", Direction.IMPORT, starts, NOW)
    assert list(values) == [50.0] * 4 + [float("inf")] * 4 + [50.0] * 4 + [float("inf")] * 4
    assert names[4] is None


def test_one_phase_bounds_beside_a_limit_of_all() -> None:
    book = SignalBook().with_signal(forecast(60.0, "KW"))
    own = forecast(15.0, "KW", "ONE")
    book = book.with_signal(
        CapacitySignal("p", own.source, "city", own.group, own.direction, own.kind, own.blocks, NOW)
    )
    values, names = book.limit_kw(TREE, "transformer", Direction.IMPORT, [NOW], NOW)
    assert (values[0], names[0]) == (45.0, "city signal p")


def test_only_our_clock_counts() -> None:
    """A sender that is late sends blocks that run; one that is over by our clock is refused by name."""
    running = forecast(50.0, "KW", spans=((-1, 1),))
    assert check_signal(running, TREE, NOW) == []
    over = forecast(50.0, "KW", spans=((-2, -1), (0, 1)))
    assert [problem.path for problem in check_signal(over, TREE, NOW)] == ["blocks[0].end"]
    assert over.received_at == NOW
    # A heartbeat that was over when it came: the sender counts as silent, which is the safe side.
    assert SignalBook().heard("Stedin", NOW - timedelta(minutes=1)).senders["Stedin"].is_silent(NOW)
