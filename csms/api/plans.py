"""Plans: what was decided and why, with the documents that anyone can check."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import orjson
from fastapi import APIRouter, Query

from csms.api.context import PREFIX, ApiContext
from csms.api.documents import PlanDocument, PlanSummary
from csms.api.load_forecast import build_load_forecast
from csms.api.problems import not_found
from csms.api.refusals import told_refusals
from csms.state.queries import PlanSummary as StoredSummary
from csms.state.queries import StoredPlan, find_plan, latest_plan, list_plans

LATEST = "latest"


def build_plans(context: ApiContext) -> APIRouter:
    """Return the routes of plans, and of the load that is expected from them."""
    router = APIRouter()
    router.include_router(build_load_forecast(context))
    router.include_router(_build_plans(context))
    return router


def _build_plans(context: ApiContext) -> APIRouter:
    router = APIRouter(tags=["plans"])
    store = context.service.store

    @router.get("/plans")
    async def get_plans(limit: Annotated[int, Query(ge=1, le=500)] = 50) -> list[PlanSummary]:
        """List the latest plans, the newest first."""
        return [_summarise(each) for each in await store.read(partial(list_plans, limit=limit))]

    @router.get("/plans/{plan_id}")
    async def get_plan(plan_id: str) -> PlanDocument:
        """Return a plan by its id, or the `latest`, with the problem that it solves."""
        with told_refusals("plan", plan_id, f"{PREFIX}/plans"):
            record = await store.read(
                latest_plan if plan_id == LATEST else partial(find_plan, plan_id=plan_id)
            )
        if record is None:
            raise not_found("plan", plan_id, f"{PREFIX}/plans")
        return PlanDocument(
            **_summarise(record).model_dump(),
            problem=orjson.loads(record.problem_json),
            plan=orjson.loads(record.plan_json) if record.plan_json else None,
        )

    return router


def _summarise(record: StoredSummary | StoredPlan) -> PlanSummary:
    return PlanSummary(
        id=record.id,
        at=record.at,
        trigger=record.trigger,
        status=record.status,
        objective_eur=record.objective_eur,
        gap=record.gap,
        solve_seconds=record.solve_seconds,
    )
