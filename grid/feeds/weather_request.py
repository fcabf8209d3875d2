"""What the weather's sources have in common: a question over HTTP, and checks of what comes back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Annotated, Any, Final, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from grid.config import list_problems
from grid.csvfile import refuse
from grid.errors import DocumentError, Problem
from grid.timegrid import QUARTER, TimeGrid

# Nothing on earth is brighter, and no place where people park is as hot, cold or windy.
Irradiance = Annotated[float, Field(ge=0.0, le=1500.0)]
Celsius = Annotated[float, Field(ge=-60.0, le=60.0)]
Wind = Annotated[float, Field(ge=0.0, le=75.0)]
Instant = Annotated[
    AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), le=datetime(2200, 1, 1, tzinfo=UTC))
]
LEAST_HOURS: Final = 6
MOST_DAYS: Final = 16
_STEPS: Final = (QUARTER, 2 * QUARTER, 4 * QUARTER)
ModelT = TypeVar("ModelT", bound=BaseModel)


class Answered(BaseModel):
    """Base of answers: further fields are ignored, text is no number."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class Request:
    """A question.

    Parameters
    ----------
    url, params
        Where.
    method, form, headers
        How, and with what.
    """

    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    method: str = "GET"
    form: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def read_json(model: type[ModelT], text: str, source: str) -> ModelT:
    """Read an answer in JSON.

    Raises
    ------
    DocumentError
        With everything that is wrong with it.
    """
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DocumentError(source, [Problem("", f"is no JSON: {error}")]) from None
    try:
        return model.model_validate_json(json.dumps(document))
    except ValidationError as error:
        refuse(source, list_problems(error, model))
        raise


def check_steps(starts: Sequence[tuple[str, datetime]], step: timedelta, source: str) -> TimeGrid:
    """Return equal steps, given the place and the start of each.

    Raises
    ------
    DocumentError
        When they are not equal, not on quarters, or too few.
    """
    problems: list[Problem] = []
    if step not in _STEPS:
        problems.append(
            Problem("", f"steps must last 15, 30 or 60 minutes, not {step / timedelta(minutes=1):g}")
        )
    for (_, before), (place, start) in pairwise(starts):
        if start - before != step:
            problems.append(Problem(place, "a hole, a repetition or a change of step before it"))
    if starts and starts[0][1].timestamp() % QUARTER.total_seconds():
        problems.append(Problem(starts[0][0], "must lie on a quarter of an hour"))
    problems += check_span(len(starts) * step)
    refuse(source, problems)
    return TimeGrid(starts[0][1].astimezone(UTC), step, len(starts))


def check_span(span: timedelta) -> list[Problem]:
    """Return what is wrong with the length of a series."""
    if span < timedelta(hours=LEAST_HOURS):
        return [Problem("", f"has less than {LEAST_HOURS} hours: ask for more")]
    if span > timedelta(days=MOST_DAYS):
        return [Problem("", f"has more than {MOST_DAYS} days: that is no forecast")]
    return []
