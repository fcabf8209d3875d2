"""`wijkstroom fleet describe` prints how a fleet compares with the data."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from wijkstroom.cli import app


def test_it_is_the_same_for_the_same_seed_and_within_the_target() -> None:
    one, other = (
        CliRunner().invoke(app, ["fleet", "describe", "--draws", "20000", "--json", "--seed", "3"])
        for _ in range(2)
    )
    assert one.exit_code == 0
    assert one.stdout == other.stdout
    document = json.loads(one.stdout)
    assert [place["place"] for place in document["places"]] == ["home", "public", "work"]
    for place in document["places"]:
        assert max(place["ks_arrival"], place["ks_stay"], place["ks_energy"]) < 0.03


def test_people_get_a_table() -> None:
    result = CliRunner().invoke(app, ["fleet", "describe", "--draws", "1000"])
    assert result.exit_code == 0
    assert "KS energy" in result.stdout
    assert "Renault" in result.stdout
    assert "opt out" in result.stdout


def test_a_missing_file_is_named() -> None:
    result = CliRunner().invoke(app, ["fleet", "describe", "--draws", "1000", "--workplace", "none.csv"])
    assert result.exit_code == 2
    assert "none.csv" in result.stderr
