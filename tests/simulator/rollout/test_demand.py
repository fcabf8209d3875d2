"""How many sessions there are and what they are like."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.rollout.calendar import year_grid
from simulator.rollout.demand import DemandModel, Library, electric_cars, electric_fraction, sessions_per_year
from simulator.rollout.layout import build_layout
from simulator.rollout.scenario import Adoption
from simulator.rollout.year import DEMAND, stream
from tests.simulator.rollout.conftest import area, scenario

CURVE = Adoption(years=(2025, 2030, 2035), electric_fraction=(0.21, 0.44, 0.75))


@given(year=st.integers(2020, 2039))
def test_adoption_rises_between_its_support_points(year: int) -> None:
    assert electric_fraction(CURVE, year) <= electric_fraction(CURVE, year + 1) + 1e-12


@pytest.mark.parametrize(
    ("year", "share"), [(2025, 0.21), (2030, 0.44), (2035, 0.75), (2024, 0.21), (2040, 0.75)]
)
def test_adoption_passes_its_support_points(year: int, share: float) -> None:
    assert electric_fraction(CURVE, year) == pytest.approx(share)


def test_a_car_uses_what_it_drives(library: Library) -> None:
    world = scenario(area(households=4000, visitor_factor=1.0))
    per_year = sessions_per_year(world, library, 2025)
    wanted = float((per_year @ library.mean_kwh).sum())
    public = electric_cars(world, 2025).sum() * world.adoption.public_fraction
    assert wanted / public == pytest.approx(13_000 * 0.19, rel=1e-9)


def test_drawn_energy_is_the_expected_one(library: Library) -> None:
    world = scenario(area(households=8000, poles=20))
    grid = year_grid(2025)
    layout = build_layout(world, 1)
    requests = DemandModel(world, library, grid).draw(layout, 0, np.random.default_rng(1))
    inside = requests.step >= 0
    wanted = library.energy_kwh[requests.session[inside]].sum()
    expected = electric_cars(world, 2025).sum() * world.adoption.public_fraction * 2470
    assert wanted == pytest.approx(expected, rel=0.03)


def test_more_poles_do_not_move_the_drivers(library: Library) -> None:
    grid = year_grid(2025)
    drawn = []
    for poles in (2, 9):
        world = scenario(area(poles=poles))
        layout = build_layout(world, 1)
        drawn.append(DemandModel(world, library, grid).draw(layout, 0, stream(3, 0, 2025, DEMAND)))
    assert (drawn[0].step == drawn[1].step).all()
    assert (drawn[0].session == drawn[1].session).all()
    assert (drawn[0].point == drawn[1].point).all()


def test_sessions_can_be_served_in_their_stay(library: Library) -> None:
    full = library.target_fraction == 1.0
    assert 0.3 < full.mean() < 0.6
    needed_h = library.energy_kwh / library.charger_kw
    assert (needed_h <= library.stay_h + 1e-6).mean() > 0.99
