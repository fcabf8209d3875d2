"""What energy costs: the day-ahead series, what of it is known at a moment, prices paid and received."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from grid.csvfile import Row, parse_rows, read_csv, refuse, split_csv
from grid.errors import Problem, WijkstroomError
from grid.tariffs.network import NetworkTariff
from grid.tariffs.outlook import MEMORY_DAYS, PriceOutlook
from grid.timegrid import (
    QUARTER,
    QUARTERS_PER_DAY,
    TimeGrid,
    local_midnight,
    quarter_number,
    quarters_of_local_day,
)

KWH_PER_MWH = 1000.0
# Prices that ended longer ago say nothing of the shape of a day.
MOST_AGE = timedelta(days=7)
_COLUMNS = ["utc_start", "eur_per_mwh"]
_QUARTER_S = 900
_HOUR_QUARTERS = 4


class PriceMissingError(WijkstroomError):
    """A price was asked for that the series does not hold."""


@dataclass(frozen=True, eq=False)
class PriceSeries:
    """A day-ahead series without holes, kept per UTC quarter.

    Parameters
    ----------
    first_quarter
        Number of its first quarter since 1970 (`grid.timegrid.quarter_number`).
    values_eur_per_kwh
        One price per quarter, shape (quarters,) [EUR/kWh].
    """

    first_quarter: int
    values_eur_per_kwh: NDArray[np.float64]

    @property
    def start(self) -> datetime:
        """Where it begins (UTC)."""
        return datetime.fromtimestamp(self.first_quarter * _QUARTER_S, UTC)

    @property
    def end(self) -> datetime:
        """Where it ends (UTC)."""
        return self.start + len(self.values_eur_per_kwh) * QUARTER

    @classmethod
    def from_csv(cls, path: Path) -> PriceSeries:
        """Read ``utc_start,eur_per_mwh``: hourly rows, quarter-hourly rows, or hourly rows first.

        Raises
        ------
        DocumentError
            When the file is missing, a value is no number, or a row is missing, repeated or out of order.
        """
        _, rows = read_csv(path, _COLUMNS)
        return _read_rows(rows, str(path))

    def at(self, starts: Sequence[datetime]) -> NDArray[np.float64]:
        """Return the price of the quarter that contains each instant [EUR/kWh], shape (len(starts),).

        Raises
        ------
        PriceMissingError
            When one is outside the series.
        """
        index = np.array([quarter_number(start) for start in starts], dtype=np.int64) - self.first_quarter
        if index.size and not (index.min() >= 0 and index.max() < len(self.values_eur_per_kwh)):
            raise PriceMissingError(
                f"prices are known from {self.start.isoformat()} to {self.end.isoformat()}, asked for "
                f"{min(starts).isoformat()} to {max(starts).isoformat()}: choose another date or price file"
            )
        return self.values_eur_per_kwh[index]

    def joined(self, newer: PriceSeries) -> PriceSeries:
        """Return this series with another laid over it and beyond its end; its own part before stays.

        Raises
        ------
        PriceMissingError
            When there is a hole between the two.
        """
        if newer.first_quarter < self.first_quarter:
            return newer.joined(self).joined(newer) if newer.end < self.end else newer
        kept = newer.first_quarter - self.first_quarter
        if kept > len(self.values_eur_per_kwh):
            raise PriceMissingError(
                f"prices are known until {self.end.isoformat()}, the new ones begin at "
                f"{newer.start.isoformat()}: send what lies between too"
            )
        rest = self.values_eur_per_kwh[kept + len(newer.values_eur_per_kwh) :]
        values = (self.values_eur_per_kwh[:kept], newer.values_eur_per_kwh, rest)
        return PriceSeries(self.first_quarter, np.concatenate(values))

    def profiles(self, days: Sequence[date], tz: ZoneInfo) -> NDArray[np.float64]:
        """Return the price of every quarter of the wall clock of local days, shape (days, 96) [EUR/kWh].

        A quarter that comes twice on a day has the mean of both; one that does not come, or lies outside the
        series, is NaN.
        """
        return np.array([self._profile(quarters_of_local_day(day, tz), tz) for day in days])

    def _profile(self, grid: TimeGrid, tz: ZoneInfo) -> NDArray[np.float64]:
        first = quarter_number(grid.start) - self.first_quarter
        at = np.arange(first, first + grid.steps)
        inside = (at >= 0) & (at < len(self.values_eur_per_kwh))
        values = np.where(inside, self.values_eur_per_kwh[np.where(inside, at, 0)], np.nan)
        if grid.steps == QUARTERS_PER_DAY:
            return np.asarray(values)
        quarters = _local_quarters(grid.starts, tz)
        sums, counts = (
            np.bincount(quarters, weights, QUARTERS_PER_DAY) for weights in (values, np.ones(grid.steps))
        )
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def parse_prices(text: str, source: str) -> PriceSeries:
    """Read prices from the text of a CSV file; as `PriceSeries.from_csv`.

    Raises
    ------
    DocumentError
        With every mistake of it.
    """
    _, rows = split_csv(text, source, _COLUMNS)
    return _read_rows(rows, source)


def write_prices(series: PriceSeries) -> str:
    """Return prices as the text of a CSV file; two quarters or more read back as they were."""
    rows = [
        f"{series.start + number * QUARTER:%Y-%m-%dT%H:%MZ},{price * KWH_PER_MWH:.10g}"
        for number, price in enumerate(series.values_eur_per_kwh.tolist())
    ]
    return "\n".join([",".join(_COLUMNS), *rows])


def _read_rows(rows: Sequence[Row], source: str) -> PriceSeries:
    problems: list[Problem] = []
    expected = "a quarter's start with time zone and a price, like 2024-06-11T12:00Z,0.86"
    parsed = list(parse_rows(rows, _parse_row, expected, problems))
    if not rows:
        problems.append(Problem("", "there are no prices: add rows"))
    lengths = [] if problems else list(_row_lengths([(line, row[0]) for line, row in parsed], problems))
    refuse(source, problems)
    values = np.repeat([price for _, (_, price) in parsed], lengths) / KWH_PER_MWH
    return PriceSeries(parsed[0][1][0], values)


def _parse_row(cells: tuple[str, ...]) -> tuple[int, float]:
    """Return quarter number and price."""
    start_text, price_text = cells
    start, price = datetime.fromisoformat(start_text), float(price_text)
    if start.tzinfo is None or start.timestamp() % _QUARTER_S or not math.isfinite(price):
        raise ValueError(cells)
    return quarter_number(start), price


def _row_lengths(rows: Sequence[tuple[int, int]], problems: list[Problem]) -> Iterator[int]:
    """Yield how many quarters each row holds for, noting holes and repetitions."""
    length = _HOUR_QUARTERS
    for (_, quarter), (line, following) in pairwise(rows):
        gap = following - quarter
        if gap <= 0:
            problems.append(
                Problem(f"line {line}", "is repeated or out of order: sort the rows, keep one per start")
            )
        elif gap == 1:
            length = 1
        elif gap != _HOUR_QUARTERS or length == 1:
            problems.append(Problem(f"line {line}", "there is a hole before it: add the missing prices"))
        yield length if gap > 0 else 1
    yield length


@dataclass(eq=False)
class PriceBook:
    """The prices that a street pays and receives, all excluding VAT.

    Its series is the one thing of a street that grows while the service runs; see `renew`.

    Parameters
    ----------
    series
        Day-ahead prices.
    tz
        The market's local time.
    publication_local_time
        When the prices of the next local day are published.
    energy_tax_eur_per_kwh
        Tax on imported energy [EUR/kWh].
    export_fee_eur_per_kwh
        What the supplier keeps of exported energy [EUR/kWh].
    tariff
        Its charges and credits per kWh are part of the prices; None for none.
    most_age
        How long after the last known price the forecast keeps a day's shape; later it is the mean, so that
        nothing is moved about for prices of long ago.
    """

    series: PriceSeries
    tz: ZoneInfo
    publication_local_time: time = time(13)
    energy_tax_eur_per_kwh: float = 0.0
    export_fee_eur_per_kwh: float = 0.0
    tariff: NetworkTariff | None = None
    most_age: timedelta = MOST_AGE
    _outlooks: dict[datetime, PriceOutlook] = field(default_factory=dict, init=False, repr=False)

    def renew(self, newer: PriceSeries) -> None:
        """Take prices that were published: they replace what was known of their quarters.

        With a hole between, they replace everything: what was known is too old to forecast from.
        """
        self.series = self.series.joined(newer) if newer.start <= self.series.end else newer
        self._outlooks.clear()

    def holds(self, series: PriceSeries) -> bool:
        """Say whether all of some prices are known already."""
        if not self.series.start <= series.start <= series.end <= self.series.end:
            return False
        first = series.first_quarter - self.series.first_quarter
        own = self.series.values_eur_per_kwh[first : first + len(series.values_eur_per_kwh)]
        return bool(np.array_equal(own, series.values_eur_per_kwh))

    def next_publication(self, now: datetime) -> datetime:
        """Return when prices are published next, after a moment (UTC)."""
        day = now.astimezone(self.tz).date()
        for later in range(2):
            due = datetime.combine(day + timedelta(days=later), self.publication_local_time, self.tz)
            if due > now:
                break
        return due.astimezone(UTC)

    def is_stale(self, known_at: datetime) -> bool:
        """Say whether the last known price is so old that forecasts have no shape any more."""
        return known_at - self.series.end > self.most_age

    def known_until(self, known_at: datetime) -> datetime:
        """Return the instant up to which day-ahead prices are known at a moment (UTC).

        A series that ends before what is published ends what is known.
        """
        return min(self.published_until(known_at), self.series.end)

    def published_until(self, known_at: datetime) -> datetime:
        """Return the instant up to which the market has published prices at a moment (UTC).

        The prices of local day D+1 are published on day D.
        """
        local = known_at.astimezone(self.tz)
        published = local.timetz().replace(tzinfo=None) >= self.publication_local_time
        last_day = local.date() + timedelta(days=1 if published else 0)
        return local_midnight(last_day + timedelta(days=1), self.tz)

    def day_ahead_eur_per_kwh(
        self, starts: Sequence[datetime], known_at: datetime | None = None
    ) -> NDArray[np.float64]:
        """Return the day-ahead price of each quarter as it is known at a moment [EUR/kWh].

        Quarters that are not yet published are forecast (`grid.tariffs.outlook`); a series that ended too
        long ago gives their mean. Before the first price there is nothing to forecast from.

        Parameters
        ----------
        starts
            Any instants within the quarters.
        known_at
            The moment; None for full hindsight.

        Raises
        ------
        PriceMissingError
            When a published quarter is outside the series, or in hindsight any.
        """
        if known_at is None:
            return self.series.at(starts)
        until = self.known_until(known_at)
        published = [start for start in starts if start < until]
        later = [start for start in starts if start >= until]
        prices = np.empty(len(starts))
        is_later = np.array([start >= until for start in starts], dtype=np.bool_)
        prices[~is_later] = self.series.at(published)
        if later:
            prices[is_later] = self._forecast(later, until, known_at)
        return prices

    def import_price_eur_per_kwh(
        self, starts: Sequence[datetime], known_at: datetime | None = None
    ) -> NDArray[np.float64]:
        """Return what a kWh from the market costs: day-ahead, energy tax and transport [EUR/kWh].

        A reward of the tariff for all import is subtracted.

        Parameters and errors as in `day_ahead_eur_per_kwh`.
        """
        transport = 0.0 if self.tariff is None else self.tariff.import_price_eur_per_kwh(starts, self.tz)
        return self.day_ahead_eur_per_kwh(starts, known_at) + self.energy_tax_eur_per_kwh + transport

    def export_price_eur_per_kwh(
        self, starts: Sequence[datetime], known_at: datetime | None = None
    ) -> NDArray[np.float64]:
        """Return what a kWh to the market brings: day-ahead less all fees, may be negative [EUR/kWh].

        Parameters and errors as in `day_ahead_eur_per_kwh`.
        """
        credit = 0.0 if self.tariff is None else self.tariff.export_price_eur_per_kwh(starts, self.tz)
        return self.day_ahead_eur_per_kwh(starts, known_at) - self.export_fee_eur_per_kwh + credit

    def _forecast(
        self, starts: Sequence[datetime], until: datetime, known_at: datetime
    ) -> NDArray[np.float64]:
        outlook = self._outlooks.get(until) or self._outlooks.setdefault(until, self._look_out(until))
        if self.is_stale(known_at):
            return np.full(len(starts), outlook.level)
        quarters = _local_quarters(starts, self.tz)
        days = [start.astimezone(self.tz).date() for start in starts]
        profiles = {day: outlook.day(day) for day in dict.fromkeys(days)}
        return np.array([profiles[day][quarter] for day, quarter in zip(days, quarters, strict=True)])

    def _look_out(self, until: datetime) -> PriceOutlook:
        """Return the forecast from everything that is known up to an instant."""
        begin = self.series.start
        if until <= begin:
            raise PriceMissingError(
                f"no price is known before {until.isoformat()}: the series begins {begin.isoformat()}"
            )
        last = (until - QUARTER).astimezone(self.tz).date()
        first = max(begin.astimezone(self.tz).date(), last - timedelta(days=MEMORY_DAYS - 1))
        days = tuple(first + timedelta(days=offset) for offset in range((last - first).days + 1))
        # Rows after `until` are either not published or beyond the series; both are no knowledge.
        known = PriceSeries(
            self.series.first_quarter,
            self.series.values_eur_per_kwh[: quarter_number(until) - self.series.first_quarter],
        )
        return PriceOutlook(days, known.profiles(days, self.tz))


def _local_quarters(starts: Sequence[datetime], tz: ZoneInfo) -> NDArray[np.int64]:
    local = [start.astimezone(tz) for start in starts]
    return np.array([(moment.hour * 60 + moment.minute) // 15 for moment in local], dtype=np.int64)
