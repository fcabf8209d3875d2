"""What the network costs: bands of time with prices per kW contracted, per kW of peak and per kWh.

A tariff sheet holds everything that an operator charges in a year, one variant per kind of connection.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import holidays
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from grid.config import ProblemCollector, StrictModel, load_document, validate
from grid.errors import DocumentError, Problem
from grid.timegrid import MINUTES_PER_DAY, overlaps_daily_window

Price = Annotated[float, Field(ge=0.0)]
_QUARTER_MINUTES = np.arange(0, MINUTES_PER_DAY, 15, dtype=np.int64)


class Weekday(StrEnum):
    """Days of the week, Monday first."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


class TariffStatus(StrEnum):
    """How far the prices are to be trusted."""

    PUBLISHED = "published"
    PILOT = "pilot"
    WHAT_IF = "what-if"


class Holidays(StrEnum):
    """How a band treats the public holidays of the Netherlands."""

    AS_WEEKDAY = "as weekday"
    NEVER = "never"
    ALWAYS = "always"


class PeakPeriod(StrEnum):
    """How long a peak counts."""

    WEEK = "week"
    MONTH = "month"
    YEAR = "year"

    def name_of(self, day: date) -> str:
        """Name the period that a local day belongs to: ``2024-06``, ``2024-W23`` or ``2024``."""
        match self:
            case PeakPeriod.WEEK:
                year, week, _ = day.isocalendar()
                return f"{year}-W{week:02d}"
            case PeakPeriod.MONTH:
                return f"{day:%Y-%m}"
            case PeakPeriod.YEAR:
                return f"{day:%Y}"


class RewardBasis(StrEnum):
    """Which energy earns the reward per kWh: all in the band, or what was moved into it."""

    ALL = "all"
    SHIFTED = "shifted"


_WEEKDAYS = tuple(Weekday)


class TariffBand(StrictModel):
    """A part of the year with prices of its own; all excluding VAT.

    Parameters
    ----------
    name
        Its name; peaks and contracts are kept per band.
    months
        Months of the local calendar, 1 to 12.
    weekdays
        Local days of the week.
    holidays
        Whether a public holiday counts as its weekday, never belongs to the band, or always does.
    daily_from, daily_to
        Local window of the day; over midnight when the end is not after the start, the whole day without. One
        that is left out is midnight.
    contract_eur_per_kw_year
        Price of contracted capacity.
    peak_eur_per_kw_month
        Price of the peak of import in each period (a month unless the settlement says otherwise).
    peak_weight
        What a kW in this band counts for in its peak.
    import_eur_per_kwh
        Transport price of imported energy.
    export_fee_eur_per_kwh, export_credit_eur_per_kwh
        Paid and received for energy that is fed in.
    reward_eur_per_kwh
        Paid to the customer per eligible kWh taken in this band.
    reward_eur_per_kw
        Paid to the customer per kW that the peak of the band stays under its baseline, each period.
    """

    name: str = Field(min_length=1)
    months: tuple[Annotated[int, Field(ge=1, le=12)], ...] = tuple(range(1, 13))
    weekdays: tuple[Weekday, ...] = _WEEKDAYS
    holidays: Holidays = Holidays.AS_WEEKDAY
    daily_from: time | None = None
    daily_to: time | None = None
    contract_eur_per_kw_year: Price = 0.0
    peak_eur_per_kw_month: Price = 0.0
    peak_weight: Price = 1.0
    import_eur_per_kwh: Price = 0.0
    export_fee_eur_per_kwh: Price = 0.0
    export_credit_eur_per_kwh: Price = 0.0
    reward_eur_per_kwh: Price = 0.0
    reward_eur_per_kw: Price = 0.0

    def covers(self, month: int, weekday: Weekday, *, holiday: bool = False) -> NDArray[np.bool_]:
        """Say which of the 96 quarters of the wall clock belong to it, shape (96,)."""
        match self.holidays if holiday else Holidays.AS_WEEKDAY:
            case Holidays.ALWAYS:
                belongs = True
            case Holidays.NEVER:
                belongs = False
            case Holidays.AS_WEEKDAY:
                belongs = weekday in self.weekdays
        if month not in self.months or not belongs:
            return np.zeros(len(_QUARTER_MINUTES), dtype=np.bool_)
        # Windows begin and end on quarters (checked when loaded), so touching means belonging.
        return overlaps_daily_window(_QUARTER_MINUTES, self.daily_from, self.daily_to)


class SettlementRules(StrictModel):
    """How peaks and contracts are counted.

    Parameters
    ----------
    peak_period
        How long a peak counts.
    peak_count
        The peak of a period is the mean of its so many highest quarters.
    peak_price_factor, contract_factor
        Multiply the prices of peaks and of contracted capacity.
    reward_basis
        Which energy earns the reward per kWh.
    """

    peak_period: PeakPeriod = PeakPeriod.MONTH
    peak_count: Annotated[int, Field(ge=1)] = 1
    peak_price_factor: Price = 1.0
    contract_factor: Price = 1.0
    reward_basis: RewardBasis = RewardBasis.SHIFTED


