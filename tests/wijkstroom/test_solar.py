"""`wijkstroom solar`: on the observations of De Bilt where they are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from grid.solar.model_file import read_models
from tests.real_data import DATA
from wijkstroom.cli import app
from wijkstroom.solar import OBSERVATIONS, build_document, build_table, build_targets_table, run

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "configs/data/clearness_models_de_bilt.csv"


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / OBSERVATIONS).exists(), reason="the KNMI observations may not ship")
def test_every_target_is_met_at_de_bilt() -> None:
    found = run(DATA)
    document = build_document(found)
    assert [row["what"] for row in document["targets"] if not row["met"]] == []
    assert document["hours"] > 4000
    for table in (build_table(document), build_targets_table(document)):
        assert table.row_count > 5
    json.dumps(document, allow_nan=False)
    for knowledge, shipped in read_models(SHIPPED).items():
        fitted = found.models[knowledge]
        assert np.allclose(shipped.coefficients, fitted.coefficients, atol=0.01)
        assert np.allclose(shipped.third_stretch, fitted.third_stretch, atol=0.01)


def test_without_the_observations_the_command_says_what_is_missing(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["solar", "score", "--data", str(tmp_path)])
    assert result.exit_code == 2
    assert OBSERVATIONS in result.stderr
    assert "cannot be read" in result.stderr
