"""What a connection has contracted with its grid operator, and how its energy is taxed."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from grid.config import StrictModel, load_document, validate
from grid.ean import check_ean18
from grid.tariffs.refusal import REFUSABLE_HOURS, RefusalWindow, most_refused_hours

Price = Annotated[float, Field(ge=0.0)]


class CustomerKind(StrEnum):
    """Which part of a tariff sheet holds for a connection."""

    LARGE = "large"
    SMALL = "small"


class Firmness(StrEnum):
    """How sure contracted capacity is."""

    FIRM = "firm"
    NON_FIRM = "non-firm"
    DURATION = "duration"
    BLOCK = "block"


class TaxTier(StrictModel):
    """A slice of a year's energy with a tax rate of its own.

    Parameters
    ----------
    up_to_kwh
        Where it ends, counted from the year's begin; None for the rest [kWh].
    eur_per_kwh
        Its rate, excluding VAT [EUR/kWh].
    """

    up_to_kwh: Annotated[float, Field(gt=0.0)] | None = None
    eur_per_kwh: Price


class EnergyTax(StrictModel):
    """``[energy_tax]``: tax on energy taken from the grid.

    Parameters
    ----------
    tiers
        Slices of the year's energy in order.
    taxed_before_kwh
        Energy of the year that was taxed before the settled period: where the slices go on [kWh].
    export_refund_fraction
        Share of the energy fed in whose tax is given back, so that stored energy is not taxed twice.
    reduction_eur_per_year
        Yearly reduction per connection [EUR].
    source
        Where the numbers come from.
    """

    tiers: tuple[TaxTier, ...] = ()
    taxed_before_kwh: Price = 0.0
    export_refund_fraction: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    reduction_eur_per_year: Price = 0.0
    source: str = ""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        bounds = [tier.up_to_kwh for tier in self.tiers]
        given = [bound for bound in bounds[:-1] if bound is not None]
        if len(given) < len(bounds) - 1 or given != sorted(given):
            raise ValueError("tiers must ascend, and only the last may leave up_to_kwh away")
        if bounds and bounds[-1] is not None:
            raise ValueError("the last tier must leave up_to_kwh away: it holds for the rest")
        return self


class GridContract(StrictModel):
    """``configs/contracts/*.toml``: a connection's contract.

    Parameters
    ----------
    ean18
        The connection.
    connection_kind
        Large or small (up to 3x80 A).
    tariff_variant
        Variant of the tariff sheet, for large connections.
    fuse
        Fuse class, for small connections.
    valid_from
        First day.
    capacity_kw
        Contracted capacity per band of the tariff [kW]; a band that is not named has none.
    firmness
        How sure the capacity is.
    excess_eur_per_kw
        Price of each kW over the contracted capacity in a peak period [EUR/kW].
    excess_tolerance_kw
        What may be exceeded without [kW].
    refusals
        When the operator may give less, for the firmness ``duration``: at most 1,314 hours in any year. What
        is above it costs ``excess_eur_per_kw``.
    energy_tax
        How its energy is taxed; without tiers it is not.
    """

    ean18: Annotated[str, AfterValidator(check_ean18)]
    connection_kind: CustomerKind
    tariff_variant: str | None = None
    fuse: str | None = None
    valid_from: date
    capacity_kw: dict[str, Price] = Field(default_factory=dict)
    firmness: Firmness = Firmness.FIRM
    excess_eur_per_kw: Price = 0.0
    excess_tolerance_kw: Price = 0.0
    refusals: tuple[RefusalWindow, ...] = ()
    energy_tax: EnergyTax = EnergyTax()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.connection_kind is CustomerKind.LARGE and self.tariff_variant is None:
            raise ValueError("tariff_variant is missing: name a variant of the tariff sheet, like 'ms-ls'")
        if self.connection_kind is CustomerKind.SMALL and self.fuse is None:
            raise ValueError("fuse is missing: name the fuse class, like '3x25A'")
        return self

    @model_validator(mode="after")
    def _refused_within_bounds(self) -> Self:
        if self.refusals and self.firmness is not Firmness.DURATION:
            raise ValueError('refusals belong to a duration contract: write firmness = "duration"')
        hours = most_refused_hours(self.refusals) if self.refusals else 0.0
        if hours > REFUSABLE_HOURS:
            raise ValueError(
                f"refusals have {hours:,.2f} h in a year, {REFUSABLE_HOURS:,.0f} h at most may be refused: "
                "shorten the windows"
            )
        return self


def load_contract(path: Path) -> GridContract:
    """Read a contract from a TOML file.

    Raises
    ------
    DocumentError
        With every mistake in it.
    """
    document = load_document(path)
    return validate(GridContract, document.tables, source=document.source)
