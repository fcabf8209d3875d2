"""The latest plan on the street's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from optimizer.plan import Plan

# Less than this is what numbers are rounded by [kW].
NOTICEABLE_KW: Final = 0.05


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

    def excess(self) -> list[tuple[datetime, float]]:
        """Return the steps in which the street draws too much even if nobody charges, and how far [kW]."""
        steps = enumerate(self.plan.limit_excess_kw)
        return [(self.start + index * self.step, kw) for index, kw in steps if kw > NOTICEABLE_KW]
