from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from grid.errors import DocumentError
from grid.tariffs.network import NetworkTariff, TariffStatus, is_holiday, load_sheet
from grid.timegrid import QUARTER, TimeGrid, quarters_of_local_day

TARIFFS = Path(__file__).parents[3] / "configs/tariffs"
SHEET = TARIFFS / "stedin-2026.toml"
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
HEAD = """
name = "Trial"
operator = "Nobody"
valid_from = 2026-01-01
valid_to = 2026-12-31
status = "what-if"
source = "invented for a test"
"""


def read(tmp_path: Path, bands: str, head: str = HEAD) -> NetworkTariff:
    path = tmp_path / "tariff.toml"
    bands = bands.replace("[[bands]]", "[[variants.trial.bands]]")
    path.write_text(f"{head}\n[variants.trial]\n{bands}")
    return load_sheet(path).tariff("trial")


def problems(tmp_path: Path, bands: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        read(tmp_path, bands)
    return [str(problem) for problem in caught.value.problems]


def local(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), AMSTERDAM)


@pytest.mark.parametrize("path", sorted(TARIFFS.glob("stedin-*.toml")), ids=lambda path: path.stem)
def test_shipped_tariffs_load_and_say_that_they_are_second_hand(path: Path) -> None:
    sheet = load_sheet(path)
    assert set(sheet.variants) == {"ls", "ms-ls", "ms"}
    assert sheet.status is TariffStatus.PUBLISHED
    assert "verify" in sheet.tariff("ls").source


def test_stedin_ms_ls_is_one_band() -> None:
    tariff = load_sheet(SHEET).tariff("ms-ls")
    year = TimeGrid(datetime(2026, 1, 1, tzinfo=AMSTERDAM), QUARTER, 365 * 96).starts
    assert set(tariff.bands_of(year, AMSTERDAM)) == {"all"}
    band = tariff.band("all")
    assert (band.contract_eur_per_kw_year, band.peak_eur_per_kw_month) == (47.169, 3.0966)
    assert set(tariff.import_price_eur_per_kwh(year[:96], AMSTERDAM)) == {0.0198}


def test_stedin_ls_is_low_at_night_and_at_weekends() -> None:
    tariff = load_sheet(SHEET).tariff("ls")
    tuesday, saturday = date(2026, 6, 9), date(2026, 6, 13)
    moments = [
        local(tuesday, 6, 45),
        local(tuesday, 7),
        local(tuesday, 22, 45),
        local(tuesday, 23),
        local(saturday, 12),
    ]
    assert tariff.bands_of(moments, AMSTERDAM) == ["low", "normal", "normal", "low", "low"]
    assert list(tariff.import_price_eur_per_kwh(moments, AMSTERDAM)) == [0.046, 0.0749, 0.0749, 0.046, 0.046]


@pytest.mark.parametrize(
    ("day", "low"), [(date(2026, 3, 30), 32), (date(2026, 3, 29), 92), (date(2026, 10, 25), 100)]
)
def test_bands_are_local_time_also_on_clock_change_days(day: date, low: int) -> None:
    tariff = load_sheet(SHEET).tariff("ls")
    assert tariff.bands_of(quarters_of_local_day(day, AMSTERDAM).starts, AMSTERDAM).count("low") == low


def test_small_connections_pay_by_fuse_class() -> None:
    tariff = load_sheet(SHEET).small_tariff()
    assert tariff is not None
    assert tariff.fixed_by_fuse_class["3x25A"] == 291.76
    assert tariff.fixed_by_fuse_class["3x35A"] == 1458.8
    assert "verify" in tariff.source


def test_the_first_matching_band_wins(tmp_path: Path) -> None:
    tariff = read(
        tmp_path,
        """
        [[bands]]
        name = "winter evening"
        months = [11, 12, 1, 2]
        daily_from = "17:00"
        daily_to = "20:00"
        peak_eur_per_kw_month = 8.0
        [[bands]]
        name = "evening"
        daily_from = "16:00"
        daily_to = "21:00"
        import_eur_per_kwh = 0.1
        [[bands]]
        name = "rest"
        """,
    )
    moments = [local(date(2026, month, 9), hour) for month in (1, 6) for hour in (16, 17, 20, 21)]
    bands = tariff.bands_of(moments, AMSTERDAM)
    assert bands == ["evening", "winter evening", "evening", "rest", "evening", "evening", "evening", "rest"]
    prices = tariff.import_price_eur_per_kwh(moments, AMSTERDAM)
    assert np.array_equal(prices, [0.1 if band == "evening" else 0.0 for band in bands])
    found = [band.name if (band := tariff.band_at(moment, AMSTERDAM)) else None for moment in moments]
    assert found == bands


