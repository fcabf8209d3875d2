"""The picture is a well-formed document that shows what it was given."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.timegrid import QUARTER, TimeGrid
from wijkstroom.picture import LIMIT, POWER_BOTTOM, POWER_TOP, UNCONTROLLED, Day, draw_day

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def day() -> Day:
    starts = TimeGrid(datetime(2024, 6, 11, 4, tzinfo=UTC), QUARTER, 96).starts
    flat = np.full(96, 50.0)
    return Day(
        "Lombok <11 June>",
        starts,
        ZoneInfo("Europe/Amsterdam"),
        flat,
        flat * 0.0,
        flat,
        flat * 0.2,
        flat * 3.0,
        np.full(96, 110.0),
        np.linspace(-20.0, 130.0, 96),
    )


def lines(svg: str, colour: str) -> list[ET.Element]:
    return [each for each in ET.fromstring(svg).iter(f"{SVG}polyline") if each.get("stroke") == colour]


def test_title_and_local_hours_are_written(day: Day) -> None:
    texts = [each.text for each in ET.fromstring(draw_day(day)).iter(f"{SVG}text")]
    assert texts[0] == "Lombok <11 June>"
    assert {"06:00", "09:00", "21:00", "03:00"} <= set(texts)


def test_the_limit_lies_where_its_value_is(day: Day) -> None:
    (limit,) = lines(draw_day(day), LIMIT)
    heights = {float(point.split(",")[1]) for point in limit.attrib["points"].split()}
    assert len(heights) == 1
    (uncontrolled,) = lines(draw_day(day), UNCONTROLLED)
    higher = {float(point.split(",")[1]) for point in uncontrolled.attrib["points"].split()}
    assert max(higher) < min(heights), "200 kW is drawn above 110 kW"


def test_without_a_comparison_none_is_drawn(day: Day) -> None:
    svg = draw_day(replace(day, uncontrolled_kw=None))
    assert not lines(svg, UNCONTROLLED)
    assert "uncontrolled" not in svg


@given(scale=st.floats(0.0, 1e5), price=st.floats(-500.0, 4000.0), quarters=st.integers(1, 100))
def test_everything_stays_inside_the_frame(scale: float, price: float, quarters: int) -> None:
    values = np.linspace(0.0, scale, quarters)
    starts = TimeGrid(datetime(2024, 3, 30, 23, tzinfo=UTC), QUARTER, quarters).starts
    tz = ZoneInfo("Europe/Amsterdam")
    limit = np.full(quarters, 100.0)
    day = Day("any", starts, tz, values, values, values, values, values, limit, np.full(quarters, price))
    svg = draw_day(day)
    for colour in (LIMIT, UNCONTROLLED):
        for line in lines(svg, colour):
            heights = [float(point.split(",")[1]) for point in line.attrib["points"].split()]
            assert min(heights) >= POWER_TOP
            assert max(heights) <= POWER_BOTTOM
