from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.capacity.envelope import UNLIMITED, compute_envelope
from grid.timegrid import QUARTER, TimeGrid, quarters_of_local_day
from grid.topology import (
    Averaging,
    Connection,
    ConnectionKind,
    Direction,
    Limit,
    LimitKind,
    LimitUnit,
    Netting,
    Node,
    NodeKind,
    Phase,
    Topology,
)

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
DAY = quarters_of_local_day(date(2024, 6, 11), AMSTERDAM).starts


def limit(value: float, **changes: Any) -> Limit:
    fields: dict[str, Any] = {
        "unit": LimitUnit.KW,
        "direction": Direction.IMPORT,
        "kind": LimitKind.THERMAL,
        "source": f"{value:g}",
    }
    return Limit(value=value, **{**fields, **changes})


def street(*limits: Limit, feeder: tuple[Limit, ...] = (), **changes: Any) -> Topology:
    pole = Connection(
        id="pole",
        node="feeder",
        ean18="871694600000010017",
        kind=ConnectionKind.PUBLIC_POLE,
        fuse="3x25A",
        **changes,
    )
    nodes = (
        Node("root", NodeKind.TRANSFORMER, limits=limits),
        Node("feeder", NodeKind.FEEDER, "root", limits=feeder),
    )
    return Topology(nodes, (pole,))


EVENING = limit(110.0, kind=LimitKind.SIGNAL, daily_from=time(17), daily_to=time(21), source="evening signal")
PLATE = limit(400.0, unit=LimitUnit.KVA, source="name plate")


def test_the_evening_signal_binds_in_its_window_only() -> None:
    envelope = compute_envelope(street(PLATE, EVENING), "root", DAY, AMSTERDAM)
    hours = np.arange(96) / 4
    evening = (hours >= 17) & (hours < 21)
    assert np.all(envelope.import_limit_kw[evening] == 110.0)
    assert np.all(envelope.import_limit_kw[~evening] == pytest.approx(380.0))
    assert {envelope.import_source[i] for i in np.flatnonzero(evening)} == {"root: evening signal"}
    assert {envelope.import_source[i] for i in np.flatnonzero(~evening)} == {"root: name plate"}


@pytest.mark.parametrize("day", [date(2024, 3, 31), date(2024, 10, 27)])
def test_windows_are_local_time_on_clock_change_days(day: date) -> None:
    starts = quarters_of_local_day(day, AMSTERDAM).starts
    envelope = compute_envelope(street(PLATE, EVENING), "root", starts, AMSTERDAM)
    bound = [
        start.astimezone(AMSTERDAM)
        for start, kw in zip(starts, envelope.import_limit_kw, strict=True)
        if kw == 110.0
    ]
    assert len(bound) == 16
    assert (bound[0].hour, bound[-1].hour) == (17, 20)


def test_a_window_in_the_hour_that_comes_twice_holds_twice() -> None:
    night = limit(50.0, daily_from=time(2), daily_to=time(3))
    starts = quarters_of_local_day(date(2024, 10, 27), AMSTERDAM).starts
    assert (
        np.count_nonzero(compute_envelope(street(night), "root", starts, AMSTERDAM).import_limit_kw == 50.0)
        == 8
    )
    starts = quarters_of_local_day(date(2024, 3, 31), AMSTERDAM).starts
    assert np.all(compute_envelope(street(night), "root", starts, AMSTERDAM).import_limit_kw == math.inf)


def test_a_place_is_bound_by_everything_above_it() -> None:
    tree = street(limit(10.0, source="root"), feeder=(limit(15.0, source="feeder"),))
    at_pole = compute_envelope(tree, "pole", DAY[:1], AMSTERDAM)
    assert at_pole.import_limit_kw[0] == 10.0
    assert at_pole.import_source == ["root: root"]
    assert compute_envelope(tree, "root", DAY[:1], AMSTERDAM).import_limit_kw[0] == 10.0
    wide = compute_envelope(street(limit(100.0)), "pole", DAY[:1], AMSTERDAM)
    assert wide.import_limit_kw[0] == pytest.approx(17.25)
    assert wide.import_source == ["pole: fuse 3x25A of pole"]


def test_nobody_exports_without_registration() -> None:
    closed = compute_envelope(street(), "pole", DAY[:1], AMSTERDAM)
    assert closed.export_limit_kw[0] == 0.0
    assert closed.export_source == ["pole: registered feed-in of pole"]
    opened = compute_envelope(
        street(feed_in_registered=True, export_limit_kw=11.0), "pole", DAY[:1], AMSTERDAM
    )
    assert opened.export_limit_kw[0] == 11.0


