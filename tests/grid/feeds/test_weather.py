"""Doors to the sun's forecast: recorded formats with figures of our own, over HTTP on loopback."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.errors import DocumentError
from grid.feeds import weather_forecast_solar, weather_knmi, weather_open_meteo, weather_solcast
from grid.feeds.weather import (
    RefusedWeatherError,
    WeatherClient,
    WeatherFeed,
    WeatherFeedError,
    WeatherSource,
    check_feed,
)
from grid.solar.live import Answer, PowerSeries, WeatherSeries
from grid.solar.model import PvArray
from grid.solar.observations import Observations
from grid.timegrid import QUARTER
from tests.grid.feeds.loopback import Loopback

FOLDER = Path(__file__).parent / "weather"
ARRAY = PvArray(52.0945, 5.1035, 120.0, 15.0, 170.0)
NOW = datetime(2024, 6, 11, 6, 1, tzinfo=UTC)
FILES = {
    WeatherSource.OPEN_METEO: "open_meteo.json",
    WeatherSource.SOLCAST: "solcast.json",
    WeatherSource.FORECAST_SOLAR: "forecast_solar.json",
    WeatherSource.KNMI: "knmi.txt",
}
READERS: dict[WeatherSource, Callable[[str, PvArray], Answer]] = {
    WeatherSource.OPEN_METEO: weather_open_meteo.read,
    WeatherSource.SOLCAST: weather_solcast.read,
    WeatherSource.FORECAST_SOLAR: weather_forecast_solar.read,
    WeatherSource.KNMI: weather_knmi.read,
}


def text_of(source: WeatherSource) -> str:
    return (FOLDER / FILES[source]).read_text()


def document(source: WeatherSource) -> Any:
    return json.loads(text_of(source))


def refused(source: WeatherSource, text: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        READERS[source](text, ARRAY)
    return [str(problem) for problem in caught.value.problems]


async def ask(source: WeatherSource, server: Loopback, key: str = "") -> Answer:
    feed = WeatherFeed(
        source=source, url=server.url, site="ab12-cd34" if source is WeatherSource.SOLCAST else None
    )
    async with httpx.AsyncClient() as http:
        return await WeatherClient(feed, key, ARRAY, http).fetch(NOW)


# what each says


async def test_open_meteo_s_quarters_end_at_their_time() -> None:
    async with Loopback(text_of(WeatherSource.OPEN_METEO).encode()).listening() as server:
        found = await ask(WeatherSource.OPEN_METEO, server)
    assert isinstance(found, WeatherSeries)
    # Three values are missing at the end of 36 hours.
    assert (found.steps.step, found.steps.steps) == (QUARTER, 141)
    assert found.steps.start == datetime(2024, 6, 11, tzinfo=UTC)
    block = document(WeatherSource.OPEN_METEO)["minutely_15"]
    assert found.ghi_w_m2[50] == block["shortwave_radiation"][50]
    (asked,) = server.asked
    assert asked.startswith(
        "GET /v1/forecast?latitude=52.0945&longitude=5.1035&minutely_15=shortwave_radiation"
    )
    assert "wind_speed_unit=ms" in asked
    assert "apikey" not in asked


def test_open_meteo_s_hours_are_read_when_there_are_no_quarters() -> None:
    answer = document(WeatherSource.OPEN_METEO)
    block, units = answer.pop("minutely_15"), answer.pop("minutely_15_units")
    hourly = {name: values[3:-4:4] for name, values in block.items()}
    found = weather_open_meteo.read(json.dumps(answer | {"hourly": hourly, "hourly_units": units}), ARRAY)
    assert found.steps.step == timedelta(hours=1)
    assert found.steps.start == datetime(2024, 6, 11, tzinfo=UTC)


async def test_solcast_s_half_hours_come_with_their_quantiles() -> None:
    async with Loopback(text_of(WeatherSource.SOLCAST).encode()).listening() as server:
        found = await ask(WeatherSource.SOLCAST, server, "solcast-key")
    assert isinstance(found, PowerSeries)
    assert found.steps.start == datetime(2024, 6, 11, 6, tzinfo=UTC)
    assert found.steps.step == timedelta(minutes=30)
    assert found.lower_kw is not None
    assert found.upper_kw is not None
    assert np.all(found.lower_kw <= found.power_kw)
    assert np.all(found.power_kw <= found.upper_kw)
    (asked,) = server.asked
    assert asked.startswith("GET /rooftop_sites/ab12-cd34/forecasts?format=json&hours=72 ")
    assert re.search("authorization: bearer solcast-key", asked, re.IGNORECASE)


async def test_forecast_solar_s_irregular_energy_is_all_kept() -> None:
    async with Loopback(text_of(WeatherSource.FORECAST_SOLAR).encode()).listening() as server:
        found = await ask(WeatherSource.FORECAST_SOLAR, server, "fs-key")
    assert isinstance(found, PowerSeries)
    days = document(WeatherSource.FORECAST_SOLAR)["result"]["watt_hours_day"]
    assert found.power_kw.sum() / 4 == pytest.approx(sum(days.values()) / 1000)
    assert found.steps.start == datetime(2024, 6, 11, 3, 15, tzinfo=UTC)
    night = [start.hour in {22, 23, 0, 1} for start in found.steps.starts]
    assert not found.power_kw[np.array(night)].any()
    (asked,) = server.asked
    assert asked.startswith("GET /fs-key/estimate/52.0945/5.1035/15/-10/120?time=utc ")


async def test_knmi_s_hours_end_at_theirs_and_what_is_not_yet_measured_is_left_away() -> None:
    async with Loopback(text_of(WeatherSource.KNMI).encode()).listening() as server:
        found = await ask(WeatherSource.KNMI, server)
    assert isinstance(found, Observations)
    assert found.start == datetime(2024, 6, 8, tzinfo=UTC)
    assert found.hours.end == datetime(2024, 6, 11, 8, tzinfo=UTC)
    assert found.cloud_octa.max() == 8.0
    noon = [line for line in text_of(WeatherSource.KNMI).splitlines() if "20240608,   13," in line]
    assert found.ghi_w_m2[12] == pytest.approx(int(noon[0].split(",")[5]) / 0.36)
    (asked,) = server.asked
    assert asked.startswith("POST /klimatologie/uurgegevens ")
    assert "stns=260" in asked
    assert "start=2024060701&end=2024061124" in asked


# what is refused


def change(source: WeatherSource, edit: Callable[[Any], object]) -> list[str]:
    answer = document(source)
    edit(answer)
    return refused(source, json.dumps(answer))


def quarters(edit: Callable[[dict[str, Any]], object]) -> list[str]:
    return change(WeatherSource.OPEN_METEO, lambda answer: edit(answer["minutely_15"]))


def test_open_meteo_s_mistakes_are_all_told() -> None:
    def spoil(block: dict[str, Any]) -> None:
        block["shortwave_radiation"][40], block["temperature_2m"][41] = -5.0, "warm"

    found = quarters(spoil)
    assert any(one.startswith("minutely_15.shortwave_radiation[40]") for one in found)
    assert any(one.startswith("minutely_15.temperature_2m[41]") for one in found)
    assert "missing between" in quarters(lambda block: block["wind_speed_10m"].__setitem__(9, None))[0]
    assert "a hole" in quarters(lambda block: block["time"].__setitem__(9, block["time"][9] + 900))[0]
    assert "equally long" in quarters(lambda block: block["time"].pop())[0]
    assert "less than 6 hours" in quarters(lambda block: [each.__delitem__(slice(9, None)) for each in block.values()])[0]  # fmt: skip
    answer = text_of(WeatherSource.OPEN_METEO)
    assert quarters(lambda block: block["time"].__setitem__(0, 10**20))
    assert refused(WeatherSource.OPEN_METEO, answer.replace('"W/m²"', '"MJ/m²"'))
    assert refused(WeatherSource.OPEN_METEO, answer.replace('_seconds": 0', '_seconds": 7200'))
    assert "neither" in refused(WeatherSource.OPEN_METEO, '{"utc_offset_seconds": 0}')[0]


def test_solcast_s_mistakes_are_all_told() -> None:
    def first(**changes: Any) -> list[str]:
        return change(WeatherSource.SOLCAST, lambda answer: answer["forecasts"][0].update(changes))

    assert "pv_estimate10 <=" in first(pv_estimate10=90.0)[0]
    assert "more than the array can give" in first(pv_estimate=500.0, pv_estimate90=501.0)[0]
    assert first(period="P1D")[0].startswith("forecasts[0].period")
    assert "must be PT15M like the first" in first(period="PT15M")[0]
    assert first(period_end="2024-06-11T06:30:00")[0].startswith("forecasts[0].period_end")
    assert first(period_end="0001-01-01T00:00:00+05:00")
    assert first(pv_estimate=float("nan"))
    assert len(change(WeatherSource.SOLCAST, lambda answer: [one.pop("pv_estimate90") for one in answer["forecasts"]])) > 10  # fmt: skip
    assert change(WeatherSource.SOLCAST, lambda answer: answer.update(forecasts=[]))


def test_forecast_solar_s_mistakes_are_told() -> None:
    def periods(edit: Callable[[dict[str, Any]], object]) -> list[str]:
        return change(
            WeatherSource.FORECAST_SOLAR, lambda answer: edit(answer["result"]["watt_hours_period"])
        )

    noon = "2024-06-11T12:00:00+00:00"
    assert "more than the array" in periods(lambda block: block.update({noon: 400_000}))[0]
    assert periods(lambda block: block.update({noon: -1}))[0].startswith("result.watt_hours_period")
    assert periods(lambda block: block.update({"2024-06-11 12:00:00": 1}))
    assert "a day is missing" in periods(lambda block: block.update({"2024-06-14T04:00:00+00:00": 1}))[0]
    assert "result" in refused(WeatherSource.FORECAST_SOLAR, '{"result": null, "message": {"code": 429}}')[0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# STN,YYYYMMDD", "# STN,YYYYMM", "no line names the columns"),
        ("260,20240609,   13,", "260,20240609,   14,", "an hour is missing"),
        ("260,20240609,   13,", "260,20240609,   25,", "must be STN,YYYYMMDD"),
        ("260,20240609,   13,", f"260,99991231,   {10**400},", "must be STN"),
        ("260,20240609,   13,", "344,20240609,   13,", "more than one station (260, 344)"),
        ("260,20240609,   13,", "260,20240609,   13,   x,", "must be STN"),
    ],
)
def test_knmi_s_mistakes_are_told(old: str, new: str, message: str) -> None:
    text = text_of(WeatherSource.KNMI)
    assert old in text
    assert any(message in one for one in refused(WeatherSource.KNMI, text.replace(old, new)))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "<html>busy</html>", '{"error": true}', "[" * 100_000]
)
@pytest.mark.parametrize("source", list(WeatherSource))
def test_what_is_no_answer_is_refused(source: WeatherSource, text: str) -> None:
    assert refused(source, text)


async def test_a_refused_answer_is_told_with_what_came() -> None:
    async with Loopback(b'{"forecasts": [{}]}').listening() as server:
        with pytest.raises(RefusedWeatherError, match=r"forecasts\[0\].pv_estimate") as caught:
            await ask(WeatherSource.SOLCAST, server, "key")
    assert caught.value.text == '{"forecasts": [{}]}'
    assert len(caught.value.problems) >= 5


# what does not come


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (400, b'{"error": true, "reason": "Latitude must be in range"}', "400: Latitude must be"),
        (
            429,
            b'{"response_status": {"error_code": "TooManyRequests", "message": "daily limit"}}',
            "daily limit",
        ),
        (
            429,
            b'{"result": null, "message": {"code": 429, "text": "Rate limit for key secret-key"}}',
            r"key \*\*\*",
        ),
        (503, b"<html>", "answered with 503$"),
        (302, b"", "302"),
        (200, b"x" * 2_000_001, "2000001 bytes"),
    ],
)
async def test_refusals_are_told_without_the_key(status: int, body: bytes, message: str) -> None:
    async with Loopback(body, status).listening() as server:
        with pytest.raises(WeatherFeedError, match=message) as caught:
            await ask(WeatherSource.FORECAST_SOLAR, server, "secret-key")
    assert "secret-key" not in str(caught.value)


async def test_nobody_there_is_told_without_the_key() -> None:
    async with Loopback().listening() as server:
        pass
    with pytest.raises(WeatherFeedError, match="cannot be reached: ConnectError") as caught:
        await ask(WeatherSource.FORECAST_SOLAR, server, "secret-key")
    assert "secret-key" not in str(caught.value)


def test_a_feed_that_lacks_something_says_what() -> None:
    assert check_feed(WeatherFeed(source=WeatherSource.OPEN_METEO), "") == []
    told = [str(problem) for problem in check_feed(WeatherFeed(source=WeatherSource.SOLCAST), "")]
    assert [one.split(":")[0] for one in told] == ["sun.feed.site", "WIJKSTROOM_WEATHER_KEY"]


# anything else

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every container of a document with every key or index in it."""
    keys = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
    return [(node, key) for key in keys] + [place for key in keys for place in places(node[key])]


@settings(max_examples=60)
@given(
    st.sampled_from([WeatherSource.OPEN_METEO, WeatherSource.SOLCAST, WeatherSource.FORECAST_SOLAR]),
    st.integers(0, 10**6),
    LEAVES,
)
def test_an_answer_that_is_damaged_anywhere_is_read_or_refused(
    source: WeatherSource, place: int, leaf: object
) -> None:
    answer = document(source)
    found = places(answer)
    container, key = found[place % len(found)]
    container[key] = leaf
    with suppress(DocumentError):
        READERS[source](json.dumps(answer), ARRAY)


@settings(max_examples=60)
@given(st.integers(0, 5000), st.text(max_size=6))
def test_knmi_s_text_that_is_damaged_anywhere_is_read_or_refused(place: int, inserted: str) -> None:
    text = text_of(WeatherSource.KNMI)
    at = place % len(text)
    with suppress(DocumentError):
        weather_knmi.read(text[:at] + inserted + text[at + 1 :], ARRAY)
