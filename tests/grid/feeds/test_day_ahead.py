"""Plain documents of prices, and what a source answers over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from grid.errors import DocumentError
from grid.feeds.day_ahead import (
    PriceClient,
    PriceFeed,
    PriceFeedError,
    PriceFormat,
    RefusedPricesError,
    parse_csv,
    parse_json,
)

START, END = datetime(2026, 6, 8, 22, tzinfo=UTC), datetime(2026, 6, 9, 22, tzinfo=UTC)
CSV = b"utc_start,eur_per_mwh\n2026-06-08T22:00Z,10\n2026-06-08T23:00Z,20\n"


def test_csv_and_json_say_the_same() -> None:
    rows = b'[{"utc_start": "2026-06-08T22:00Z", "eur_per_mwh": 10}, {"utc_start": "2026-06-08T23:00Z", "eur_per_mwh": 20}]'
    plain = parse_csv(CSV, "x")
    for text in (rows, b'{"prices": ' + rows + b"}"):
        assert parse_json(text, "x").values_eur_per_kwh.tolist() == plain.values_eur_per_kwh.tolist()
    assert plain.start == START


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "is no JSON"),
        (b"[]", "prices"),
        (b'[{"utc_start": "2026-06-08T22:00Z"}]', "prices[0].eur_per_mwh"),
        (b'[{"utc_start": "2026-06-08T22:00", "eur_per_mwh": 1}]', "prices[0].utc_start"),
        (b'[{"utc_start": "2026-06-08T22:00Z", "eur_per_mwh": "1"}]', "prices[0].eur_per_mwh"),
        (b'[{"utc_start": "2026-06-08T22:00Z", "eur_per_mwh": 1e9}]', "prices[0].eur_per_mwh"),
        (b'[{"utc_start": "2026-06-08T22:05Z", "eur_per_mwh": 1}]', "line 2"),
    ],
)
def test_json_with_mistakes_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_json(text, "prices")
    assert message in str(caught.value)


def test_csv_that_is_no_text_is_refused() -> None:
    with pytest.raises(DocumentError, match="UTF-8"):
        parse_csv(b"\xff\xfe\x00", "prices")


async def ask(answer: httpx.Response | Exception, feed: PriceFeed) -> tuple[httpx.Request, bytes]:
    asked: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as http:
        text, _ = await PriceClient(feed, "secret-token", http).fetch(START, END)
    return asked[0], text


async def test_a_plain_source_is_told_the_span() -> None:
    feed = PriceFeed(format=PriceFormat.CSV, url="http://prices.example/p.csv?from={start}&to={end}")
    request, text = await ask(httpx.Response(200, content=CSV), feed)
    assert str(request.url) == "http://prices.example/p.csv?from=2026-06-08T22:00Z&to=2026-06-09T22:00Z"
    assert text == CSV


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(503), httpx.ConnectError("no way"), httpx.Response(200, content=b"x" * 6_000_000)],
)
async def test_a_source_that_fails_is_told_without_the_token(answer: httpx.Response | Exception) -> None:
    with pytest.raises(PriceFeedError) as caught:
        await ask(answer, PriceFeed())
    assert "secret-token" not in str(caught.value)


async def test_an_acknowledgement_comes_with_status_400_too() -> None:
    text = b"<Acknowledgement_MarketDocument><Reason><code>999</code><text>No data</text></Reason></Acknowledgement_MarketDocument>"
    for status in (200, 400):
        with pytest.raises(PriceFeedError, match="999 No data"):
            await ask(httpx.Response(status, content=text), PriceFeed())


async def test_what_cannot_be_read_is_kept_with_its_mistakes() -> None:
    with pytest.raises(RefusedPricesError) as caught:
        await ask(httpx.Response(200, content=b"<html/>"), PriceFeed())
    assert caught.value.text == b"<html/>"
    assert caught.value.problems
