"""ENTSO-E's documents: written for these tests from the public description."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.errors import DocumentError
from grid.feeds.entsoe import AcknowledgementError, parse_entsoe
from grid.tariffs.energy import PriceSeries

START = datetime(2026, 6, 8, 22, tzinfo=UTC)


def period(
    points: Mapping[int, object], *, hours: float = 24, resolution: str = "PT60M", start: datetime = START
) -> str:
    rows = "".join(
        f"<Point><position>{position}</position><price.amount>{price}</price.amount></Point>"
        for position, price in points.items()
    )
    end = start + timedelta(hours=hours)
    return (
        f"<Period><timeInterval><start>{start:%Y-%m-%dT%H:%MZ}</start><end>{end:%Y-%m-%dT%H:%MZ}</end></timeInterval>"
        f"<resolution>{resolution}</resolution>{rows}</Period>"
    )


def series(periods: str, curve: str = "A03", more: str = "", contract: str = "A01") -> str:
    return (
        "<TimeSeries><mRID>1</mRID><businessType>A62</businessType>"
        f"{more}<in_Domain.mRID codingScheme='A01'>10YNL----------L</in_Domain.mRID>"
        f"<contract_MarketAgreement.type>{contract}</contract_MarketAgreement.type>"
        "<currency_Unit.name>EUR</currency_Unit.name><price_Measure_Unit.name>MWH</price_Measure_Unit.name>"
        f"<curveType>{curve}</curveType>{periods}</TimeSeries>"
    )


def document(*bodies: str, name: str = "Publication_MarketDocument") -> bytes:
    space = "urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3"
    return f"<?xml version='1.0' encoding='UTF-8'?><{name} xmlns='{space}'><type>A44</type>{''.join(bodies)}</{name}>".encode()


def read(*bodies: str) -> PriceSeries:
    return parse_entsoe(document(*bodies), "ENTSO-E")


def refused(text: bytes) -> str:
    with pytest.raises(DocumentError) as caught:
        parse_entsoe(text, "ENTSO-E")
    return str(caught.value)


HOURLY = {position: 40 + position for position in range(1, 25)}


def test_a_day_of_hours() -> None:
    prices = read(series(period(HOURLY), "A01"))
    assert (prices.start, prices.end) == (START, START + timedelta(days=1))
    assert np.allclose(prices.values_eur_per_kwh, np.repeat(np.arange(41, 65), 4) / 1000)


def test_a_day_of_quarters() -> None:
    points = {position: position / 2 for position in range(1, 97)}
    prices = read(series(period(points, resolution="PT15M")))
    assert np.allclose(prices.values_eur_per_kwh * 1000, np.arange(1, 97) / 2)


@settings(deadline=None)
@given(st.lists(st.sampled_from([-5.0, 0.0, 12.5]), min_size=96, max_size=96))
def test_points_that_were_left_out_are_the_ones_before(values: list[float]) -> None:
    said = {n + 1: value for n, value in enumerate(values) if n == 0 or value != values[n - 1]}
    prices = read(series(period(said, resolution="PT15M")))
    assert np.allclose(prices.values_eur_per_kwh * 1000, values)


def test_several_series_are_put_together_in_any_order() -> None:
    tomorrow = START + timedelta(days=1)
    prices = read(series(period(HOURLY, start=tomorrow)), series(period({1: 5})))
    assert prices.end == START + timedelta(days=2)
    assert prices.values_eur_per_kwh[0] == pytest.approx(0.005)
    assert prices.values_eur_per_kwh[-1] == pytest.approx(0.064)


def test_quarters_count_more_than_hours_and_the_first_auction_alone() -> None:
    position = "classificationSequence_AttributeInstanceComponent.position"
    prices = read(
        series(period(HOURLY)),
        series(period({1: 7}, resolution="PT15M"), more=f"<{position}>1</{position}>"),
        series(period({1: 9}), more=f"<{position}>2</{position}>"),
        series(period({1: 9}), contract="A07"),
    )
    assert np.allclose(prices.values_eur_per_kwh, 0.007)


@pytest.mark.parametrize(("hours", "count"), [(23, 92), (25, 100)])
def test_days_on_which_the_clock_changes(hours: int, count: int) -> None:
    assert len(read(series(period({1: 1}, hours=hours))).values_eur_per_kwh) == count


def test_prices_of_a_shortage_are_read_from_a_balancing_document() -> None:
    rows = "".join(
        f"<Point><position>1</position><imbalance_Price.amount>{amount}</imbalance_Price.amount>"
        f"<imbalance_Price.category>{category}</imbalance_Price.category></Point>"
        for category, amount in (("A04", -20), ("A05", 130))
    )
    body = period({}, hours=0.25, resolution="PT15M").replace("</Period>", f"{rows}</Period>")
    prices = parse_entsoe(document(series(body), name="Balancing_MarketDocument"), "ENTSO-E")
    assert prices.values_eur_per_kwh.tolist() == [0.13]


def test_an_acknowledgement_is_told_with_its_reason() -> None:
    text = document(
        "<Reason><code>999</code><text>No matching data found</text></Reason>",
        name="Acknowledgement_MarketDocument",
    )
    with pytest.raises(AcknowledgementError, match="999 No matching data found"):
        parse_entsoe(text, "ENTSO-E")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (series(period({1: 1, 3: 2}), "A01"), "point 2 of 24 is missing"),
        (series(period({2: 1})), "point 1 of 24 is missing"),
        (series(period({1: 1, 25: 1})), "point 25 follows 1 of 24"),
        (series(period({2: 1, 1: 1})), "point 1 follows 2"),
        (series(period({1: "much"})), "'much'"),
        (series(period({1: "nan"})), "no price of energy"),
        (series(period({1: 99999})), "no price of energy"),
        (series(period(HOURLY, resolution="P1D")), "resolution is P1D"),
        (series(period({1: 1}, hours=0.5)), "no number of steps"),
        (series(period({1: 1}, start=START + timedelta(minutes=5))), "no number of steps"),
        (series(period(HOURLY), "A05"), "curveType: is A05"),
        (series(period(HOURLY)).replace("EUR<", "GBP<"), "is GBP"),
        (series(period({1: 1})) + series(period({1: 2})), "costs 1 and 2"),
        (
            series(period({1: 1})) + series(period({1: 2}, start=START + timedelta(days=2))),
            "a hole before 2026-06-10T22:00",
        ),
        (series(period(HOURLY)).replace("<start>2026", "<start>soon"), "timeInterval start is 'soon"),
        ("", "no prices of the day-ahead market"),
    ],
)
def test_documents_with_mistakes_are_refused(body: str, message: str) -> None:
    assert message in refused(document(body))


def test_all_mistakes_are_told_at_once() -> None:
    text = refused(document(series(period({2: 1})), series(period({1: "x"}))))
    assert "TimeSeries[1].Period[1]" in text
    assert "TimeSeries[2].Period[1]" in text


def test_what_is_no_document_of_prices_is_refused() -> None:
    assert "is no XML" in refused(b"<html><body>Bad gateway")
    assert "is a html" in refused(b"<html/>")
    assert "is no XML" in refused(b"")


def test_entities_are_never_expanded() -> None:
    laughs = b"<!DOCTYPE lolz [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><lolz>&b;</lolz>"
    assert "document type" in refused(laughs)
    assert "document type" in refused(b"<!DOCTYPE x SYSTEM 'file:///etc/passwd'><x/>")


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode), st.integers(0, 3000))
def test_rubbish_never_gets_through(rubbish: bytes, at: int) -> None:
    whole = document(series(period(HOURLY)))
    cut = whole[:at] + rubbish + whole[at + len(rubbish) :]
    for text in (rubbish, cut):
        with contextlib.suppress(DocumentError):
            assert len(parse_entsoe(text, "ENTSO-E").values_eur_per_kwh) > 0
