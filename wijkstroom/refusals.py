"""`wijkstroom tariffs refusals`: hours that a contract leaves to the grid operator, as capacity signals."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from grid.capacity.signalfile import COLUMNS
from grid.tariffs.contract import GridContract, load_contract
from grid.tariffs.refusal import list_refusals
from grid.tariffs.settlement import AMSTERDAM
from grid.timegrid import quarters_of_local_month


def run_refusals(contract: Path, month: date, group: str | None) -> None:
    """Print a month's refused hours.

    Raises
    ------
    DocumentError
        With every mistake of the contract.
    """
    text = write_refusals(load_contract(contract), month, AMSTERDAM, group)
    print(text, end="")  # noqa: T201 - the document is the answer


def write_refusals(contract: GridContract, month: date, tz: ZoneInfo, group: str | None) -> str:
    """Return a local month's refused hours as a CSV file of capacity signals.

    Parameters
    ----------
    contract
        What was agreed.
    month
        Any day of it.
    tz
        The local time of the windows.
    group
        A node of the street; None: the contract's EAN.
    """
    starts = quarters_of_local_month(month, tz).starts
    rows = [
        f"{group or contract.ean18},import,{begin:%Y-%m-%dT%H:%MZ},{end:%Y-%m-%dT%H:%MZ},{limit_kw:g}"
        for begin, end, limit_kw in list_refusals(contract.refusals, starts, tz)
    ]
    return "\n".join([",".join(COLUMNS), *rows]) + "\n"
