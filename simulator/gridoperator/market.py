"""ENTSO-E's platform as far as day-ahead prices go: for tests and demonstrations.

It writes the documents by itself, so that two independent readings of the format must agree.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PATH = "/api"
HOUR = timedelta(hours=1)
_PUBLICATION = "urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3"
_ACKNOWLEDGEMENT = "urn:iec62325.351:tc57wg16:451-1:acknowledgementdocument:7:0"


@dataclass
class PriceExchange:
    """The market.

    Parameters
    ----------
    token
        What must be shown.
    prices
        What was published, by hour [EUR/MWh].
    broken
        Sent instead of everything, while it is there.
    asked
        Periods that were asked for.
    """

    token: str = "price-token"  # noqa: S105 - of a simulation
    prices: dict[datetime, float] = field(default_factory=dict)
    broken: bytes | None = None
    asked: list[tuple[datetime, datetime]] = field(default_factory=list)
    url: str = ""

    def publish(self, start: datetime, eur_per_mwh: list[float]) -> None:
        """Publish hours from an instant on."""
        self.prices |= {start + number * HOUR: price for number, price in enumerate(eur_per_mwh)}

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen on loopback for the block."""
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as door:
            self.url = f"http://127.0.0.1:{door.getsockname()[1]}{PATH}"
            app = Starlette(routes=[Route(PATH, self._serve)])
            server = _Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
            async with anyio.create_task_group() as group:
                group.start_soon(server.serve, [door])
                try:
                    yield
                finally:
                    server.should_exit = True

    async def _serve(self, request: Request) -> Response:
        asked = request.query_params
        if asked.get("securityToken") != self.token:
            return _explain("999", "Unauthorized. Missing or invalid security token", 401)
        if asked.get("documentType") != "A44" or asked.get("in_Domain") != asked.get("out_Domain"):
            return _explain("999", "The combination of parameters is not valid", 400)
        start, end = (_instant(asked[name]) for name in ("periodStart", "periodEnd"))
        self.asked.append((start, end))
        if self.broken is not None:
            return Response(self.broken, media_type="text/xml")
        # Whole days are sent, also when a part of one was asked for.
        days = [day for day in self._list_days() if day < end and day + 24 * HOUR > start]
        if not days:
            return _explain("999", "No matching data found for Data item Day-ahead Prices", 200)
        body = "".join(map(self._write_day, days))
        return _answer("Publication_MarketDocument", _PUBLICATION, f"<type>A44</type>{body}")

    def _list_days(self) -> list[datetime]:
        return sorted(self.prices)[::24]

    def _write_day(self, day: datetime) -> str:
        """Write a day; hours that cost what the one before them did are left out."""
        hours = [self.prices[day + number * HOUR] for number in range(24)]
        points = "".join(
            f"<Point><position>{number + 1}</position><price.amount>{price}</price.amount></Point>"
            for number, price in enumerate(hours)
            if number == 0 or price != hours[number - 1]
        )
        interval = f"<start>{day:%Y-%m-%dT%H:%MZ}</start><end>{day + 24 * HOUR:%Y-%m-%dT%H:%MZ}</end>"
        return (
            "<TimeSeries><currency_Unit.name>EUR</currency_Unit.name>"
            "<price_Measure_Unit.name>MWH</price_Measure_Unit.name><curveType>A03</curveType>"
            f"<Period><timeInterval>{interval}</timeInterval><resolution>PT60M</resolution>{points}</Period>"
            "</TimeSeries>"
        )


def _instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%d%H%M").replace(tzinfo=UTC)


def _explain(code: str, text: str, status: int) -> Response:
    reason = f"<Reason><code>{code}</code><text>{escape(text)}</text></Reason>"
    answer = _answer("Acknowledgement_MarketDocument", _ACKNOWLEDGEMENT, reason)
    answer.status_code = status
    return answer


def _answer(name: str, space: str, body: str) -> Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} xmlns="{space}">{body}</{name}>'
    return Response(text, media_type="text/xml")


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield
