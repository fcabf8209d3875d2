"""The latest plan on the street's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from optimizer.plan import Plan


@dataclass(frozen=True, slots=True)
class LatestPlan:
    """A plan with the time of its steps.

    Parameters
    ----------
    start, step
        Begin of the first step, and the length of each.
    plan
        What was planned.
    """

    start: datetime
    step: timedelta
    plan: Plan

    def net_kw(self, at: datetime) -> float | None:
        """Return what the street draws at an instant, > 0 imports, None outside of the plan [kW]."""
        index = (at - self.start) // self.step
        if not 0 <= index < len(self.plan.import_kw):
            return None
        return self.plan.import_kw[index] - self.plan.export_kw[index]
