"""What suppliers are told a day ahead."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import httpx
import numpy as np
import pytest

from csms.control.expected_load import expect_load, planned_kwh, usual_day_kwh
from csms.control.load_forecast import LoadForecastDesk
from csms.state.records import PlanRecord
from grid.timegrid import QUARTER, floor_quarter
from optimizer.plan import EvPlan, Plan, PlanStatus, Proof, Stop
from tests.csms.api.world import NOW, World
from tests.csms.control.street import load_lombok

GRID = load_lombok()
TOMORROW = (NOW + timedelta(days=1)).astimezone(GRID.tz).date()


def plan_of(session_id: str, power_kw: list[float]) -> Plan:
    ev = EvPlan(id=session_id, power_kw=tuple(power_kw), energy_kwh=(), shortfall_kwh=0.0)
    nothing = tuple(0.0 for _ in power_kw)
    return Plan(
        status=PlanStatus(proof=Proof.OPTIMAL, stop=Stop.SOLVED),
        bound_eur=None,
        objective_eur=0.0,
        money_eur=0.0,
        gap=None,
        solve_seconds=0.0,
        import_kw=nothing,
        export_kw=nothing,
        curtailed_kw=nothing,
        limit_excess_kw=nothing,
        peak_bands=(),
        evs=(ev,),
    )


def test_what_is_usual_is_the_mean_by_local_quarter() -> None:
    at = floor_quarter(NOW)
    usual = usual_day_kwh([(at, 2.0), (at - timedelta(days=1), 4.0)], 2.0, GRID.tz)
    assert usual.sum() == pytest.approx(3.0)
    assert usual[17 * 4 + 2] == pytest.approx(3.0)  # 15:30 UTC is half past five


def test_the_plan_counts_where_it_takes_more_or_gives_back() -> None:
    connection = GRID.topology.connections[0]
    start = floor_quarter(NOW)
    plan = plan_of("s", [8.0] * 60 + [-4.0] * 36)
    usual = np.full(96, 0.5)
    found = expect_load(TOMORROW, GRID.tz, connection, usual, plan, start, frozenset({"s"}))
    given = dict(zip(found.starts, found.net_kwh.tolist(), strict=True))
    assert given[start + 59 * QUARTER] == pytest.approx(2.0)
    assert given[start + 60 * QUARTER] == pytest.approx(-1.0)
    assert found.starts[-1] not in {start + number * QUARTER for number in range(96)}
    assert given[found.starts[-1]] == pytest.approx(0.5)
    assert planned_kwh(plan, start, frozenset(), found.starts).sum() == 0.0


async def test_every_connection_is_forecast_from_history_and_plan(
    operator: httpx.AsyncClient, world: World
) -> None:
    await world.plug_in()
    await world.charge(to_kwh=12.0)
    session = await world.plug_in("t-2", evse_id=2)
    start = floor_quarter(world.clock.now())
    record = PlanRecord(
        "p-1", NOW, "quarter", "OPTIMAL (solved)", 0.0, 0.0, 0.1,
        f'{{"start": "{start.isoformat()}"}}', plan_of(session, [4.0] * 96).model_dump_json(),
    )  # fmt: skip
    await world.service.record_plan(record)
    documents = (await operator.get("/api/v1/load-forecast")).json()
    assert len(documents) == len(GRID.topology.connections)
    (own,) = [each for each in documents if each["ean18"] == "871694600000010178"]
    energies = [each["net_kwh"] for each in own["quarters"]]
    assert len(energies) == 96
    assert max(energies) == pytest.approx(1.0)  # the plan's 4 kW
    assert all(after > before for before, after in pairwise(each["utc_start"] for each in own["quarters"]))
    assert all(each["net_kwh"] == 0.0 for each in documents[0]["quarters"])

    text = (await operator.get("/api/v1/load-forecast.csv?day=2024-10-27")).text
    assert text.startswith("ean18,supplier,utc_start,net_kwh\n")
    assert len(text.splitlines()) == 1 + 100 * len(documents)
    assert all(each["made_at"] and not each["frozen"] for each in documents)
    assert documents[0]["late"], "it is half past five in the afternoon"
    assert (await operator.get("/api/v1/load-forecast?supplier=nobody")).json() == []
    assert (await operator.get("/api/v1/load-forecast?day=soon")).status_code == 422


async def test_what_was_announced_stays_as_it_was(operator: httpx.AsyncClient, world: World) -> None:
    desk = LoadForecastDesk(world.service, world.street.grid, world.clock)
    await desk.make_due()
    announced = (await operator.get("/api/v1/load-forecast")).json()
    assert {(each["made_at"], each["frozen"], each["late"]) for each in announced} == {
        ("2024-06-11T15:30:00Z", True, True)
    }
    await world.plug_in()
    await world.charge(to_kwh=14.0)
    await desk.make_due()
    assert (await operator.get("/api/v1/load-forecast")).json() == announced
    text = (await operator.get(f"/api/v1/load-forecast.csv?day={TOMORROW}")).text
    assert len(text.splitlines()) == 1 + 96 * len(announced)
    other = (await operator.get(f"/api/v1/load-forecast?day={TOMORROW + timedelta(days=1)}")).json()
    assert not any(each["frozen"] for each in other)
    assert max(quarter["net_kwh"] for each in other for quarter in each["quarters"]) > 0.0
