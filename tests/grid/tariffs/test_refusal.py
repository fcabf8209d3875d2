"""The hours that a duration contract leaves to the grid operator: counted, billed and handed to plans."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from grid.capacity.signalfile import parse_signals
from grid.meterfile import MeterSeries
from grid.tariffs.contract import GridContract, load_contract
from grid.tariffs.network import load_sheet
from grid.tariffs.refusal import RefusalWindow, list_refusals, most_refused_hours, refused_capacity_kw
from grid.tariffs.settlement import settle
from grid.timegrid import quarters_of_local_day, quarters_of_local_month
from wijkstroom.refusals import write_refusals

CONFIGS = Path(__file__).parents[3] / "configs"
TZ = ZoneInfo("Europe/Amsterdam")
CONTRACT = load_contract(CONFIGS / "contracts/duration-85-100kw.toml")
SHEET = load_sheet(CONFIGS / "tariffs/flexible-contracts.toml")


def window(**terms: Any) -> RefusalWindow:
    return RefusalWindow.model_validate({"daily_from": "17:00", "daily_to": "20:30"} | terms)


def test_the_shipped_contract_stays_within_its_hours() -> None:
    assert most_refused_hours(CONTRACT.refusals) == 366 * 3.5
    assert most_refused_hours([window(daily_to="20:30"), window(daily_from="18:00")]) == 366 * 3.5
    assert most_refused_hours([window(months=[1], weekdays=["mon"])]) == 5 * 3.5
    assert most_refused_hours([]) == 0.0


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 6, 9), date(2026, 10, 25)])
def test_windows_are_of_local_time(day: date) -> None:
    starts = quarters_of_local_day(day, TZ).starts
    given_kw = refused_capacity_kw(CONTRACT.refusals, starts, TZ)
    hours = [start.astimezone(TZ).hour for start, kw in zip(starts, given_kw, strict=True) if kw == 20.0]
    assert hours == [17] * 4 + [18] * 4 + [19] * 4 + [20] * 2
    assert np.isinf(given_kw).sum() == len(starts) - 14


def test_the_lowest_of_overlapping_windows_holds() -> None:
    starts = quarters_of_local_day(date(2026, 6, 9), TZ).starts
    both = [window(capacity_kw=20.0), window(daily_from="18:00", daily_to="19:00", capacity_kw=5.0)]
    spans = [
        (begin.astimezone(TZ).hour, end.astimezone(TZ).hour, kw)
        for begin, end, kw in list_refusals(both, starts, TZ)
    ]
    assert spans == [(17, 18, 20.0), (18, 19, 5.0), (19, 20, 20.0)]
    night = list(list_refusals([window(daily_from="23:00", daily_to="01:00")], starts, TZ))
    assert sum((end - begin).total_seconds() for begin, end, _ in night) == 2 * 3600


def june(evening_kw: float) -> MeterSeries:
    starts = quarters_of_local_month(date(2026, 6, 1), TZ).starts
    evening = np.isfinite(refused_capacity_kw(CONTRACT.refusals, starts, TZ))
    import_kwh = np.where(evening, evening_kw, 60.0) / 4
    return MeterSeries(starts, import_kwh, np.zeros(len(starts)), None)


def test_what_was_refused_and_taken_all_the_same_is_billed_and_told() -> None:
    kept, broken = settle(june(20.0), SHEET, CONTRACT), settle(june(60.0), SHEET, CONTRACT)
    assert kept.warnings == ()
    assert "105 h of the period; in 105 h" in broken.warnings[0]
    (line,) = [line for line in broken.lines if line.name == "excess refused to 20 kW"]
    assert (line.quantity, line.amount_eur) == (Decimal(40), Decimal(400))
    assert not any(line.name.startswith("excess") for line in kept.lines)
    firm = settle(june(130.0), SHEET, CONTRACT)
    assert [line.name for line in firm.lines if line.name.startswith("excess")] == [
        "excess refused to 20 kW"
    ], "an evening is not billed twice"


def test_plans_get_the_refused_hours_as_signals() -> None:
    text = write_refusals(CONTRACT, date(2026, 6, 1), TZ, None)
    (signal,) = parse_signals(text, "refusals", "june", "Stedin", datetime(2026, 5, 30, tzinfo=UTC))
    assert signal.group == CONTRACT.ean18
    assert len(signal.blocks) == 30
    assert {block.limit_kw for block in signal.blocks} == {20.0}
    assert "lombok-transformer,import," in write_refusals(
        CONTRACT, date(2026, 6, 1), TZ, "lombok-transformer"
    )
    firm = GridContract.model_validate(CONTRACT.model_dump() | {"refusals": ()})
    assert write_refusals(firm, date(2026, 6, 1), TZ, None).splitlines() == [
        "group,direction,start,end,limit_kw"
    ]
