"""Real sessions in, poles out; a concession's promise month by month."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.errors import DocumentError
from simulator.rollout.proposals import Wish, _offered, propose, track_concession
from simulator.rollout.queueing import erlang_b
from simulator.rollout.sessions import COLUMNS, read_sessions

START = pd.Timestamp("2025-01-06T00:00Z")


def sessions(path: Path, load: dict[str, float], weeks: int = 8) -> Path:
    """Write sessions of stations of two sockets, a kilometre apart, offered these loads (erlang)."""
    rng = np.random.default_rng(1)
    rows = []
    for number, (station, offered) in enumerate(load.items()):
        until = [0.0, 0.0]
        for arrival in np.sort(rng.uniform(0, weeks * 168, rng.poisson(offered / 8 * weeks * 168))):
            socket = int(np.argmin(until))
            if until[socket] > arrival:
                continue
            until[socket] = arrival + rng.exponential(8)
            rows.append(
                {
                    "station_id": station,
                    "lot": "a" if number == 0 else "b",
                    "latitude": 52.09 + 0.01 * number,
                    "longitude": 5.12,
                    "sockets": 2,
                    "started_at": (START + pd.Timedelta(hours=arrival)).isoformat(),
                    "ended_at": (START + pd.Timedelta(hours=until[socket])).isoformat(),
                    "energy_kwh": 10.0,
                }
            )
    table = pd.DataFrame(rows)
    if path.suffix == ".parquet":
        table.to_parquet(path, index=False)
    else:
        table.to_csv(path, index=False)
    return path


@given(offered=st.floats(0.01, 20.0), sockets=st.integers(1, 20))
def test_offered_load_is_found_again(offered: float, sockets: int) -> None:
    carried = offered * (1 - erlang_b(offered, sockets))
    if carried < 0.99 * sockets:
        assert _offered(carried, sockets) == pytest.approx(offered, rel=1e-4)


def test_poles_go_where_most_drivers_find_nothing(tmp_path: Path) -> None:
    observed = read_sessions(sessions(tmp_path / "s.csv", {"busy": 2.5, "calm": 0.3}))
    document = propose(observed, Wish(poles=1))
    first = document["proposals"][0]
    assert first["beside"] == "busy"
    assert "busiest hour" in first["reason"]
    # Blocked sessions are not in the file, yet they are estimated: Erlang B of the load that was offered.
    expected = 2.5 / 8 * 168 * erlang_b(2.5, 2)
    assert first["turned_away_per_week"] == pytest.approx(expected, rel=0.2)
    assert 0 < first["spared_per_week"] < first["turned_away_per_week"]


def test_each_further_pole_spares_less_and_what_ends_it_is_said(tmp_path: Path) -> None:
    observed = read_sessions(sessions(tmp_path / "s.csv", {"busy": 2.5, "calm": 0.05}))
    document = propose(observed, Wish(poles=20, largest_poles=2))
    spared = [each["spared_per_week"] for each in document["proposals"] if each["beside"] == "busy"]
    assert spared == sorted(spared, reverse=True)
    assert len(spared) == 2
    assert "--largest" in document["ended_by"]
    assert "all 1 are placed" in propose(observed, Wish(poles=1))["ended_by"]
    assert "demand" in propose(observed, Wish(poles=20, largest_poles=10))["ended_by"]


def test_a_calm_lot_keeps_its_promise_and_a_full_one_does_not(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    observed = read_sessions(sessions(tmp_path / "s.parquet", {"busy": 3.0, "calm": 0.02}))
    rows = track_concession(observed, Wish(promised_fraction=0.9))
    whole = [row for row in rows if row["month"] == "2025-01"]
    assert {row["lot"]: row["met"] for row in whole} == {"a": False, "b": True}
    assert sum(row["energy_kwh"] for row in rows) == pytest.approx(
        10.0 * len(pd.read_parquet(tmp_path / "s.parquet"))
    )


def test_every_bad_row_is_listed(tmp_path: Path) -> None:
    path = sessions(tmp_path / "s.csv", {"busy": 1.0})
    table = pd.read_csv(path)
    table["started_at"] = table["started_at"].astype(object)
    table.loc[1, "started_at"] = "yesterday"
    table.loc[2, "energy_kwh"] = -1
    table.loc[3, "latitude"] = 200
    table.loc[4, "lot"] = ""
    table.to_csv(path, index=False)
    with pytest.raises(DocumentError) as caught:
        read_sessions(path)
    places = {problem.path for problem in caught.value.problems}
    assert {"row 2.started_at", "row 3.energy_kwh", "row 4.latitude", "row 5.lot"} == places


def test_times_may_be_written_in_any_form_of_iso_8601(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    rows = [
        "007,a,52.0,5.0,2,2025-01-06T08:00:00Z,2025-01-06T09:00:00.250+00:00,5",
        "007,a,52.0,5.0,2,2025-01-06T11:00+01:00,2025-01-06 11:00:00Z,5",
    ]
    path.write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
    observed = read_sessions(path)
    assert observed.stations == ["007"]
    assert observed.occupied.sum() == 8


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text(",".join(COLUMNS[:-1]) + "\n")
    with pytest.raises(DocumentError, match="energy_kwh"):
        read_sessions(path)
