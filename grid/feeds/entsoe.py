"""Prices in ENTSO-E's XML: publication documents (A44), balancing documents (A85) and acknowledgements.

Written from the public description of the Transparency Platform's API (IEC 62325-351, 451-3, 451-6). A
time series has periods, a period an interval, a resolution and points numbered from 1; under curve type A03 a
point that equals the one before it is left out. Documents are refused whole, with everything that is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

import numpy as np

from grid.errors import DocumentError, Problem, WijkstroomError
from grid.tariffs.energy import KWH_PER_MWH, PriceSeries
from grid.timegrid import QUARTER, quarter_number, to_utc

PUBLICATION, BALANCING = "Publication_MarketDocument", "Balancing_MarketDocument"
ACKNOWLEDGEMENT = "Acknowledgement_MarketDocument"
DAY_AHEAD_PRICE, IMBALANCE_PRICE = "price.amount", "imbalance_Price.amount"
# What a car on the grid pays when the market is short; category A04 is what a surplus is paid.
SHORTAGE = "A05"
# A price beyond these is a wrong unit [EUR/MWh].
LARGEST_EUR_PER_MWH = 20_000.0
_DAY_AHEAD = "A01"
_FIRST_AUCTION = "1"
_RESOLUTIONS = {"PT15M": 1, "PT30M": 2, "PT60M": 4, "PT1H": 4}
_SEQUENTIAL, _VARIABLE = "A01", "A03"


class AcknowledgementError(WijkstroomError):
    """ENTSO-E answered with an acknowledgement instead of prices: nothing published yet, or a refusal."""


def parse_entsoe(text: bytes, source: str) -> PriceSeries:
    """Read the prices of a publication document, or of a balancing document those of a shortage.

    Where series overlap the finer resolution counts, of several auctions the first.

    Parameters
    ----------
    text
        The document.
    source
        Its name, for errors.

    Raises
    ------
    AcknowledgementError
        When it is an acknowledgement; with its reasons.
    DocumentError
        With everything that is wrong with it.
    """
    root = parse_xml(text, source)
    if root.tag == ACKNOWLEDGEMENT:
        said = "; ".join(
            f"{_text(each, 'code')} {_text(each, 'text')}".strip() for each in root.iter("Reason")
        )
        raise AcknowledgementError(f"{source} sends no prices: {said or 'no reason given'}")
    if root.tag not in {PUBLICATION, BALANCING}:
        raise DocumentError(source, [Problem("", f"is a {root.tag}: ask for documentType A44 (or A85)")])
    problems: list[Problem] = []
    prices: dict[int, tuple[int, float]] = {}
    for number, series in enumerate(_choose(root), start=1):
        place = f"TimeSeries[{number}]"
        problems += _check_units(series, place)
        for quarter, length, price in _read_series(series, place, problems):
            known = prices.get(quarter)
            if known is None or length < known[0]:
                prices[quarter] = (length, price)
            elif length == known[0] and price != known[1]:
                at = _name_quarter(quarter)
                problems.append(Problem(place, f"{at} costs {known[1]:g} and {price:g}: one must be right"))
    problems += _find_holes(prices) if not problems else []
    if problems:
        raise DocumentError(source, problems)
    first = min(prices)
    values = np.array([prices[first + offset][1] for offset in range(len(prices))]) / KWH_PER_MWH
    return PriceSeries(first, values)


def parse_xml(text: bytes, source: str) -> Element:
    """Read XML without namespaces; a document type, and so every entity of its own, is refused.

    Raises
    ------
    DocumentError
        When it is no XML, or has a document type.
    """
    builder = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = lambda name, _attributes: builder.start(name.rpartition(" ")[2], {})
    parser.EndElementHandler = lambda name: builder.end(name.rpartition(" ")[2])
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = _refuse_doctype(source)
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise DocumentError(source, [Problem("", f"is no XML: {error}")]) from None
    return builder.close()


def _refuse_doctype(source: str) -> Callable[..., NoReturn]:
    def refuse(*_declared: object) -> NoReturn:
        message = "has a document type, which can name entities without end: send it without"
        raise DocumentError(source, [Problem("", message)])

    return refuse


def _choose(root: Element) -> list[Element]:
    """Return the series of the day-ahead market's first auction; a document may hold others beside it."""
    chosen = []
    for series in root.iter("TimeSeries"):
        contract = _text(series, "contract_MarketAgreement.type") or _DAY_AHEAD
        auction = _text(series, "classificationSequence_AttributeInstanceComponent.position")
        if root.tag == BALANCING or (
            contract == _DAY_AHEAD and (auction or _FIRST_AUCTION) == _FIRST_AUCTION
        ):
            chosen.append(series)
    return chosen


def _check_units(series: Element, place: str) -> Iterator[Problem]:
    for tag, wanted in (("currency_Unit.name", "EUR"), ("price_Measure_Unit.name", "MWH")):
        found = _text(series, tag) or wanted
        if found != wanted:
            yield Problem(f"{place}.{tag}", f"is {found}: only {wanted} can be read")


def _read_series(series: Element, place: str, problems: list[Problem]) -> Iterator[tuple[int, int, float]]:
    """Yield quarter, length of its step in quarters, and price [EUR/MWh]."""
    curve = _text(series, "curveType") or _SEQUENTIAL
    if curve not in {_SEQUENTIAL, _VARIABLE}:
        problems.append(Problem(f"{place}.curveType", f"is {curve}: A01 and A03 can be read"))
        return
    for number, period in enumerate(series.iter("Period"), start=1):
        where = f"{place}.Period[{number}]"
        try:
            yield from _read_period(period, repeats=curve == _VARIABLE)
        except ValueError as error:
            problems.append(Problem(where, str(error)))


def _read_period(period: Element, *, repeats: bool) -> list[tuple[int, int, float]]:
    """Return what `_read_series` yields.

    Raises
    ------
    ValueError
        When something is missing or out of order.
    """
    resolution = _text(period, "resolution")
    length = _RESOLUTIONS.get(resolution)
    if length is None:
        raise ValueError(f"resolution is {resolution or 'missing'}: PT15M, PT30M and PT60M can be read")
    start, end = (_instant(period, name) for name in ("start", "end"))
    step = length * QUARTER
    count, rest = divmod(end - start, step)
    if count < 1 or rest or start.timestamp() % (QUARTER / timedelta(seconds=1)):
        raise ValueError(f"{start.isoformat()} to {end.isoformat()} is no number of steps of {resolution}")
    points = dict(_read_points(period, count))
    if 1 not in points or (len(points) < count and not repeats):
        missing = next(position for position in range(1, count + 1) if position not in points)
        raise ValueError(f"point {missing} of {count} is missing: only curve type A03 leaves out equal ones")
    first, price, rows = quarter_number(start), points[1], []
    for position in range(1, count + 1):
        price = points.get(position, price)
        begin = first + (position - 1) * length
        rows += [(begin + offset, length, price) for offset in range(length)]
    return rows


def _read_points(period: Element, count: int) -> Iterator[tuple[int, float]]:
    seen = 0
    for point in period.iter("Point"):
        category = _text(point, "imbalance_Price.category")
        if category and category != SHORTAGE:
            continue
        said, amount = (
            _text(point, "position"),
            _text(point, DAY_AHEAD_PRICE) or _text(point, IMBALANCE_PRICE),
        )
        try:
            position, price = int(said), float(amount)
        except ValueError:
            raise ValueError(f"point {said or '?'} has the price {amount!r}: give a number") from None
        if not math.isfinite(price) or abs(price) > LARGEST_EUR_PER_MWH:
            raise ValueError(f"point {position} costs {amount} EUR/MWh: that is no price of energy")
        if not seen < position <= count:
            raise ValueError(f"point {position} follows {seen} of {count}: sort them, each once")
        seen = position
        yield position, price


def _instant(period: Element, name: str) -> datetime:
    said = _text(period, f"timeInterval/{name}")
    try:
        return to_utc(datetime.fromisoformat(said))
    except ValueError:
        message = f"timeInterval {name} is {said!r}: give an instant like 2026-06-09T22:00Z"
        raise ValueError(message) from None


def _find_holes(prices: dict[int, tuple[int, float]]) -> list[Problem]:
    if not prices:
        return [Problem("TimeSeries", "there are no prices of the day-ahead market")]
    quarters = sorted(prices)
    gaps = [after for before, after in pairwise(quarters) if after != before + 1]
    return [Problem("TimeSeries", f"there is a hole before {_name_quarter(after)}") for after in gaps]


def _name_quarter(quarter: int) -> str:
    return PriceSeries(quarter, np.zeros(1)).start.isoformat()


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
