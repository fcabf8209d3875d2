"""The day as a picture: power of every quarter against the limit, and the price under it, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

WIDTH, HEIGHT = 960, 520
LEFT, RIGHT = 64, 936
POWER_TOP, POWER_BOTTOM = 64, 360
PRICE_TOP, PRICE_BOTTOM = 396, 480
QUARTERS_PER_TICK = 12

INK, FAINT = "#1f2933", "#d5dae1"
BASE, CHARGED, DISCHARGED = "#b8c2cc", "#2f8f5b", "#7b4fa3"
SUN, UNCONTROLLED, LIMIT, PRICE = "#e0a100", "#c8553d", "#1f2933", "#4a7fb5"


@dataclass(frozen=True, eq=False)
class Day:
    """What the picture shows, one value per quarter.

    Parameters
    ----------
    title
        Over the picture.
    starts
        Starts of the quarters (UTC).
    tz
        In which the hours are written.
    base_kw, pv_kw
        Households and sun [kW].
    charged_kw, discharged_kw
        Taken and given by the planned cars, both >= 0 [kW].
    uncontrolled_kw
        What the same cars would have taken without a plan [kW]; None leaves it out.
    limit_kw
        Lowest limit on import [kW].
    price_eur_per_mwh
        Day-ahead price [EUR/MWh].
    """

    title: str
    starts: Sequence[datetime]
    tz: ZoneInfo
    base_kw: FloatArray
    pv_kw: FloatArray
    charged_kw: FloatArray
    discharged_kw: FloatArray
    uncontrolled_kw: FloatArray | None
    limit_kw: FloatArray
    price_eur_per_mwh: FloatArray


class _Axis:
    """Values to pixels, downwards growing."""

    def __init__(self, low: float, high: float, top: int, bottom: int) -> None:
        self.low, self.high, self.top, self.bottom = low, high, top, bottom

    def __call__(self, value: float) -> float:
        inside = min(max(value, self.low), self.high)
        return self.bottom - (inside - self.low) / (self.high - self.low) * (self.bottom - self.top)

    def ticks(self) -> list[float]:
        """Return round values inside the axis, about five."""
        step = _round_step((self.high - self.low) / 5.0)
        first = int(np.ceil(self.low / step))
        return [number * step for number in range(first, int(np.floor(self.high / step)) + 1)]


def draw_day(day: Day) -> str:
    """Return the picture as an SVG document."""
    power = _power_axis(day)
    prices = day.price_eur_per_mwh
    price = _Axis(
        min(float(prices.min()), 0.0), max(float(prices.max()), 1.0) * 1.05, PRICE_TOP, PRICE_BOTTOM
    )
    stacked = day.base_kw + day.charged_kw
    parts = [
        *_frame(day, power, price),
        _area(day.base_kw, np.zeros(len(day.starts)), power, BASE),
        _area(stacked, day.base_kw, power, CHARGED),
        _area(np.zeros(len(day.starts)), -day.discharged_kw, power, DISCHARGED),
        _line(day.pv_kw, power, SUN, 2.0),
    ]
    if day.uncontrolled_kw is not None:
        parts.append(_line(day.base_kw + day.uncontrolled_kw, power, UNCONTROLLED, 1.6, dashes="5 3"))
    # Sun that is there is drawn beside the limit, not against it.
    parts.append(_line(day.limit_kw + day.pv_kw, power, LIMIT, 2.4))
    parts.append(_line(prices, price, PRICE, 2.0))
    body = "\n".join([*parts, *_legend(uncontrolled=day.uncontrolled_kw is not None)])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="{INK}">\n'
        f'<title>{_escaped(day.title)}</title>\n<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>\n'
        f"{body}\n</svg>\n"
    )


def _power_axis(day: Day) -> _Axis:
    """Cover everything drawn, but not limits far above it."""
    highest = float(max((day.base_kw + day.charged_kw).max(), day.pv_kw.max(), day.limit_kw.min()))
    if day.uncontrolled_kw is not None:
        highest = max(highest, float((day.base_kw + day.uncontrolled_kw).max()))
    return _Axis(-float(day.discharged_kw.max()) * 1.1, highest * 1.08, POWER_TOP, POWER_BOTTOM)


def _frame(day: Day, power: _Axis, price: _Axis) -> list[str]:
    parts = [_text(LEFT, 24, day.title, size=16, weight="600")]
    for axis, label in ((power, "kW"), (price, "EUR/MWh")):
        parts.append(_text(LEFT, axis.top - 6, label, colour="#52606d"))
        for value in axis.ticks():
            colour = INK if value == 0.0 else FAINT
            y = f"{axis(value):.1f}"
            parts.append(f'<line x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}" stroke="{colour}"/>')
            parts.append(_text(LEFT - 8, axis(value) + 4, f"{value:g}", anchor="end"))
    count = len(day.starts)
    for index in range(0, count, QUARTERS_PER_TICK):
        local = day.starts[index].astimezone(day.tz)
        parts.append(_text(_x(index, count), PRICE_BOTTOM + 20, f"{local:%H:%M}", anchor="middle"))
    return parts


def _legend(*, uncontrolled: bool) -> list[str]:
    entries = [
        (BASE, "households"),
        (CHARGED, "charging, planned"),
        (DISCHARGED, "discharging"),
        (SUN, "sun"),
        (LIMIT, "limit and sun"),
        *([(UNCONTROLLED, "households and charging, uncontrolled")] if uncontrolled else []),
    ]
    parts, x = [], float(LEFT)
    for colour, label in entries:
        parts.append(f'<rect x="{x:.0f}" y="{HEIGHT - 14}" width="12" height="8" fill="{colour}"/>')
        parts.append(_text(x + 17, HEIGHT - 6, label))
        x += 42 + 6.9 * len(label)
    return parts


def _x(index: float, count: int) -> float:
    return LEFT + (RIGHT - LEFT) * index / max(count, 1)


def _steps(values: FloatArray, axis: _Axis) -> list[str]:
    count = len(values)
    return [
        f"{_x(edge, count):.1f},{axis(float(value)):.1f}"
        for index, value in enumerate(values)
        for edge in (index, index + 1)
    ]


def _area(upper: FloatArray, lower: FloatArray, axis: _Axis, colour: str) -> str:
    points = " ".join([*_steps(upper, axis), *reversed(_steps(lower, axis))])
    return f'<polygon points="{points}" fill="{colour}"/>'


def _line(values: FloatArray, axis: _Axis, colour: str, width: float, dashes: str = "") -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    points = " ".join(_steps(values, axis))
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"{dashed}/>'


def _text(x: float, y: float, text: str, **style: Any) -> str:
    size, weight = style.get("size", 13), style.get("weight", "400")
    anchor, colour = style.get("anchor", "start"), style.get("colour", INK)
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" '
        f'text-anchor="{anchor}" fill="{colour}">{_escaped(text)}</text>'
    )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _round_step(width: float) -> float:
    power = 10.0 ** np.floor(np.log10(max(width, 1e-9)))
    return float(next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= width))
