"""What drivers pay: the published tariff, and what a session costs so far."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, Field, PlainSerializer
from sqlmodel import Session

from csms.api.auth import Identify, require_right
from csms.api.context import PREFIX
from csms.api.problems import not_found
from csms.api.refusals import told_refusals
from csms.api.wishes import Energy
from csms.control.pricing import PriceDesk
from csms.state.catalogue import Catalogue
from csms.state.driver_rows import SessionAccount, SessionPrice, read_account
from csms.state.queries import StoredSession, find_session
from csms.state.service import StateService
from grid.config import StrictModel
from grid.tariffs.driver import Choice, DriverPricing, IdleFeeConfig, price_energy

Money = Annotated[Decimal, PlainSerializer(lambda value: f"{value:.2f}", return_type=str)]


class IdleFeeDocument(StrictModel):
    """What it costs to stay when full, VAT included; never at night, in a declared stay or while held."""

    eur_per_minute: str
    refused_minutes: float
    notice_minutes: float
    cap_eur_per_day: Money
    night_from: time
    night_to: time

    @classmethod
    def of(cls, fee: IdleFeeConfig) -> IdleFeeDocument:
        """Say what is configured."""
        return cls(
            eur_per_minute=f"{fee.eur_per_minute:g}",
            refused_minutes=fee.refused_minutes,
            notice_minutes=fee.notice_minutes,
            cap_eur_per_day=Decimal(str(fee.cap_eur_per_day)),
            night_from=fee.night_from,
            night_to=fee.night_to,
        )


class StationQuote(StrictModel):
    """What a kWh costs now at a station by choice, VAT included; what does not fit is left away."""

    station_id: str
    eur_per_kwh: dict[Choice, Money]


class TariffDocument(StrictModel):
    """The tariff as published: prices in EUR, VAT included, valid for sessions that start now."""

    currency: str = "EUR"
    vat_fraction: float
    quoted_energy_kwh: float
    quoted_stay_h: float
    idle_fee: IdleFeeDocument | None
    stations: tuple[StationQuote, ...]

    @classmethod
    def of(cls, pricing: DriverPricing, stations: tuple[StationQuote, ...]) -> TariffDocument:
        """Say what is configured, and what it comes to now."""
        return cls(
            vat_fraction=pricing.vat_fraction,
            quoted_energy_kwh=pricing.quoted_energy_kwh,
            quoted_stay_h=pricing.quoted_stay_h,
            idle_fee=None if pricing.idle_fee is None else IdleFeeDocument.of(pricing.idle_fee),
            stations=stations,
        )


class PriceDocument(StrictModel):
    """What a kWh of a session costs, VAT included."""

    choice: Choice
    eur_per_kwh: Money
    quoted_at: datetime

    @classmethod
    def of(cls, price: SessionPrice) -> PriceDocument:
        """Say what was agreed."""
        return cls(choice=price.choice, eur_per_kwh=price.eur_per_kwh, quoted_at=price.quoted_at)


class NoticeDocument(StrictModel):
    """An announcement of the idle fee."""

    announced_at: datetime
    runs_from: datetime


class IdleDayDocument(StrictModel):
    """The idle fee of a local day."""

    day: date
    minutes: int
    amount_eur: Money


class AccountDocument(StrictModel):
    """What a session costs so far, VAT included; energy is None while no price is agreed."""

    session_id: str
    price: PriceDocument | None
    energy_kwh: float
    energy_eur: Money | None
    notices: tuple[NoticeDocument, ...]
    idle: tuple[IdleDayDocument, ...]
    total_eur: Money

    @classmethod
    def of(cls, stored: StoredSession, account: SessionAccount) -> AccountDocument:
        """Add up energy and fees."""
        price = account.price
        energy_eur = None if price is None else price_energy(stored.imported_kwh, price.eur_per_kwh)
        idle_eur = sum((each.amount_eur for each in account.idle), Decimal(0))
        return cls(
            session_id=stored.id,
            price=None if price is None else PriceDocument.of(price),
            energy_kwh=round(stored.imported_kwh, 3),
            energy_eur=energy_eur,
            notices=tuple(
                NoticeDocument(announced_at=each.announced_at, runs_from=each.runs_from)
                for each in account.notices
            ),
            idle=tuple(
                IdleDayDocument(
                    day=each.day, minutes=int(each.ran.total_seconds()) // 60, amount_eur=each.amount_eur
                )
                for each in account.idle
            ),
            total_eur=idle_eur + (energy_eur or Decimal(0)),
        )


class ChoiceBody(StrictModel):
    """How a driver wants to charge.

    Parameters
    ----------
    choice
        later (needs energy and departure), share, or fast (needs energy).
    energy_kwh
        What the car needs [kWh].
    departure
        When it leaves, with time zone.
    """

    choice: Choice
    energy_kwh: Energy | None = None
    departure: Annotated[AwareDatetime | None, Field(description="with time zone")] = None


def build_pricing(
    desk: PriceDesk, service: StateService, operator_token: str, identify: Identify
) -> APIRouter:
    """Return the routes of what drivers pay."""
    router = APIRouter(
        prefix=PREFIX,
        tags=["prices for drivers"],
        dependencies=[Depends(require_right(operator_token, identify, PREFIX))],
    )

    @router.get("/tariffs")
    async def publish() -> TariffDocument:
        """Return the tariff with what each choice costs now, per station."""
        if desk.pricing is None:
            raise not_found("tariff for drivers", "pricing", "[service.pricing]")
        return TariffDocument.of(desk.pricing, _quotes(desk, service.catalogue))

    @router.get("/sessions/{session_id}/cost")
    async def cost(session_id: str) -> AccountDocument:
        """Return what a session costs so far, line by line."""
        with told_refusals("session", session_id, f"{PREFIX}/sessions"):
            return await service.store.read(partial(_read, session_id=session_id))

    @router.put("/sessions/{session_id}/choice", responses={409: {}})
    async def choose(session_id: str, body: ChoiceBody) -> PriceDocument:
        """Choose how to charge, soon after the start; the price is agreed with it."""
        with told_refusals("session", session_id, f"{PREFIX}/sessions"):
            return PriceDocument.of(
                await desk.choose(session_id, body.choice, body.energy_kwh, body.departure)
            )

    return router


def _quotes(desk: PriceDesk, catalogue: Catalogue) -> tuple[StationQuote, ...]:
    """Return the quotes of all stations; those of one model are the same."""
    by_model: dict[str, dict[Choice, Decimal]] = {}
    found = []
    for station in catalogue.stations.values():
        if station.model not in by_model:
            quote = desk.quote(station.id)
            by_model[station.model] = {} if quote is None else dict(quote.eur_per_kwh)
        found.append(StationQuote(station_id=station.id, eur_per_kwh=by_model[station.model]))
    return tuple(found)


def _read(session: Session, session_id: str) -> AccountDocument:
    return AccountDocument.of(find_session(session, session_id), read_account(session, session_id))
