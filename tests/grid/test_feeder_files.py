"""Networks from files: pandapower's JSON and CSV."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grid.errors import DocumentError
from grid.feeder_files import read_cables, read_pandapower
from grid.powerflow import solve

HEADER = "from,to,length_m,r_ohm_per_km,x_ohm_per_km,rated_a,connections\n"

BUS = ["name", "vn_kv", "in_service"]
LINE = [
    "from_bus",
    "to_bus",
    "length_km",
    "r_ohm_per_km",
    "x_ohm_per_km",
    "max_i_ka",
    "df",
    "parallel",
    "in_service",
]
TRAFO = [
    "hv_bus",
    "lv_bus",
    "sn_mva",
    "vn_hv_kv",
    "vn_lv_kv",
    "vk_percent",
    "vkr_percent",
    "pfe_kw",
    "i0_percent",
]
TRAFO_MORE = ["tap_side", "tap_neutral", "tap_pos", "tap_step_percent", "parallel", "in_service"]


def table(columns: list[str], rows: list[list[Any]]) -> dict[str, Any]:
    content = {"columns": columns, "index": list(range(len(rows))), "data": rows}
    return {
        "_module": "pandas.core.frame",
        "_class": "DataFrame",
        "_object": json.dumps(content),
        "orient": "split",
    }


def network(**changes: Any) -> dict[str, Any]:
    """A substation, a bus bar joined to a second by a switch, two cables in parallel and one that is cut."""
    tables = {
        "bus": table(BUS, [["mv", 10.0, True], *([f"lv{n}", 0.4, True] for n in range(5))]),
        "line": table(
            LINE,
            [
                [2, 3, 0.1, 0.2067, 0.0804, 0.27, 1.0, 1, True],
                [3, 4, 0.05, 0.6417, 0.0848, 0.14, 1.0, 2, True],
                [4, 5, 0.05, 0.6417, 0.0848, 0.14, 1.0, 1, True],
            ],
        ),
        "trafo": table(
            TRAFO + TRAFO_MORE, [[0, 1, 0.4, 10.0, 0.4, 4.0, 1.2, 0.95, 0.2375, "hv", 0, -1, 2.5, 1, True]]
        ),
        "load": table(
            ["bus", "p_mw", "q_mvar", "scaling", "in_service"],
            [
                [3, 0.009, 0.003, 1.0, True],
                [4, 0.006, 0.0, 0.5, True],
                [5, 0.5, 0.0, 1.0, True],
                [3, 0.5, 0.0, 1.0, False],
            ],
        ),
        "switch": table(["bus", "element", "et", "closed"], [[1, 2, "b", True], [4, 2, "l", False]]),
        "ext_grid": table(["bus", "vm_pu", "in_service"], [[0, 1.02, True]]),
    }
    return {"_module": "pandapower.auxiliary", "_class": "pandapowerNet", "_object": {**tables, **changes}}


def write(tmp_path: Path, document: Any) -> Path:
    path = tmp_path / "net.json"
    path.write_text(json.dumps(document))
    return path


def test_a_pandapower_file_is_read_without_pandapower(tmp_path: Path) -> None:
    read = read_pandapower(write(tmp_path, network()))
    feeder = read.feeder
    assert len(feeder.nodes) == 3  # two bus bars are one, what is behind the open switch is none
    assert read.load_kw == pytest.approx([9.0, 3.0])
    assert read.load_kvar == pytest.approx([3.0, 0.0])
    parallel = feeder.cables[1]
    assert parallel.ohm_r == pytest.approx(0.6417 * 0.05 / 2)
    assert parallel.rated_a == pytest.approx(280.0)
    assert feeder.transformer.primary_v == pytest.approx(9750.0)
    assert feeder.transformer.source_pu == 1.02


def test_it_is_solved_as_pandapower_solves_it(tmp_path: Path) -> None:
    pytest.importorskip("power_grid_model")
    read = read_pandapower(write(tmp_path, network()))
    kw, kvar = read.per_phase()
    flow = solve(read.feeder, kw, load_kvar=kvar)
    # What pandapower 3.5.6 computes for this network.
    assert flow.voltage_pu[0, :, 0] == pytest.approx(np.array([1.045519, 1.043890, 1.043601]), abs=1e-5)
    assert flow.cable_loading[0, :, 0] == pytest.approx(np.array([0.06334844, 0.01481863]), abs=1e-5)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "to_json"),
        (network(trafo=table(TRAFO + TRAFO_MORE, [])), "none with index"),
        (network(line={"_object": '{"columns": []}'}), "orientation"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, document: Any, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        read_pandapower(write(tmp_path, document))


def test_cables_from_csv(tmp_path: Path) -> None:
    path = tmp_path / "street.csv"
    path.write_text(HEADER + "# the trunk\nbus,a,100,0.2,0.08,235,2\na,b,50,0.6,0.08,140,3\n")
    feeder = read_cables(path)
    assert feeder.root == "bus"
    assert feeder.connections == ("a", "a", "b", "b", "b")
    assert feeder.cables[0].ohm_r == pytest.approx(0.02)


def test_every_bad_line_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "street.csv"
    path.write_text(HEADER + "bus,a,-100,0.2,0.08,235,2\na,b,x,0.6,0.08,140,3\n")
    with pytest.raises(DocumentError) as caught:
        read_cables(path)
    assert [problem.path for problem in caught.value.problems] == ["line 2", "line 3"]


def test_a_file_without_cables_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "street.csv"
    path.write_text(HEADER)
    with pytest.raises(DocumentError, match="has no cable"):
        read_cables(path)
