"""`wijkstroom prices`."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from typer.testing import CliRunner

from csms.state.load_forecasts import FrozenForecast, freeze_forecasts
from csms.state.store import open_store
from grid.tariffs.deviation import LoadForecast
from grid.timegrid import quarters_of_local_day
from wijkstroom.cli import app


def test_the_forecast_is_scored_beside_naive_ones(tmp_path: Path) -> None:
    rows = [
        f"2024-01-{day:02d}T{hour:02d}:00Z,{50 + hour + 5 * (day % 3)}"
        for day in range(1, 32)
        for hour in range(24)
    ]
    path = tmp_path / "prices.csv"
    path.write_text("utc_start,eur_per_mwh\n" + "\n".join(rows) + "\n")
    result = CliRunner().invoke(app, ["prices", "score", "--file", str(path), "--json"])
    assert result.exit_code == 0, result.output
    scores = json.loads(result.stdout)["scores"]
    assert {row["forecast"] for row in scores} == {
        "forecast",
        "same quarter yesterday",
        "same quarter last week",
    }
    by_name = {row["forecast"]: row for row in scores if row["days_ahead"] == 1}
    assert by_name["forecast"]["rmse_eur_per_mwh"] < by_name["same quarter yesterday"]["rmse_eur_per_mwh"]
    table = CliRunner().invoke(app, ["prices", "score", "--file", str(path)])
    assert "RMSE" in table.stdout


def test_a_price_file_with_mistakes_is_refused_with_all_of_them(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("utc_start,eur_per_mwh\nnoon,1\n2024-01-01T00:00Z,x\n")
    result = CliRunner().invoke(app, ["prices", "score", "--file", str(path)])
    assert result.exit_code == 2
    assert "line 2" in result.stderr
    assert "line 3" in result.stderr


def test_a_deviation_is_told_in_energy_and_money(tmp_path: Path) -> None:
    quarters = ["2024-06-11T10:00Z", "2024-06-11T10:15Z"]
    ean18 = "871694600000010017"
    (tmp_path / "forecast.csv").write_text(
        "ean18,supplier,utc_start,net_kwh\n" + "".join(f"{ean18},Sun,{at},2\n" for at in quarters)
    )
    (tmp_path / "meter.csv").write_text(
        "utc_start,import_kwh,export_kwh\n" + "".join(f"{at},3,0\n" for at in quarters)
    )
    for name, price in (("prices.csv", 100), ("imbalance.csv", 300)):
        (tmp_path / name).write_text(
            "utc_start,eur_per_mwh\n" + "".join(f"{at},{price}\n" for at in quarters)
        )
    command = ["prices", "deviation", str(tmp_path / "forecast.csv"), str(tmp_path / "meter.csv")]
    options = ["--prices", str(tmp_path / "prices.csv"), "--imbalance", str(tmp_path / "imbalance.csv")]
    result = CliRunner().invoke(app, [*command, *options, "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["more_kwh"], found["less_kwh"], found["cost_eur"]) == (2.0, 0.0, 0.4)
    table = CliRunner().invoke(app, [*command, *options[:2]])
    assert "no imbalance prices" in table.stdout
    (tmp_path / "meter.csv").write_text("utc_start,import_kwh,export_kwh\n2024-06-11T10:00Z,3,0\n")
    refused = CliRunner().invoke(app, [*command, *options])
    assert refused.exit_code == 2
    assert "2024-06-11T10:15" in refused.stderr


def test_a_deviation_from_what_was_announced(tmp_path: Path) -> None:
    url, ean18, day = f"sqlite:///{tmp_path}/street.db", "871694600000010017", date(2024, 6, 11)
    starts = quarters_of_local_day(day, ZoneInfo("Europe/Amsterdam")).starts
    made_at = datetime(2024, 6, 10, 7, 30, tzinfo=UTC)
    announced = FrozenForecast(made_at, False, (LoadForecast(ean18, "Sun", starts, np.full(96, 2.0)),))

    async def fill() -> None:
        store = open_store(url, inline=True)
        await store.write(partial(freeze_forecasts, day=day, announced=announced))
        await store.close()

    asyncio.run(fill())
    rows = "".join(f"{start:%Y-%m-%dT%H:%MZ},2.5,0\n" for start in starts)
    (tmp_path / "meter.csv").write_text("utc_start,import_kwh,export_kwh\n" + rows)
    command = ["prices", "deviation", "2024-06-11", str(tmp_path / "meter.csv"), "--json"]
    result = CliRunner().invoke(app, [*command, "--db", url])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["supplier"], found["announced_kwh"], found["more_kwh"]) == ("Sun", 192.0, 48.0)
    for options, remedy in (
        (["--db", f"sqlite:///{tmp_path}/other.db"], "there is no database"),
        (["--db", url, "--ean", "871694600000010024"], "--ean"),
    ):
        refused = CliRunner().invoke(app, [*command, *options])
        assert refused.exit_code == 2
        assert remedy in refused.stderr
    for text, remedy in (("soon", "must be a day"), ("2024-06-12", "nothing was announced")):
        refused = CliRunner().invoke(app, [*command[:2], text, *command[3:], "--db", url])
        assert refused.exit_code == 2
        assert remedy in refused.stderr
