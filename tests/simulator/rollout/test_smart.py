"""The fast policy: limits hold, drivers are served, the bill falls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.rollout.figures import replicate_figures
from simulator.rollout.scenario import Control, Grid, Money, Policy, Scenario
from simulator.rollout.smart import Smart
from simulator.rollout.year import Task, YearRun
from tests.simulator.rollout.conftest import DATA, area, scenario


def run(world: Scenario, policy: Policy) -> tuple[YearRun, Any]:
    run = YearRun(Task(world, DATA, 2025, policy, 0, 1))
    return run, run.run().tables


WORLD = scenario(area(households=900, poles=12))


@pytest.fixture(scope="module")
def tables() -> dict[Policy, Any]:
    return {policy: run(WORLD, policy)[1] for policy in Policy}


def total(tables: Any, table: str, column: str) -> float:
    return float(tables[table][column].sum())


def test_smart_charging_delivers_the_same_energy_cheaper(tables: dict[Policy, Any]) -> None:
    before, after = tables[Policy.UNCONTROLLED], tables[Policy.SMART]
    assert total(after, "areas", "metered_kwh") == pytest.approx(
        total(before, "areas", "metered_kwh"), rel=0.02
    )
    assert total(after, "transformers", "money_eur") < total(before, "transformers", "money_eur")
    short = total(after, "areas", "short_kwh") - total(before, "areas", "short_kwh")
    assert short < 0.005 * total(before, "areas", "need_kwh")


def test_only_v2g_discharges(tables: dict[Policy, Any]) -> None:
    given = {policy: total(each, "areas", "discharged_kwh") for policy, each in tables.items()}
    assert given[Policy.V2G] > 0
    assert all(value == 0 for policy, value in given.items() if policy is not Policy.V2G)


def test_drivers_do_not_pay_for_what_is_taken_out_and_put_back(tables: dict[Policy, Any]) -> None:
    given = total(tables[Policy.V2G], "areas", "discharged_kwh")
    net_kwh = total(tables[Policy.V2G], "areas", "metered_kwh") - given
    (paid_eur,) = replicate_figures(WORLD, tables[Policy.V2G])["revenue_eur"]
    assert paid_eur == pytest.approx(net_kwh * WORLD.money.retail_eur_per_kwh)


def test_a_reward_moves_charging_out_of_the_window() -> None:
    shares, charged = [], []
    for reward in (0.0, 0.5):
        money = Money(reward_eur_per_kwh=reward, reward_from_hour=0.0, reward_to_hour=6.0)
        _, seen = run(WORLD.model_copy(update={"money": money}), Policy.SMART)
        charged.append(total(seen, "areas", "metered_kwh"))
        shares.append(total(seen, "areas", "rewarded_kwh") / charged[-1])
    assert shares[1] > shares[0] + 0.1
    assert charged[1] == pytest.approx(charged[0], rel=0.01)


def test_policies_see_the_same_drivers(tables: dict[Policy, Any]) -> None:
    for column in ("arrivals", "blocked", "sessions"):
        assert len({total(each, "areas", column) for each in tables.values()}) == 1


def test_energy_is_conserved_with_discharge(tables: dict[Policy, Any]) -> None:
    areas = tables[Policy.V2G]["areas"]
    left = areas["metered_kwh"] - areas["discharged_kwh"] - areas["lost_kwh"] - areas["stored_kwh"]
    assert np.abs(left).max() < 1e-6


def test_cars_never_take_the_expected_load_above_the_limit() -> None:
    world = scenario(
        area(households=150, poles=12, transformers=1, pv_kw=0.0), grid=Grid(transformer_kva=100.0)
    )
    run = YearRun(Task(world, DATA, 2025, Policy.SMART, 0, 1))
    policy = run.kernel.policy
    assert isinstance(policy, Smart)
    load: dict[int, float] = {}
    run.kernel.trace = lambda step, _, power: load.__setitem__(step, float(power.sum()))
    run.kernel.run_until(96 * 10)
    expected = run.network.expected_kw(0, 960, np.array([0]))[:, 0]
    charging = {step: kw for step, kw in load.items() if step >= 0 and kw > 0}
    # The forecast is kept in single precision.
    assert all(kw + expected[step] <= policy.limit_kw + 1e-3 for step, kw in charging.items())
    assert max(load.values()) > 10


def test_who_declares_nothing_is_charged_at_once() -> None:
    world = scenario(control=Control(declared_fraction=0.0, undeclared_hours=0.0))
    smart, plain = (run(world, policy)[1] for policy in (Policy.SMART, Policy.UNCONTROLLED))
    assert total(smart, "areas", "short_kwh") == pytest.approx(
        total(plain, "areas", "short_kwh"), rel=0.1, abs=3.0
    )