def test_a_quarter_without_band_has_none_and_costs_nothing(tmp_path: Path) -> None:
    whole = read(tmp_path, '[[bands]]\nname = "all"\nimport_eur_per_kwh = 0.1')
    half = whole.model_copy(
        update={"bands": (whole.bands[0].model_copy(update={"daily_from": time(8), "daily_to": time(20)}),)}
    )
    moments = [local(date(2026, 6, 9), 7), local(date(2026, 6, 9), 8)]
    assert half.bands_of(moments, AMSTERDAM) == [None, "all"]
    assert list(half.import_price_eur_per_kwh(moments, AMSTERDAM)) == [0.0, 0.1]
    assert half.band_at(moments[0], AMSTERDAM) is None


def test_a_tariff_that_leaves_a_part_of_the_year_is_refused(tmp_path: Path) -> None:
    (problem,) = problems(
        tmp_path, '[[bands]]\nname = "week"\nweekdays = ["mon", "tue", "wed", "thu", "fri", "sat"]'
    )
    assert (
        problem
        == "variants.trial.bands: month 1, sun 00:00 belongs to no band: add a last band without conditions"
    )
    (*_, sunday, holiday) = problems(
        tmp_path, '[[bands]]\nname = "day"\ndaily_from = "00:00"\ndaily_to = "22:15"'
    )
    assert "sun 22:15" in sunday
    assert "a holiday 22:15" in holiday


@pytest.mark.parametrize(
    ("bands", "message"),
    [
        (
            '[[bands]]\nname = "a"\ndaily_from = "07:05"',
            "variants.trial.bands[0].daily_from: 07:05:00 must be a quarter",
        ),
        ('[[bands]]\nname = "a"\nmonths = [13]', "variants.trial.bands[0].months[0]"),
        ('[[bands]]\nname = "a"\nweekdays = ["monday"]', "variants.trial.bands[0].weekdays[0]"),
        ('[[bands]]\nname = "a"\npeak_eur_per_kw = 1.0', "did you mean 'peak_eur_per_kw_month'?"),
        ('[[bands]]\nname = "a"\nimport_eur_per_kwh = -0.1', "variants.trial.bands[0].import_eur_per_kwh"),
        ("bands = []", "variants.trial.bands"),
        ("", "variants.trial.bands: is missing"),
    ],
)
def test_invalid_tariffs_are_refused_with_their_place(tmp_path: Path, bands: str, message: str) -> None:
    assert any(message in problem for problem in problems(tmp_path, bands))


def test_bands_are_found_by_name(tmp_path: Path) -> None:
    tariff = read(tmp_path, '[[bands]]\nname = "all"')
    assert tariff.band("all") is tariff.bands[0]
    with pytest.raises(KeyError):
        tariff.band("none")


def test_the_year_of_the_street_need_not_be_the_tariff_s() -> None:
    tariff = load_sheet(SHEET).tariff("ms-ls")
    assert tariff.bands_of([local(date(2024, 6, 11), 6) + timedelta(hours=1)], AMSTERDAM) == ["all"]


def test_holidays_follow_the_band_s_own_rule(tmp_path: Path) -> None:
    tariff = read(
        tmp_path,
        """
        [[bands]]
        name = "peak"
        weekdays = ["mon", "tue", "wed", "thu", "fri"]
        holidays = "never"
        daily_from = "07:00"
        daily_to = "23:00"
        [[bands]]
        name = "rest"
        """,
    )
    easter_monday, monday = date(2026, 4, 6), date(2026, 4, 13)
    assert is_holiday(easter_monday)
    assert not is_holiday(monday)
    moments = [local(easter_monday, 12), local(monday, 12)]
    assert tariff.bands_of(moments, AMSTERDAM) == ["rest", "peak"]


def test_a_variant_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(DocumentError, match="its variants are ls, ms-ls, ms"):
        load_sheet(SHEET).tariff("hs")


@pytest.mark.parametrize("path", sorted(TARIFFS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_sheet_loads_and_covers_the_year(path: Path) -> None:
    sheet = load_sheet(path)
    year = TimeGrid(datetime(2026, 1, 1, tzinfo=AMSTERDAM), QUARTER, 365 * 96).starts
    for variant in sheet.variants:
        assert None not in sheet.tariff(variant).bands_of(year, AMSTERDAM)
    if sheet.status is not TariffStatus.PUBLISHED:
        assert "assumption" in sheet.source.lower()
