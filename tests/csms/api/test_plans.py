from __future__ import annotations

import httpx

from csms.state.records import PlanRecord
from tests.csms.api.world import NOW, World


def make_record(number: int, plan_json: str = '{"objective_eur": 1.5}') -> PlanRecord:
    return PlanRecord(
        f"p-{number}", NOW, "quarter", "OPTIMAL (solved)", 1.5, 0.0, 0.1, '{"steps": 4}', plan_json
    )


async def test_plans_are_listed_and_read(operator: httpx.AsyncClient, world: World) -> None:
    assert (await operator.get("/api/v1/plans/latest")).status_code == 404
    for number in range(3):
        await world.service.record_plan(make_record(number))
        await world.clock.advance(60)
    plans = (await operator.get("/api/v1/plans?limit=2")).json()
    assert len(plans) == 2
    plan = (await operator.get("/api/v1/plans/p-0")).json()
    assert (plan["problem"], plan["plan"]) == ({"steps": 4}, {"objective_eur": 1.5})
    assert (await operator.get("/api/v1/plans/nothing")).status_code == 404
    assert (await operator.get("/api/v1/plans?limit=0")).status_code == 422


async def test_a_plan_that_failed_has_no_document(operator: httpx.AsyncClient, world: World) -> None:
    await world.service.record_plan(make_record(1, plan_json=""))
    latest = (await operator.get("/api/v1/plans/latest")).json()
    assert (latest["id"], latest["plan"]) == ("p-1", None)
