"""A month under each tariff."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from grid.tariffs.bill import compute_bill
from wijkstroom.cli import app
from wijkstroom.rolling.month import take_part
from wijkstroom.street import Street, load_street
from wijkstroom.tariff_cases import Case, Control, list_cases, list_quarters, street_under
from wijkstroom.tariff_months import Flows, run_days, settle_days
from wijkstroom.tariff_table import build_page, list_cells

FIRST = date(2024, 6, 1)


@pytest.fixture(scope="module")
def street() -> Street:
    return take_part(load_street(), 8)


def case(name: str) -> Case:
    (found,) = [each for each in list_cases() if each.name == name]
    return found


def flows(days: int = 1, charged_kwh: float = 1.0) -> Flows:
    ones = np.ones(96 * days)
    return Flows(3.0 * ones, 1.0 * ones, charged_kwh * ones, 0.5 * ones, 2.0)


def test_every_shipped_tariff_is_there_but_those_of_other_connections() -> None:
    names = {each.name for each in list_cases()}
    assert {"Stedin 2024, ms-ls", "Utrecht variable capacity pilot, ms-ls", "Five bands, five-bands"} <= names
    assert "Stedin 2026, every connection alone" in names
    assert not [name for name in names if name.endswith(" ms")]


def test_a_bill_is_that_of_the_bill_code(street: Street) -> None:
    own = case("Stedin 2026, ms-ls")
    under = street_under(street, own, Control.V2G, FIRST, 30)
    month = flows(30)
    cost = settle_days(street, own, month, month, FIRST)
    grid = under.grid
    bill = compute_bill(
        list_quarters(grid, FIRST, 30),
        month.import_kwh,
        month.export_kwh,
        grid.prices,
        grid.tariff,
        {},
        {"all": street.grid.contracted_kw["all"]},
    )
    # The settlement takes a leap year's share, the bill days of 365.
    yearly = bill.fixed_eur * 365 / 366
    expected = bill.total_eur - bill.fixed_eur + yearly + cost.wear_eur
    assert cost.total_eur == pytest.approx(expected, abs=0.05)
    assert cost.wear_eur == pytest.approx(0.06 * 0.5 * 96 * 30)
    assert cost.reward_eur == 0.0


def test_alone_nobody_shares_the_sun(street: Street) -> None:
    together = settle_days(street, case("Stedin 2024, ms-ls"), flows(), flows(), FIRST)
    alone = settle_days(street, case("Stedin 2024, every connection alone"), flows(), flows(), FIRST)
    assert alone.tax_eur == pytest.approx(0.0916 * 4.0 * 96)
    assert together.tax_eur == pytest.approx(0.0916 * 2.5 * 96, abs=0.01)


def test_rewards_are_paid_against_the_month_without_control(street: Street) -> None:
    own = case("Utrecht variable capacity pilot, ms-ls")
    same = settle_days(street, own, flows(), flows(), FIRST)
    moved = settle_days(street, own, flows(charged_kwh=2.0), flows(), FIRST)
    assert same.reward_eur == 0.0
    assert moved.reward_eur == pytest.approx(-0.05 * 1.0 * 76, abs=0.01)  # 19 hours off-peak


def test_plans_see_the_tariff_and_whether_cars_give_back(street: Street) -> None:
    own = case("Stedin 2026, ls")
    for control in Control:
        under = street_under(street, own, control, FIRST, 3)
        assert under.grid.prices.tariff is under.grid.tariff
        assert under.grid.tariff.name == "Stedin 2026 ls"
        assert any(each.discharge_opt_in for each in under.service.vehicles) is (control is Control.V2G)
        assert under.grid.realised_peak_kw["normal"] > 0.0


def test_a_day_is_counted_from_midnight_to_midnight(street: Street) -> None:
    own = street_under(street, case("Stedin 2026, ms-ls"), Control.UNCONTROLLED, FIRST, 1)
    day = run_days(own, Control.UNCONTROLLED, FIRST, 1, seed=1)
    assert len(day.base_kwh) == len(day.charged_kwh) == 96
    assert day.charged_kwh.sum() > 0.0
    assert day.discharged_kwh.sum() == 0.0
    # It is dark at both ends.
    assert day.pv_kwh[0] == day.pv_kwh[-1] == 0.0


def test_a_page_names_its_command() -> None:
    cost = dict.fromkeys(("total_eur", "peak_kw", "shortfall_kwh", "discharged_kwh"), 12.0)
    row = {"tariff": "T", "status": "pilot"} | {control.value: cost for control in Control}
    assert list_cells(row)[:6] == ["T", "pilot", "12", "12", "12", "0"]
    document = {
        "street": "Lombok", "stations": 3, "month": "2024-06", "days": 7, "seed": 1, "contracted_kw": 25.0,
        "degradation_eur_per_kwh": 0.06, "tariffs": [row],
    }  # fmt: skip
    page = build_page(document, "wijkstroom tariffs compare")
    assert "# June 2024 under each tariff" in page
    assert "    wijkstroom tariffs compare" in page
    assert "7 days of June 2024" in page
    assert "| T | pilot | 12 |" in page


def test_the_command_has_examples(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["tariffs", "compare", "--help"])
    assert "wijkstroom tariffs compare --days 2" in result.output
    refused = CliRunner().invoke(app, ["tariffs", "compare", "--config", str(tmp_path / "none.toml")])
    assert refused.exit_code == 2
