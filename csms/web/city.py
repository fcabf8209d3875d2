"""The city's window: free places, energy and sun of the street for everybody, as a page and as open data."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import date, datetime, timedelta
from functools import partial
from importlib.resources import files
from typing import Annotated, Final

from fastapi import APIRouter, Query
from jinja2 import Environment, StrictUndefined
from starlette.responses import HTMLResponse, Response

from csms.api.context import ApiContext
from csms.api.problems import refused_fields
from csms.web.driver import judge_socket
from csms.web.open_data import CROWD, DICTIONARY, OpenHour, read_hours, write_csv, write_dictionary
from grid.errors import Problem
from grid.timegrid import floor_quarter

_DAYS_KEPT: Final = 8
_CSV: Final = "text/csv; charset=utf-8"
_LICENCE_HEADERS: Final = {"Cache-Control": "public, max-age=300"}
# field, why it is kept, on what ground, how long: name of a retention setting, or words.
REGISTER: Final = (
    (
        "Token of a card or car",
        "to let it charge, to plan for known cars",
        "contract",
        "with the session",
    ),
    (
        "Begin, end and energy of a session",
        "to bill and to keep the limits",
        "contract, tax law",
        "at least 7 years",
    ),
    ("Samples of a session", "to plan and to check what was delivered", "contract", "samples_days"),
    ("Declared need and departure", "to plan", "consent, by declaring", "with the session"),
    ("Bookings of shared cars", "to have the car ready", "contract", "with the session"),
    ("Messages of stations, without tokens", "to find faults", "legitimate interest", "messages_days"),
    ("Plans", "to explain what was decided", "legitimate interest", "plans_days"),
    ("What operators did", "to account for it", "legitimate interest", "for ever"),
)


class CityDesk:
    """Gathers open data, once per quarter and day: it is public, and asked by whoever likes.

    Parameters
    ----------
    context
        State, rows, network and time.
    """

    def __init__(self, context: ApiContext) -> None:
        self.context = context
        self._known: OrderedDict[tuple[date, datetime], list[OpenHour]] = OrderedDict()
        self._reading = asyncio.Lock()

    @property
    def today(self) -> date:
        """The street's day."""
        return self.context.clock.now().astimezone(self.context.grid.tz).date()

    async def hours(self, day: date) -> list[OpenHour]:
        """Return the hours of a day that may be told.

        Raises
        ------
        ApiError
            When the day is to come or its samples are gone.
        """
        kept_days = self.context.service.catalogue.service.retention.samples_days
        if not self.today - timedelta(days=kept_days) <= day <= self.today:
            problem = Problem("day", f"give a day from {kept_days} days ago to today, {self.today}")
            raise refused_fields([problem])
        now = self.context.clock.now()
        key = (day, floor_quarter(now))
        async with self._reading:
            if key not in self._known:
                meters = self.context.service.catalogue.service.meters
                work = partial(read_hours, day=day, now=now, meters=meters, grid=self.context.grid)
                self._known[key] = await self.context.service.store.read(work)
                while len(self._known) > _DAYS_KEPT:
                    self._known.popitem(last=False)
            return self._known[key]

    def places(self) -> dict[str, int]:
        """Return how many configured sockets are free, used, in trouble and offline."""
        state, counts = self.context.service.state, dict.fromkeys(("free", "used", "trouble", "offline"), 0)
        for station in self.context.service.catalogue.stations.values():
            for evse in station.evses:
                counts[judge_socket(state, station.id, evse.id)] += 1
        return counts

    def register(self) -> list[tuple[str, str, str, str]]:
        """Return what is kept of people, why, on what ground, and how long."""
        retention = self.context.service.catalogue.service.retention.model_dump()
        return [
            (what, why, ground, f"{retention[long]} days" if long in retention else long)
            for what, why, ground, long in REGISTER
        ]


def add_city(router: APIRouter, desk: CityDesk) -> None:
    """Add the city's page and the open data; both need no token."""
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    text = files("csms.web").joinpath("templates", "city.html").read_text(encoding="utf-8")
    template = environment.from_string(text)

    @router.get("/city")
    async def show() -> HTMLResponse:
        hours = await desk.hours(desk.today)
        charged_kwh = sum(hour.charged_kwh for hour in hours)
        tz = desk.context.grid.tz
        return HTMLResponse(
            template.render(
                street=desk.context.grid.name,
                now=desk.context.clock.now().astimezone(tz),
                places=desk.places(),
                hours=[(hour.start.astimezone(tz), hour) for hour in hours],
                charged_kwh=charged_kwh,
                given_back_kwh=sum(hour.given_back_kwh for hour in hours),
                sun_fraction=_mean_sun(hours),
                highest_kwh=max((hour.charged_kwh for hour in hours), default=0.0),
                crowd=CROWD,
                register=desk.register(),
                dictionary=DICTIONARY,
            ),
            headers={"Cache-Control": "no-store"},
        )

    @router.get("/open/hours.csv")
    async def hours_csv(day: Annotated[date | None, Query()] = None) -> Response:
        hours = await desk.hours(day or desk.today)
        return Response(write_csv(hours), media_type=_CSV, headers=dict(_LICENCE_HEADERS))

    @router.get("/open/dictionary.csv")
    async def dictionary_csv() -> Response:
        return Response(write_dictionary(), media_type=_CSV, headers=dict(_LICENCE_HEADERS))


def _mean_sun(hours: list[OpenHour]) -> float | None:
    known = [hour for hour in hours if hour.sun_fraction is not None]
    charged_kwh = sum(hour.charged_kwh for hour in known)
    if charged_kwh <= 0:
        return None
    return sum((hour.sun_fraction or 0.0) * hour.charged_kwh for hour in known) / charged_kwh
