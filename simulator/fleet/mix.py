"""Which cars plug in, by year: shares of models, interpolated between the years of a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from grid.config import ProblemCollector, StrictModel, load_document, validate
from simulator.vehicle.model import VehicleModel, load_vehicle

Share = Annotated[float, Field(ge=0.0)]


class YearShares(StrictModel):
    """``[[years]]``: the cars of one year.

    Parameters
    ----------
    year
        Which.
    shares
        Part of each model, by its file, of a whole of any size.
    """

    year: int = Field(ge=2010, le=2100)
    shares: dict[str, Share] = Field(min_length=1)

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if sum(self.shares.values()) <= 0.0:
            raise ValueError("the shares are all 0: give at least one model a share")
        return self


class MixFile(StrictModel):
    """A file of shares by year.

    Parameters
    ----------
    years
        Ascending.
    """

    years: tuple[YearShares, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if any(after.year <= before.year for before, after in pairwise(self.years)):
            raise ValueError("years must ascend: sort them and keep one of each")
        return self

    def shares(self, year: float) -> dict[str, float]:
        """Return the share of each model in a year; they sum to 1."""
        known = [one.year for one in self.years]
        found: dict[str, float] = {}
        for file in dict.fromkeys(file for one in self.years for file in one.shares):
            by_year = [one.shares.get(file, 0.0) / sum(one.shares.values()) for one in self.years]
            share = float(np.interp(year, known, by_year))
            if share > 0.0:
                found[file] = share
        return found


@dataclass(frozen=True)
class EvMix:
    """The cars of one year.

    Parameters
    ----------
    models
        Models by the names of their files.
    shares
        Their shares in the same order, shape (models,), sums to 1.
    """

    models: Mapping[str, VehicleModel]
    shares: NDArray[np.float64]

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the models' files, in the order of the shares."""
        return tuple(self.models)


def load_mix(path: Path, year: float, resolve: Callable[[str], Path]) -> EvMix:
    """Read the cars of a year.

    Parameters
    ----------
    path
        The file of shares.
    year
        Which year.
    resolve
        Turns the name of a model's file into a path.

    Raises
    ------
    DocumentError
        With every problem of the file and of the models' files.
    """
    document = load_document(path)
    shares = validate(MixFile, document.tables, source=document.source).shares(year)
    collector = ProblemCollector(document.source)
    loaded = {file: collector.attempt(lambda file=file: load_vehicle(resolve(file))) for file in shares}  # type: ignore[misc]
    collector.finish()
    models = {file: model for file, model in loaded.items() if model is not None}
    values = np.array([shares[file] for file in models])
    return EvMix(models, values / values.sum())
