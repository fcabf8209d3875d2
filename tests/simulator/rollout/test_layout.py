"""Where poles and drivers are."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.rollout.layout import build_layout
from simulator.rollout.scenario import Poles
from tests.simulator.rollout.conftest import area, scenario


@settings(max_examples=20)
@given(poles=st.integers(1, 40), reach_m=st.floats(50.0, 600.0), replicates=st.integers(1, 3))
def test_drivers_see_the_poles_within_reach_nearest_first(
    poles: int, reach_m: float, replicates: int
) -> None:
    world = scenario(area(poles=poles), area(id="B", poles=3), poles=Poles(reach_m=reach_m))
    layout = build_layout(world, replicates)
    for point in range(len(layout.point_xy)):
        apart = np.linalg.norm(layout.pole_xy - layout.point_xy[point], axis=1)
        seen = layout.candidates[point][layout.candidates[point] >= 0]
        assert (np.diff(apart[seen]) >= -1e-6).all()
        expected = min(int((apart <= reach_m).sum()), layout.candidates.shape[1])
        assert len(seen) == expected


def test_replicates_and_neighbourhoods_are_out_of_each_others_reach() -> None:
    layout = build_layout(scenario(area(), area(id="B")), 2)
    for point, row in enumerate(layout.candidates):
        own = layout.cell_area[layout.point_cell[point]]
        assert (layout.cell_area[layout.pole_cell[row[row >= 0]]] == own).all()


def test_poles_are_appended_and_stay_where_they_are() -> None:
    world = scenario(area(poles=5))
    before = build_layout(world, 1)
    after = before.with_poles(np.array([0, 0, 1]), world)
    assert after.poles == before.poles + 3
    assert (after.pole_xy[: before.poles] == before.pole_xy).all()
    assert (after.pole_feeder[: before.poles] == before.pole_feeder).all()


def test_all_at_once_is_the_same_as_one_after_the_other() -> None:
    world = scenario(area(poles=5))
    once = build_layout(world, 1).with_poles(np.array([0, 1, 0]), world)
    steps = build_layout(world, 1)
    for cell in (0, 1, 0):
        steps = steps.with_poles(np.array([cell]), world)
    assert (once.pole_xy == steps.pole_xy).all()
    assert (once.pole_feeder == steps.pole_feeder).all()
