"""Scenario files: checked whole; what they draw depends on seed, rule and station alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.config import parse_document
from grid.errors import DocumentError
from simulator.faults.behaviours import BEHAVIOURS
from simulator.faults.scenario import OF_SOCKET, FaultKind, Scenario, load_scenario, read_scenario
from simulator.faults.schedule import draw_faults, draw_quirks
from simulator.setup import EvseSetup, Protocol, StationSetup
from simulator.station.quirks import Quirk, Quirks

DAY_S = 86_400.0


def read(text: str) -> Scenario:
    return read_scenario(
        parse_document('[scenario]\nname = "test"\n' + text, source="test", directory=Path())
    )


def make_stations(count: int) -> list[StationSetup]:
    return [
        StationSetup(f"S-{number}", "pole", Protocol.V16, (EvseSetup(1), EvseSetup(2)))
        for number in range(count)
    ]


def test_every_kind_of_fault_has_a_behaviour() -> None:
    assert set(BEHAVIOURS) == set(FaultKind)


def test_an_instant_is_that_instant() -> None:
    scenario = read('[[faults]]\nkind = "rcd_trip"\nstations = "S-1"\nevse = 2\nat_minutes = 90\n')
    (event,) = draw_faults(scenario, make_stations(3), DAY_S, seed=1)
    assert (event.station_id, event.evse_id, event.begin_s) == ("S-1", 2, 5400.0)
    assert 60.0 <= event.end_s - event.begin_s <= 600.0


@given(seed=st.integers(0, 1000), kind=st.sampled_from(FaultKind), count=st.integers(1, 12))
def test_a_station_has_the_same_faults_whoever_stands_beside_it(
    seed: int, kind: FaultKind, count: int
) -> None:
    scenario = read(f'[[faults]]\nkind = "{kind.value}"\nper_day = 5.0\n')
    alone = draw_faults(scenario, make_stations(1), DAY_S, seed)
    among = draw_faults(scenario, make_stations(count), DAY_S, seed)
    assert alone == [event for event in among if event.station_id == "S-0"]
    assert among == sorted(among)
    assert all((event.evse_id > 0) == (kind in OF_SOCKET) for event in among)
    longer = draw_faults(scenario, make_stations(1), 2 * DAY_S, seed)
    assert longer[: len(alone)] == alone


def test_a_rate_is_a_rate() -> None:
    scenario = read('[[faults]]\nkind = "link_drop"\nper_day = 2.0\n')
    events = draw_faults(scenario, make_stations(500), DAY_S, seed=3)
    assert len(events) == pytest.approx(1000, abs=5 * 1000**0.5)


def test_a_share_of_the_stations_has_a_quirk_beside_those_of_their_model() -> None:
    scenario = read('[[quirks]]\nkind = "clock_offset"\nvalue = 90\nshare = 0.25\n')
    drawn = [draw_quirks(scenario, station, seed=1) for station in make_stations(1000)]
    odd = [one for one in drawn if Quirk.CLOCK_OFFSET in one]
    assert len(odd) == pytest.approx(250, abs=60)
    assert odd[0].values[Quirk.CLOCK_OFFSET] == 90
    own = StationSetup("X", "p", Protocol.V16, (EvseSetup(1),), quirks=Quirks({Quirk.REJECTS_ZERO: 1.0}))
    assert Quirk.REJECTS_ZERO in draw_quirks(scenario, own, seed=1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[faults]]\nkind = "rcd_trip"\n', "either at_minutes or per_day"),
        ('[[faults]]\nkind = "rcd_trip"\nper_day = 1.0\nvalue = 3.0\n', "takes no value"),
        ('[[faults]]\nkind = "link_duplicates"\nper_day = 1.0\nvalue = 3.0\n', "part of a whole"),
        (
            '[[faults]]\nkind = "reboot"\nper_day = 1.0\nduration_minutes_min = 20.0\n',
            "exchange them",
        ),
        ('[[quirks]]\nkind = "max_periods"\n', "needs a value"),
        ('[[quirks]]\nkind = "rejects_zero"\nvalue = 1.0\n', "takes no value"),
        ('[[quirks]]\nkind = "rejects_zer"\n', "quirks"),
    ],
)
def test_mistakes_are_refused(text: str, said: str) -> None:
    with pytest.raises(DocumentError, match=said):
        read(text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot be read"):
        load_scenario(tmp_path / "none.toml")
