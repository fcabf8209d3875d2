"""Bills to the cent: the published check values, bills reckoned by hand, and what a bill must always be."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.config import validate
from grid.errors import DocumentError
from grid.meterfile import MeterSeries, read_meter
from grid.tariffs.contract import GridContract, load_contract
from grid.tariffs.network import TariffSheet, load_sheet
from grid.tariffs.settlement import Section, Settlement, settle
from grid.tariffs.statement import state_rewards
from grid.timegrid import QUARTER

CONFIGS = Path(__file__).parents[3] / "configs"
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
SHEET = load_sheet(CONFIGS / "tariffs/stedin-2026.toml")
YEAR_2026 = datetime(2026, 1, 1, tzinfo=AMSTERDAM).astimezone(UTC)
EAN = "871694600000010901"
EVENINGS: dict[str, Any] = {"daily_from": "17:00", "daily_to": "20:30", "capacity_kw": 20.0}


def quarters(start: datetime, count: int) -> tuple[datetime, ...]:
    return tuple(start + number * QUARTER for number in range(count))


def meter(
    start: datetime,
    import_kwh: Any,
    export_kwh: Any = 0.0,
    baseline_kwh: Any = None,
    count: int | None = None,
) -> MeterSeries:
    count = len(import_kwh) if count is None else count
    arrays = [
        None if values is None else np.broadcast_to(np.asarray(values, dtype=float), (count,)).copy()
        for values in (import_kwh, export_kwh, baseline_kwh)
    ]
    assert arrays[0] is not None
    assert arrays[1] is not None
    return MeterSeries(quarters(start, count), arrays[0], arrays[1], arrays[2])


def sheet(**variant: Any) -> TariffSheet:
    document = {
        "name": "Trial",
        "operator": "Nobody",
        "valid_from": "2026-01-01",
        "valid_to": "2026-12-31",
        "status": "what-if",
        "source": "invented for a test",
        "vat_fraction": 0.21,
        "variants": {"trial": variant},
    }
    return TariffSheet.model_validate(document)


def contract(**more: Any) -> GridContract:
    document = {
        "ean18": EAN,
        "connection_kind": "large",
        "tariff_variant": "trial",
        "valid_from": "2020-01-01",
    }
    return GridContract.model_validate(document | more)


def amounts(settlement: Settlement) -> dict[str, str]:
    return {line.name: f"{line.amount_eur:.2f}" for line in settlement.lines}


def year_with_peaks(peak_kw: float, total_kwh: float) -> MeterSeries:
    """Return a year whose every month peaks at ``peak_kw`` once, with an exact total."""
    starts = quarters(YEAR_2026, 365 * 96)
    energy = np.zeros(len(starts))
    months = np.array([start.astimezone(AMSTERDAM).month for start in starts])
    for month in range(1, 13):
        energy[np.flatnonzero(months == month)[40]] = peak_kw / 4
    rest = np.flatnonzero(energy == 0.0)
    wanted = total_kwh - 12 * peak_kw / 4
    each = np.floor(wanted / len(rest) * 1e6) / 1e6
    energy[rest] = each
    energy[rest[0]] += round(wanted - each * len(rest), 6)
    return MeterSeries(starts, np.round(energy, 6), np.zeros(len(starts)))


def test_ms_ls_check_value() -> None:
    bill = settle(
        year_with_peaks(80.0, 150_000.0), SHEET, load_contract(CONFIGS / "contracts/ms-ls-100kw.toml")
    )
    assert bill.sum_eur(Section.NETWORK) == Decimal("11100.64")
    assert amounts(bill)["peak all"] == "2972.74"


def test_ls_check_value() -> None:
    starts = quarters(YEAR_2026, 365 * 96)
    bands = np.array(SHEET.tariff("ls").bands_of(starts, AMSTERDAM))
    energy = np.zeros(len(starts))
    energy[np.flatnonzero(bands == "normal")[:4000]] = 10.0
    energy[np.flatnonzero(bands == "low")[:4000]] = 5.0
    bill = settle(
        MeterSeries(starts, energy, np.zeros(len(starts))),
        SHEET,
        load_contract(CONFIGS / "contracts/ls-50kw.toml"),
    )
    assert bill.sum_eur(Section.NETWORK) == Decimal("4863.00")
    assert amounts(bill) | {"energy tax, tier 1": ""} == {
        "fixed charge": "18.00",
        "contracted capacity normal": "929.00",
        "transport normal": "2996.00",
        "transport low": "920.00",
        "energy tax, tier 1": "",
    }


def test_a_public_pole_pays_by_its_fuse() -> None:
    bill = settle(
        meter(YEAR_2026, 0.1, count=365 * 96), SHEET, load_contract(CONFIGS / "contracts/pole-3x25a.toml")
    )
    assert amounts(bill) == {"capacity tariff 3x25A": "291.76", "energy tax, tier 1": "320.97"}
    assert bill.total_excl_vat_eur == Decimal("612.73")
    assert bill.vat_eur == Decimal("128.67")
    assert bill.total_eur == Decimal("741.40")


DAY = datetime(2026, 6, 8, 22, tzinfo=UTC)  # Tuesday 9 June, local midnight
EVENING = {"name": "evening", "daily_from": "17:00", "daily_to": "21:00"}
REST = {"name": "rest"}
FLAT = np.full(96, 2.0)  # 8 kW all day, 192 kWh
BUSY = np.where((np.arange(96) >= 68) & (np.arange(96) < 84), 5.0, 1.0)  # 20 kW in the evening, 4 kW else

# Each row: bands, further rules of the variant, contract, import, export, baseline, and the lines by hand.
TABLE: list[tuple[str, dict[str, Any], dict[str, Any], Any, Any, Any, dict[str, str]]] = [
    ("nothing", {"bands": [REST]}, {}, FLAT, 0, None, {}),
    ("fixed", {"bands": [REST], "fixed_eur_per_year": 365.0}, {}, FLAT, 0, None, {"fixed charge": "1.00"}),
    ("metering", {"bands": [REST], "metering_eur_per_year": 730.0}, {}, FLAT, 0, None, {"metering": "2.00"}),
    (
        "transport",
        {"bands": [REST | {"import_eur_per_kwh": 0.05}]},
        {},
        FLAT,
        0,
        None,
        {"transport rest": "9.60"},
    ),
    (
        "two bands",
        {"bands": [EVENING | {"import_eur_per_kwh": 0.10}, REST | {"import_eur_per_kwh": 0.02}]},
        {},
        BUSY,
        0,
        None,
        {"transport evening": "8.00", "transport rest": "1.60"},
    ),
    ("peak", {"bands": [REST | {"peak_eur_per_kw_month": 3.0}]}, {}, BUSY, 0, None, {"peak rest": "60.00"}),
    (
        "weighted peak",
        {"bands": [EVENING | {"peak_eur_per_kw_month": 3.0, "peak_weight": 0.5}, REST]},
        {},
        BUSY,
        0,
        None,
        {"peak evening": "30.00"},
    ),
    (
        "peak factor",
        {"bands": [REST | {"peak_eur_per_kw_month": 3.0}], "settlement": {"peak_price_factor": 0.25}},
        {},
        BUSY,
        0,
        None,
        {"peak rest": "15.00"},
    ),
    (
        "mean of the highest",
        {"bands": [REST | {"peak_eur_per_kw_month": 1.0}], "settlement": {"peak_count": 32}},
        {},
        BUSY,
        0,
        None,
        {"peak rest": "12.00"},
    ),
    (
        "contract",
        {"bands": [REST | {"contract_eur_per_kw_year": 36.5}]},
        {"capacity_kw": {"rest": 10.0}},
        FLAT,
        0,
        None,
        {"contracted capacity rest": "1.00"},
    ),
    (
        "duration contract",
        {"bands": [REST | {"contract_eur_per_kw_year": 36.5}], "settlement": {"contract_factor": 0.35}},
        {"capacity_kw": {"rest": 10.0}, "firmness": "duration"},
        FLAT,
        0,
        None,
        {"contracted capacity rest": "0.35"},
    ),
    (
        "block contract",
        {
            "bands": [
                {
                    "name": "night",
                    "daily_from": "00:00",
                    "daily_to": "06:00",
                    "contract_eur_per_kw_year": 36.5,
                },
                REST,
            ]
        },
        {"capacity_kw": {"night": 100.0}, "firmness": "block"},
        FLAT,
        0,
        None,
        {"contracted capacity night": "10.00"},
    ),
    (
        "excess",
        {"bands": [REST]},
        {"capacity_kw": {"rest": 12.0}, "excess_eur_per_kw": 2.5, "excess_tolerance_kw": 1.0},
        BUSY,
        0,
        None,
        {"excess rest": "17.50"},
    ),
    (
        "no excess",
        {"bands": [REST]},
        {"capacity_kw": {"rest": 20.0}, "excess_eur_per_kw": 2.5},
        BUSY,
        0,
        None,
        {},
    ),
    (
        "feed-in fee",
        {"bands": [REST | {"export_fee_eur_per_kwh": 0.01}]},
        {},
        0,
        1,
        None,
        {"feed-in fee rest": "0.96"},
    ),
    (
        "feed-in credit",
        {"bands": [REST | {"export_credit_eur_per_kwh": 0.02}]},
        {},
        0,
        1,
        None,
        {"feed-in credit rest": "-1.92"},
    ),
    (
        "reward for all in the band",
        {"bands": [EVENING, REST | {"reward_eur_per_kwh": 0.03}], "settlement": {"reward_basis": "all"}},
        {},
        BUSY,
        0,
        None,
        {"reward rest": "-2.40"},
    ),
    (
        "reward for what was moved",
        {"bands": [EVENING, REST | {"reward_eur_per_kwh": 0.03}]},
        {},
        FLAT,
        0,
        BUSY,
        {"reward rest": "-2.40"},
    ),
    (
        "reward for a lower peak",
        {"bands": [EVENING | {"reward_eur_per_kw": 1.5}, REST]},
        {},
        FLAT,
        0,
        BUSY,
        {"reward evening peak": "-18.00"},
    ),
    (
        "no baseline, no reward",
        {"bands": [EVENING | {"reward_eur_per_kw": 1.5}, REST]},
        {},
        FLAT,
        0,
        None,
        {},
    ),
    (
        "tax in tiers",
        {"bands": [REST]},
        {"energy_tax": {"tiers": [{"up_to_kwh": 100, "eur_per_kwh": 0.1}, {"eur_per_kwh": 0.05}]}},
        FLAT,
        0,
        None,
        {"energy tax, tier 1": "10.00", "energy tax, tier 2": "4.60"},
    ),
    (
        "tax goes on in its tier",
        {"bands": [REST]},
        {
            "energy_tax": {
                "tiers": [{"up_to_kwh": 100, "eur_per_kwh": 0.1}, {"eur_per_kwh": 0.05}],
                "taxed_before_kwh": 60.0,
            }
        },
        FLAT,
        0,
        None,
        {"energy tax, tier 1": "4.00", "energy tax, tier 2": "7.60"},
    ),
    (
        "stored energy is taxed once",
        {"bands": [REST]},
        {"energy_tax": {"tiers": [{"eur_per_kwh": 0.1}], "export_refund_fraction": 0.5}},
        FLAT,
        1,
        None,
        {"energy tax, tier 1": "14.40"},
    ),
    (
        "tax reduction",
        {"bands": [REST]},
        {"energy_tax": {"reduction_eur_per_year": 365.0}},
        FLAT,
        0,
        None,
        {"energy tax reduction": "-1.00"},
    ),
]


@pytest.mark.parametrize(
    ("variant", "terms", "imported", "exported", "baseline", "lines"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_bills_reckoned_by_hand(
    variant: dict[str, Any],
    terms: dict[str, Any],
    imported: Any,
    exported: Any,
    baseline: Any,
    lines: dict[str, str],
) -> None:
    bill = settle(meter(DAY, imported, exported, baseline, 96), sheet(**variant), contract(**terms))
    assert amounts(bill) == lines
    assert bill.total_excl_vat_eur == sum(map(Decimal, lines.values()), Decimal(0))


@pytest.mark.parametrize(("month", "day", "count"), [(3, 29, 92), (10, 25, 100)])
def test_a_day_is_a_day_also_when_the_clock_changes(month: int, day: int, count: int) -> None:
    start = datetime(2026, month, day, tzinfo=AMSTERDAM).astimezone(UTC)
    bill = settle(meter(start, 1.0, count=count), sheet(bands=[REST], fixed_eur_per_year=365.0), contract())
    assert amounts(bill) == {"fixed charge": "1.00"}


def test_weeks_have_peaks_of_their_own() -> None:
    imported = np.where(np.arange(14 * 96) == 700, 5.0, 1.0)
    variant = {"bands": [REST | {"peak_eur_per_kw_month": 1.0}], "settlement": {"peak_period": "week"}}
    monday = datetime(2026, 6, 7, 22, tzinfo=UTC)
    assert amounts(settle(meter(monday, imported), sheet(**variant), contract())) == {"peak rest": "24.00"}


@settings(max_examples=40)
@given(
    st.lists(st.floats(0.0, 50.0).map(lambda kwh: round(kwh, 3)), min_size=96, max_size=96),
    st.integers(1, 95),
)
def test_energy_lines_of_parts_add_up_to_the_whole(energy: list[float], cut: int) -> None:
    trial = sheet(bands=[REST | {"import_eur_per_kwh": 0.05}])
    whole = settle(meter(DAY, energy), trial, contract())
    first = settle(meter(DAY, energy[:cut]), trial, contract())
    second = settle(meter(DAY + cut * QUARTER, energy[cut:]), trial, contract())
    difference = whole.total_excl_vat_eur - first.total_excl_vat_eur - second.total_excl_vat_eur
    assert abs(difference) <= Decimal("0.01")


def test_what_does_not_fit_is_told_all_at_once() -> None:
    wrong = contract(tariff_variant="ms-ls", capacity_kw={"normal": 50.0}, valid_from="2026-07-01")
    with pytest.raises(DocumentError) as caught:
        settle(meter(YEAR_2026, np.ones(4)), SHEET, wrong)
    assert [problem.path for problem in caught.value.problems] == ["capacity_kw.normal", "valid_from"]


def test_another_year_s_sheet_is_warned_of() -> None:
    bill = settle(meter(YEAR_2026 - timedelta(days=400), np.ones(4)), SHEET, contract(tariff_variant="ms-ls"))
    assert "holds from 2026-01-01" in bill.warnings[0]


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"tariff_variant": None}, "tariff_variant is missing"),
        ({"connection_kind": "small"}, "fuse is missing"),
        ({"ean18": "871694600000010902"}, "the check digit"),
        ({"capacity_kw": {"all": -1.0}}, "capacity_kw"),
        ({"energy_tax": {"tiers": [{"eur_per_kwh": 0.1}, {"eur_per_kwh": 0.05}]}}, "tiers must ascend"),
        ({"energy_tax": {"tiers": [{"up_to_kwh": 5, "eur_per_kwh": 0.1}]}}, "the last tier"),
        ({"capacity": 5}, "capacity"),
        ({"refusals": [EVENINGS]}, "firmness"),
        ({"refusals": [EVENINGS | {"daily_to": "20:45"}], "firmness": "duration"}, "1,372.50 h in a year"),
        ({"refusals": [EVENINGS | {"daily_to": "20:20"}], "firmness": "duration"}, "on a quarter"),
    ],
)
def test_contracts_with_mistakes_are_refused(terms: dict[str, Any], message: str) -> None:
    document = {"ean18": EAN, "connection_kind": "large", "tariff_variant": "ls", "valid_from": "2020-01-01"}
    with pytest.raises(DocumentError, match=message):
        validate(
            GridContract,
            {key: value for key, value in (document | terms).items() if value is not None},
            source="c",
        )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("utc_start,import_kwh,export_kwh\n", ": there are no values"),
        ("utc_start,import\n", "line 1"),
        ("utc_start,import_kwh,export_kwh\n2026-01-01T00:00Z,1,0\n2026-01-01T00:30Z,1,0\n", "line 3"),
        ("utc_start,import_kwh,export_kwh\n2026-01-01T00:00Z,1,0\n2026-01-01T00:00Z,1,0\n", "line 3"),
        ("utc_start,import_kwh,export_kwh\n2026-01-01T00:00Z,-1,0\n", "line 2"),
        ("utc_start,import_kwh,export_kwh\n2026-01-01T00:00Z,nan,0\n", "line 2"),
        ("utc_start,import_kwh,export_kwh\n2026-01-01T00:00,1,0\n", "line 2"),
        ("utc_start,import_kwh,export_kwh\n2026-01-01T00:05Z,1,0\n", "line 2"),
    ],
)
def test_meter_files_with_mistakes_are_refused_with_their_line(tmp_path: Path, text: str, place: str) -> None:
    path = tmp_path / "meter.csv"
    path.write_text(text)
    with pytest.raises(DocumentError) as caught:
        read_meter(path)
    assert place.lstrip(": ") in str(caught.value)


def test_a_meter_file_may_have_a_baseline(tmp_path: Path) -> None:
    path = tmp_path / "meter.csv"
    path.write_text("utc_start,import_kwh,export_kwh,baseline_kwh\n2026-01-01T00:00Z,1,0,2\n")
    series = read_meter(path)
    assert series.baseline_kwh is not None
    assert series.baseline_kwh.tolist() == [2.0]


# the statement of rewards


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.floats(0.0, 20.0).map(lambda kwh: round(kwh, 3)), min_size=96, max_size=96),
    st.lists(st.floats(0.0, 20.0).map(lambda kwh: round(kwh, 3)), min_size=96, max_size=96),
    st.sampled_from(["all", "shifted"]),
    st.integers(1, 4),
)
def test_the_statement_adds_up_to_the_reward_that_is_settled(
    imported: list[float], baseline: list[float], basis: str, count: int
) -> None:
    rules = {"reward_basis": basis, "peak_count": count, "peak_period": "week"}
    rewarded = {"reward_eur_per_kwh": 0.03, "reward_eur_per_kw": 1.5}
    trial = sheet(bands=[EVENING | rewarded, REST | rewarded], settlement=rules)
    # From Sunday noon to Monday noon: two weeks.
    series = meter(DAY - timedelta(days=2) + timedelta(hours=12), imported, 0, baseline, 96)
    bill = settle(series, trial, contract())
    entries = state_rewards(series, trial.tariff("trial"))
    for band in ("evening", "rest"):
        for name, unit in ((f"reward {band}", "kWh"), (f"reward {band} peak", "kW")):
            own = [each.amount_eur for each in entries if (each.band, each.unit) == (band, unit)]
            stated = sum(own, Decimal(0)).quantize(Decimal("0.01"), ROUND_HALF_UP)
            assert Decimal(amounts(bill).get(name, "0.00")) == -stated
    assert {each.period for each in entries} == {"2026-W23", "2026-W24"}


def test_without_rewards_there_is_nothing_to_state() -> None:
    series = meter(DAY, FLAT, 0, BUSY, 96)
    assert state_rewards(series, sheet(bands=[REST]).tariff("trial")) == ()
    unknown = meter(DAY, FLAT, 0, None, 96)
    rewarded = sheet(bands=[REST | {"reward_eur_per_kwh": 0.03, "reward_eur_per_kw": 1.0}])
    assert state_rewards(unknown, rewarded.tariff("trial")) == ()


def test_a_year_is_settled_in_the_time_of_some_conversions_to_local_time() -> None:
    """Processor time against processor time: a second a year would be fifty times the conversions."""

    def cpu_s(work: Callable[[], object]) -> float:
        began_s = time.process_time()
        work()
        return time.process_time() - began_s

    year, agreed = year_with_peaks(80.0, 150_000.0), load_contract(CONFIGS / "contracts/ms-ls-100kw.toml")
    settled_s = min(cpu_s(lambda: settle(year, SHEET, agreed)) for _ in range(3))
    local_s = min(
        cpu_s(lambda: [start.astimezone(AMSTERDAM).date() for start in year.starts]) for _ in range(3)
    )
    assert settled_s < 40 * local_s
