"""What the driver's page says, in English and Dutch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ENGLISH: Final = "en"
DUTCH: Final = "nl"

WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    ENGLISH: {
        "title": "Charging point",
        "free": "Free",
        "used": "In use",
        "trouble": "Out of service",
        "offline": "No connection",
        "free_hint": "Plug in and show your card. Charging follows low prices and the room in the street.",
        "used_hint": "Somebody is charging here.",
        "trouble_hint": "Please use another charging point; the operator knows.",
        "offline_hint": "Charging may still work; what is shown here may be old.",
        "power": "up to {kw} kW",
        "price_now": "Price now",
        "per_kwh": "per kWh, excluding VAT",
        "energy": "energy on the market",
        "tax": "energy tax",
        "transport": "transport",
        "hours": "The coming hours",
        "from": "From",
        "forecast": "forecast",
        "card": "This is what energy costs the street. What you pay is agreed with your card's provider.",
        "unknown_price": "No price is known at the moment.",
        "limit": "The grid allows {kw} kW for the whole street now ({source}).",
        "as_of": "As of {time}.",
        "offers": "Your price per kWh, VAT included",
        "offers_note": "For {kwh} kWh within {hours} hours; the price is fixed when the session starts.",
        "choice_later": "Later",
        "choice_later_hint": "in the cheapest hours before you leave",
        "choice_share": "Share",
        "choice_share_hint": "as the street allows; what you get when you say nothing",
        "choice_fast": "Fast",
        "choice_fast_hint": "at once, at full power",
        "idle": "Full and still plugged in: {fee} a minute once the car refused power for {refused} minutes "
        "and {notice} minutes after the announcement, {cap} a day at the most. Never while charging is held "
        "back, and never before the time at which you said that you leave.",
        "idle_night": "Never from {begin} to {end}.",
        "again": "Look again",
        "other": "Nederlands",
    },
    DUTCH: {
        "title": "Laadpunt",
        "free": "Vrij",
        "used": "Bezet",
        "trouble": "Buiten gebruik",
        "offline": "Geen verbinding",
        "free_hint": "Sluit aan en houd uw pas voor. Laden volgt lage prijzen en de ruimte in de straat.",
        "used_hint": "Hier laadt iemand.",
        "trouble_hint": "Gebruik een ander laadpunt; de beheerder weet ervan.",
        "offline_hint": "Laden kan nog werken; wat hier staat kan oud zijn.",
        "power": "tot {kw} kW",
        "price_now": "Prijs nu",
        "per_kwh": "per kWh, zonder btw",
        "energy": "energie op de markt",
        "tax": "energiebelasting",
        "transport": "transport",
        "hours": "De komende uren",
        "from": "Vanaf",
        "forecast": "verwachting",
        "card": "Dit kost de energie de straat. Wat u betaalt is afgesproken met de aanbieder van uw pas.",
        "unknown_price": "Er is nu geen prijs bekend.",
        "limit": "Het net staat de hele straat nu {kw} kW toe ({source}).",
        "as_of": "Stand van {time}.",
        "offers": "Uw prijs per kWh, inclusief btw",
        "offers_note": "Voor {kwh} kWh binnen {hours} uur; de prijs staat vast als de sessie begint.",
        "choice_later": "Later",
        "choice_later_hint": "in de goedkoopste uren voor u vertrekt",
        "choice_share": "Delen",
        "choice_share_hint": "zoals de straat het toelaat; dit krijgt u als u niets zegt",
        "choice_fast": "Snel",
        "choice_fast_hint": "meteen, op vol vermogen",
        "idle": "Vol en nog aangesloten: {fee} per minuut nadat de auto {refused} minuten stroom weigerde, "
        "vanaf {notice} minuten na de aankondiging, hoogstens {cap} per dag. Nooit terwijl het laden wordt "
        "tegengehouden, en nooit voor het tijdstip waarop u zei te vertrekken.",
        "idle_night": "Nooit van {begin} tot {end}.",
        "again": "Opnieuw kijken",
        "other": "English",
    },
}


def choose_language(wanted: str | None, accepted: str) -> str:
    """Return the language that was asked for, else the first of the browser's that the page speaks.

    Parameters
    ----------
    wanted
        As in the address; None when it says nothing.
    accepted
        The header Accept-Language.
    """
    if wanted in WORDS:
        return str(wanted)
    for part in accepted.split(","):
        language = part.partition(";")[0].strip().lower().partition("-")[0]
        if language in WORDS:
            return language
    return ENGLISH
