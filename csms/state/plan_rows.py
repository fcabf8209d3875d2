"""Plans with the problems that they solve, compressed: a day of them is kept whole."""

from __future__ import annotations

import zlib

from sqlmodel import Session

from csms.state.columns import table_of
from csms.state.models import PlanRow
from csms.state.records import PlanRecord
from csms.state.upserts import insert_new

_PLAN = table_of(PlanRow)
_LEVEL = 1  # four fifths of the gain at a fifth of the time


def pack_plan(record: PlanRecord) -> dict[str, object]:
    """Return a plan's row."""
    return {
        "id": record.id,
        "at": record.at,
        "trigger": record.trigger,
        "status": record.status,
        "objective_eur": record.objective_eur,
        "gap": record.gap,
        "solve_seconds": record.solve_seconds,
        "problem": zlib.compress(record.problem_json.encode(), _LEVEL),
        "plan": zlib.compress(record.plan_json.encode(), _LEVEL),
    }


def record_plan(session: Session, row: dict[str, object]) -> None:
    """Store a plan's row; the same id again changes nothing."""
    insert_new(session.connection(), _PLAN, [row])


def unpack(document: bytes) -> str:
    """Return a stored document."""
    return zlib.decompress(document).decode()
