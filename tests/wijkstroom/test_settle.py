"""`wijkstroom settle`: the bill, and the statement of what an operator rewards."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from wijkstroom.cli import app

CONTRACT = """ean18 = "871694600000010901"
connection_kind = "large"
tariff_variant = "ms-ls"
valid_from = 2026-01-01
"""


def test_a_statement_says_what_was_rewarded_and_why(tmp_path: Path) -> None:
    quarters = [
        f"2026-06-09T{hour:02d}:{minute:02d}Z" for hour in range(10, 12) for minute in (0, 15, 30, 45)
    ]
    rows = "".join(f"{start},3,0,1\n" for start in quarters)
    (tmp_path / "meter.csv").write_text("utc_start,import_kwh,export_kwh,baseline_kwh\n" + rows)
    (tmp_path / "contract.toml").write_text(CONTRACT)
    command = ["settle", str(tmp_path / "meter.csv"), "--contract", str(tmp_path / "contract.toml")]
    pilot = [*command, "--tariff", "utrecht-variable-capacity-pilot.toml", "--statement"]
    result = CliRunner().invoke(app, [*pilot, "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    (entry,) = document["rewards"]
    assert (entry["band"], entry["baseline"], entry["measured"]) == ("off-peak", "8.000", "24.000")
    assert (entry["rewarded"], entry["amount_eur"], document["reward_eur"]) == ("16.000", "0.8000", "-0.80")
    assert "Rewards, and why" in CliRunner().invoke(app, pilot).stdout
    assert "rewards" not in json.loads(CliRunner().invoke(app, [*pilot[:-1], "--json"]).stdout)