def test_directions_do_not_mix_and_nothing_is_unlimited() -> None:
    envelope = compute_envelope(street(limit(10.0, direction=Direction.EXPORT)), "root", DAY[:2], AMSTERDAM)
    assert list(envelope.export_limit_kw) == [10.0, 10.0]
    assert list(envelope.import_limit_kw) == [math.inf, math.inf]
    assert envelope.import_source == [UNLIMITED, UNLIMITED]


def test_the_nearest_of_equal_limits_is_named() -> None:
    tree = street(limit(10.0, source="far"), feeder=(limit(10.0, source="near"),))
    assert compute_envelope(tree, "feeder", DAY[:1], AMSTERDAM).import_source == ["feeder: near"]


def test_the_power_factor_is_a_margin_of_apparent_power_only() -> None:
    tree = street(PLATE)
    assert compute_envelope(tree, "root", DAY[:1], AMSTERDAM, 1.0).import_limit_kw[0] == 400.0
    assert compute_envelope(tree, "root", DAY[:1], AMSTERDAM, 0.9).import_limit_kw[0] == pytest.approx(360.0)
    assert compute_envelope(street(limit(400.0)), "root", DAY[:1], AMSTERDAM, 0.9).import_limit_kw[0] == 400.0


def test_only_the_limits_of_one_averaging() -> None:
    tree = street(EVENING, limit(50.0, unit=LimitUnit.A, kind=LimitKind.CABLE, source="cable"))
    fast = compute_envelope(tree, "root", DAY, AMSTERDAM, averaging=Averaging.ANY_SECOND)
    assert np.all(fast.import_limit_kw == pytest.approx(34.5))
    slow = compute_envelope(tree, "root", DAY, AMSTERDAM, averaging=Averaging.QUARTER_HOUR_MEAN)
    assert slow.import_limit_kw.min() == 110.0


def test_one_phase_alone() -> None:
    cable = limit(50.0, unit=LimitUnit.A, kind=LimitKind.CABLE)
    worn = limit(20.0, unit=LimitUnit.A, kind=LimitKind.CABLE, phase=Phase.L2)
    tree = street(cable, worn)
    on = {
        phase: compute_envelope(tree, "root", DAY[:1], AMSTERDAM, phase=phase).import_limit_kw[0]
        for phase in Phase
    }
    assert on[Phase.L1] == on[Phase.L3] == pytest.approx(11.5)
    assert on[Phase.L2] == pytest.approx(4.6)
    assert on[Phase.ALL] == pytest.approx(13.8)


def test_netting_needs_everybodys_confirmation() -> None:
    yes = limit(10.0, netting=Netting.CONFIRMED)
    assert compute_envelope(street(yes), "root", DAY[:1], AMSTERDAM).netting is Netting.CONFIRMED
    assert compute_envelope(street(yes, PLATE), "root", DAY[:1], AMSTERDAM).netting is Netting.NONE
    assert compute_envelope(street(yes), "pole", DAY[:1], AMSTERDAM).netting is Netting.NONE
    assert compute_envelope(street(), "root", DAY[:1], AMSTERDAM).netting is Netting.NONE


def test_an_unknown_place_and_no_steps() -> None:
    with pytest.raises(KeyError):
        compute_envelope(street(), "nowhere", DAY, AMSTERDAM)
    assert len(compute_envelope(street(PLATE), "root", (), AMSTERDAM).import_limit_kw) == 0


windows = st.none() | st.tuples(st.integers(0, 23), st.integers(0, 23))
limits = st.builds(
    lambda value, window, direction: limit(
        value,
        direction=direction,
        daily_from=time(window[0]) if window else None,
        daily_to=time(window[1]) if window else None,
    ),
    st.floats(0, 500),
    windows,
    st.sampled_from(Direction),
)


@given(st.lists(limits, max_size=4), st.lists(limits, max_size=3), st.integers(0, 8760))
def test_going_down_never_widens_and_one_more_limit_never_helps(
    root: list[Limit], feeder: list[Limit], hour: int
) -> None:
    starts = TimeGrid(datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hour), QUARTER, 40).starts
    tree = street(*root, feeder=tuple(feeder))
    above, below = (compute_envelope(tree, place, starts, AMSTERDAM) for place in ("root", "feeder"))
    assert np.all(below.import_limit_kw <= above.import_limit_kw)
    assert np.all(below.export_limit_kw <= above.export_limit_kw)
    more = compute_envelope(street(*root, limit(25.0), feeder=tuple(feeder)), "feeder", starts, AMSTERDAM)
    assert np.all(more.import_limit_kw == np.minimum(below.import_limit_kw, 25.0))
    assert np.all(more.export_limit_kw == below.export_limit_kw)