class NetworkTariff(StrictModel):
    """A grid operator's tariff for large connections; all prices exclude VAT.

    Parameters
    ----------
    name, operator
        What it is and whose.
    valid_from, valid_to
        First and last day; informative, since a street may be run with the prices of another year.
    status
        published, pilot or what-if.
    source
        Where the numbers come from, with their caveat.
    fixed_eur_per_year, metering_eur_per_year
        Yearly charges that do not depend on use.
    vat_fraction
        Value added tax on everything.
    settlement
        How peaks and contracts are counted.
    bands
        First match wins.
    """

    name: str = Field(min_length=1)
    operator: str = Field(min_length=1)
    valid_from: date
    valid_to: date
    status: TariffStatus
    source: str = Field(min_length=1)
    fixed_eur_per_year: Price = 0.0
    metering_eur_per_year: Price = 0.0
    vat_fraction: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.21
    settlement: SettlementRules = SettlementRules()
    bands: tuple[TariffBand, ...] = Field(min_length=1)

    def band(self, name: str) -> TariffBand:
        """Return the first band of a name.

        Raises
        ------
        KeyError
            When there is none.
        """
        for band in self.bands:
            if band.name == name:
                return band
        raise KeyError(name)

    def band_at(self, start: datetime, tz: ZoneInfo) -> TariffBand | None:
        """Return the band of the quarter that contains an instant."""
        return self._bands_at([start], tz)[0]

    def bands_of(self, starts: Sequence[datetime], tz: ZoneInfo) -> list[str | None]:
        """Name the band of each quarter; None where no band applies, which `load_tariff` refuses."""
        return [None if band is None else band.name for band in self._bands_at(starts, tz)]

    def import_price_eur_per_kwh(self, starts: Sequence[datetime], tz: ZoneInfo) -> NDArray[np.float64]:
        """Return the transport price of each quarter, less a reward for all import [EUR/kWh].

        Returns
        -------
        NDArray
            Shape (len(starts),).
        """
        rewarded = self.settlement.reward_basis is RewardBasis.ALL
        return np.array(
            [
                0.0 if band is None else band.import_eur_per_kwh - rewarded * band.reward_eur_per_kwh
                for band in self._bands_at(starts, tz)
            ]
        )

    def shifted_reward_eur_per_kwh(self, starts: Sequence[datetime], tz: ZoneInfo) -> NDArray[np.float64]:
        """Return what a kWh that is moved into each quarter earns [EUR/kWh], shape (len(starts),)."""
        rewarded = self.settlement.reward_basis is RewardBasis.SHIFTED
        bands = self._bands_at(starts, tz)
        return np.array([0.0 if band is None else rewarded * band.reward_eur_per_kwh for band in bands])

    def export_price_eur_per_kwh(self, starts: Sequence[datetime], tz: ZoneInfo) -> NDArray[np.float64]:
        """Return what the operator pays for feed-in, less its fee [EUR/kWh], shape (len(starts),)."""
        return np.array(
            [
                0.0 if band is None else band.export_credit_eur_per_kwh - band.export_fee_eur_per_kwh
                for band in self._bands_at(starts, tz)
            ]
        )

    def peak_price_eur_per_kw(self, band: str) -> float:
        """Return what a kW of the peak of a band costs in each period, factor and weight included [EUR/kW].

        Raises
        ------
        KeyError
            When there is no such band.
        """
        own = self.band(band)
        return own.peak_eur_per_kw_month * own.peak_weight * self.settlement.peak_price_factor

    def peak_period(self, start: datetime, tz: ZoneInfo) -> str:
        """Name the period whose peak a quarter counts in."""
        return self.settlement.peak_period.name_of(start.astimezone(tz).date())

    def _bands_at(self, starts: Sequence[datetime], tz: ZoneInfo) -> list[TariffBand | None]:
        days: dict[date, list[TariffBand | None]] = {}
        found = []
        for start in starts:
            local = start.astimezone(tz)
            day = local.date()
            if day not in days:
                days[day] = self._bands_of_day(day)
            found.append(days[day][(local.hour * 60 + local.minute) // 15])
        return found

    def _bands_of_day(self, day: date) -> list[TariffBand | None]:
        return self._bands_of_kind(day.month, _WEEKDAYS[day.weekday()], holiday=is_holiday(day))

    def _bands_of_kind(self, month: int, weekday: Weekday, *, holiday: bool) -> list[TariffBand | None]:
        quarters: list[TariffBand | None] = [None] * len(_QUARTER_MINUTES)
        for band in reversed(self.bands):
            for quarter in np.flatnonzero(band.covers(month, weekday, holiday=holiday)):
                quarters[quarter] = band
        return quarters


class SmallConnectionTariff(StrictModel):
    """What small connections (up to 3x80 A) pay: a yearly amount per fuse class, nothing per kWh; no VAT.

    Parameters
    ----------
    name, operator, valid_from, valid_to, status, source
        As in `NetworkTariff`.
    fixed_by_fuse_class
        Yearly charge of each fuse class, keyed like ``3x25A`` [EUR/year].
    metering_eur_per_year
        Yearly charge of the meter [EUR/year].
    """

    name: str = Field(min_length=1)
    operator: str = Field(min_length=1)
    valid_from: date
    valid_to: date
    status: TariffStatus
    source: str = Field(min_length=1)
    fixed_by_fuse_class: dict[str, Price] = Field(min_length=1)
    metering_eur_per_year: Price = 0.0


class _Variant(StrictModel):
    """``[variants.NAME]``: what differs between kinds of connections.

    Parameters
    ----------
    fixed_eur_per_year, metering_eur_per_year
        Yearly charges that do not depend on use [EUR/year].
    settlement
        How peaks and contracts are counted.
    bands
        First match wins.
    """

    fixed_eur_per_year: Price = 0.0
    metering_eur_per_year: Price = 0.0
    settlement: SettlementRules = SettlementRules()
    bands: tuple[TariffBand, ...] = Field(min_length=1)


class _SmallTable(StrictModel):
    """``[small]``: what small connections pay.

    Parameters
    ----------
    fixed_by_fuse_class
        Yearly charge of each fuse class, keyed like ``3x25A`` [EUR/year].
    metering_eur_per_year
        Yearly charge of the meter [EUR/year].
    """

    fixed_by_fuse_class: dict[str, Price] = Field(min_length=1)
    metering_eur_per_year: Price = 0.0


class TariffSheet(StrictModel):
    """A file of tariffs; all prices exclude VAT.

    Parameters
    ----------
    name, operator
        What it is and whose.
    valid_from, valid_to
        First and last day.
    status
        published, pilot or what-if.
    source
        Where the numbers come from, with their caveat.
    vat_fraction
        Value added tax on everything.
    variants
        Tariffs of large connections by name.
    small
        What small connections pay.
    """

    name: str = Field(min_length=1)
    operator: str = Field(min_length=1)
    valid_from: date
    valid_to: date
    status: TariffStatus
    source: str = Field(min_length=1)
    vat_fraction: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.21
    variants: dict[str, _Variant] = Field(default_factory=dict)
    small: _SmallTable | None = None

    @model_validator(mode="after")
    def _holds_something(self) -> TariffSheet:
        if not self.variants and self.small is None:
            raise ValueError("add a table [variants.NAME] or [small]")
        return self

    def tariff(self, variant: str) -> NetworkTariff:
        """Return the tariff of a kind of large connection.

        Raises
        ------
        DocumentError
            When there is none of that name.
        """
        if variant not in self.variants:
            known = ", ".join(self.variants) or "none"
            message = f"{self.name} has no variant {variant!r}: its variants are {known}"
            raise DocumentError(self.name, [Problem("variant", message)])
        common = self.model_dump(exclude={"name", "variants", "small"})
        return NetworkTariff(name=f"{self.name} {variant}", **common, **dict(self.variants[variant]))

    def small_tariff(self) -> SmallConnectionTariff | None:
        """Return what small connections pay, None when the sheet does not say."""
        if self.small is None:
            return None
        common = self.model_dump(exclude={"name", "variants", "small", "vat_fraction"})
        return SmallConnectionTariff(name=f"{self.name} small", **common, **dict(self.small))


def load_sheet(path: Path) -> TariffSheet:
    """Read a tariff sheet from a TOML file.

    Raises
    ------
    DocumentError
        When it is invalid, a window does not begin on a quarter, or the bands of a variant leave a part of
        the year uncovered.
    """
    document = load_document(path)
    sheet = validate(TariffSheet, document.tables, source=document.source)
    collector = ProblemCollector(document.source)
    for name in sheet.variants:
        _check_bands(f"variants.{name}", sheet.tariff(name), collector)
    collector.finish()
    return sheet


@lru_cache(maxsize=4096)
def is_holiday(day: date) -> bool:
    """Say whether a day is a public holiday in the Netherlands."""
    return day in holidays.country_holidays("NL", years=day.year)


def _check_bands(place: str, tariff: NetworkTariff, collector: ProblemCollector) -> None:
    for index, band in enumerate(tariff.bands):
        for key, moment in (("daily_from", band.daily_from), ("daily_to", band.daily_to)):
            if moment is not None and (moment.minute % 15 or moment.second or moment.microsecond):
                collector.add(
                    f"{place}.bands[{index}].{key}",
                    f"{moment} must be a quarter of an hour, like 07:00 or 22:45",
                )
    for gap in _uncovered(tariff):
        collector.add(f"{place}.bands", f"{gap} belongs to no band: add a last band without conditions")


def _uncovered(tariff: NetworkTariff) -> Iterator[str]:
    """Name the first uncovered quarter of each weekday, and of holidays."""
    kinds = [(weekday, False) for weekday in _WEEKDAYS] + [(Weekday.MON, True)]
    for weekday, holiday in kinds:
        for month in range(1, 13):
            bands = [band.covers(month, weekday, holiday=holiday) for band in tariff.bands]
            covered = np.logical_or.reduce(bands)
            if not covered.all():
                minute = int(_QUARTER_MINUTES[np.argmin(covered)])
                day = "a holiday" if holiday else weekday
                yield f"month {month}, {day} {minute // 60:02d}:{minute % 60:02d}"
                break
