"""The latest plan, as the page needs it: read anew only when there is a newer one."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

import orjson

from csms.state.queries import StoredPlan, find_plan, list_plans
from csms.state.store import Store
from csms.web.view import PlanView


class PlanReader:
    """Fetches the latest plan for the live page.

    Parameters
    ----------
    store
        Where plans are kept.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known_id: str | None = None

    async def __call__(self, known: PlanView | None) -> PlanView | None:
        """Return the latest plan, the same object while there is no newer one."""
        newest = await self._store.read(partial(list_plans, limit=1))
        if not newest or newest[0].id == self._known_id:
            return known
        plan = await self._store.read(partial(find_plan, plan_id=newest[0].id))
        self._known_id = plan.id
        return read_plan(plan)


def read_plan(stored: StoredPlan) -> PlanView:
    """Take from a plan's documents what the page shows."""
    problem = orjson.loads(stored.problem_json)
    plan = orjson.loads(stored.plan_json) if stored.plan_json else {}
    pairs = zip(plan.get("import_kw", ()), plan.get("export_kw", ()), strict=True)
    return PlanView(
        at=stored.at,
        status=stored.status,
        solve_seconds=stored.solve_seconds,
        start=datetime.fromisoformat(problem["start"]),
        step=timedelta(minutes=problem["step_minutes"]),
        net_kw=tuple(taken - given for taken, given in pairs),
        power_kw={ev["id"]: tuple(ev["power_kw"]) for ev in plan.get("evs", ())},
        explanation=tuple(plan.get("explanation", ())),
    )
