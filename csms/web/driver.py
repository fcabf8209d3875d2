"""The driver's page behind the printed QR code: free or not, and what a kWh costs. No account, no script."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Request
from jinja2 import Environment, StrictUndefined
from starlette.responses import HTMLResponse

from csms.api.problems import not_found
from csms.control.pricing import PriceDesk
from csms.ocpp.vocabulary import ConnectorStatus
from csms.settings import StationModel
from csms.state.catalogue import Catalogue
from csms.state.station_state import StreetState
from csms.web.feed import LiveSource
from csms.web.words import DUTCH, ENGLISH, WORDS, choose_language
from grid.capacity.envelope import compute_envelope
from grid.errors import WijkstroomError
from grid.timegrid import QUARTER, floor_quarter

_HOURS: Final = 12
_VOLTAGE_V: Final = 230.0
_OUT_OF_SERVICE: Final = frozenset({ConnectorStatus.FAULTED, ConnectorStatus.UNAVAILABLE})


@dataclass(frozen=True, slots=True)
class Price:
    """What a kWh costs from an instant on, excluding VAT [EUR/kWh]."""

    start: datetime
    energy: float
    tax: float
    transport: float
    forecast: bool

    @property
    def total(self) -> float:
        """All of it."""
        return self.energy + self.tax + self.transport


def judge_socket(state: StreetState, station_id: str, evse_id: int) -> str:
    """Return how a socket is, in one of the page's words: free, used, trouble or offline."""
    station = state.stations.get(station_id)
    if station is None or not station.connected:
        return "offline"
    evse = station.evses.get(evse_id)
    if evse is None or evse.status in _OUT_OF_SERVICE:
        return "trouble"
    return "free" if evse.session is None and evse.status is ConnectorStatus.AVAILABLE else "used"


def list_prices(source: LiveSource, now: datetime) -> list[Price]:
    """Return the price of the running quarter and of the hours after it; nothing where none is known."""
    prices = source.grid.prices
    first = floor_quarter(now)
    hour = first.replace(minute=0)
    starts = [first, *(hour + timedelta(hours=ahead) for ahead in range(1, _HOURS + 1))]
    try:
        energy = prices.day_ahead_eur_per_kwh(starts, known_at=now)
        whole = prices.import_price_eur_per_kwh(starts, known_at=now)
    except WijkstroomError:
        return []
    known_until, tax = prices.known_until(now), prices.energy_tax_eur_per_kwh
    return [
        Price(start, float(bare), tax, float(total - bare) - tax, start >= known_until)
        for start, bare, total in zip(starts, energy, whole, strict=True)
    ]


def add_driver_page(router: APIRouter, source: LiveSource, catalogue: Catalogue, desk: PriceDesk) -> None:
    """Add the page of a socket, at the address that its QR code shows.

    Parameters
    ----------
    router
        Where to.
    source, catalogue
        The street.
    desk
        Quotes prices for drivers.
    """
    sockets = {
        evse.emi3: (station.id, evse.id) for station in catalogue.stations.values() for evse in station.evses
    }
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    text = files("csms.web").joinpath("templates", "driver.html").read_text(encoding="utf-8")
    template = environment.from_string(text)

    @router.get("/p/{emi3}")
    async def show(request: Request, emi3: str, lang: str | None = None) -> HTMLResponse:
        if emi3 not in sockets:
            raise not_found("charging point", emi3, "the sticker on the pole")
        station_id, evse_id = sockets[emi3]
        now = source.clock.now()
        language = choose_language(lang, request.headers.get("accept-language", ""))
        prices = list_prices(source, now)
        return HTMLResponse(
            template.render(
                emi3=emi3,
                language=language,
                other=ENGLISH if language == DUTCH else DUTCH,
                words=WORDS[language],
                now=now,
                street=source.grid.name,
                condition=judge_socket(source.state(), station_id, evse_id),
                power_kw=f"{_power_kw(catalogue.model_of(station_id)):.0f}",
                prices=prices,
                dearest=max((price.total for price in prices), default=0.0),
                clock=lambda instant: instant.astimezone(source.grid.tz).strftime("%H:%M"),
                money=lambda value: _money(value, language),
                limit=_describe_limit(source, now, language),
                offers=_list_offers(desk, station_id, language),
                offers_note=_describe_offers(desk, language),
                idle=_describe_idle(desk, language),
            ),
            headers={"Cache-Control": "no-store", "Vary": "Accept-Language"},
        )


def _describe_limit(source: LiveSource, now: datetime, language: str) -> str | None:
    root = source.grid.topology.root.id
    envelope = compute_envelope(
        source.grid.topology, root, [now, now + QUARTER], source.grid.tz, source.service.power_factor
    )
    limit_kw, said = float(envelope.import_limit_kw[0]), envelope.import_source[0].partition(": ")[2]
    if not said:
        return None
    return WORDS[language]["limit"].format(kw=f"{limit_kw:.0f}", source=said)


def _list_offers(desk: PriceDesk, station_id: str, language: str) -> list[tuple[str, str, str]]:
    """Return name, meaning and price of every choice that is on offer for a session that starts now."""
    quote = desk.quote(station_id)
    if quote is None:
        return []
    words = WORDS[language]
    return [
        (words[f"choice_{choice}"], words[f"choice_{choice}_hint"], _money(price, language, 2))
        for choice, price in quote.eur_per_kwh.items()
    ]


def _describe_offers(desk: PriceDesk, language: str) -> str:
    pricing = desk.pricing
    if pricing is None:
        return ""
    return WORDS[language]["offers_note"].format(
        kwh=f"{pricing.quoted_energy_kwh:g}", hours=f"{pricing.quoted_stay_h:g}"
    )


def _describe_idle(desk: PriceDesk, language: str) -> str | None:
    """Return from when on and how much staying costs, None where it costs nothing."""
    fee = None if desk.pricing is None else desk.pricing.idle_fee
    if fee is None:
        return None
    words = WORDS[language]
    said = words["idle"].format(
        fee=_money(fee.eur_per_minute, language, 2),
        refused=f"{fee.refused_minutes:g}",
        notice=f"{fee.notice_minutes:g}",
        cap=_money(fee.cap_eur_per_day, language, 2),
    )
    if fee.night_from == fee.night_to:
        return said
    night = words["idle_night"].format(begin=f"{fee.night_from:%H:%M}", end=f"{fee.night_to:%H:%M}")
    return f"{said} {night}"


def _power_kw(model: StationModel) -> float:
    return model.max_current_a * model.phases * _VOLTAGE_V / 1000


def _money(value: float | Decimal, language: str, digits: int = 3) -> str:
    text = f"€ {value:.{digits}f}"
    return text.replace(".", ",") if language == DUTCH else text
