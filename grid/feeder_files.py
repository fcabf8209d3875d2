"""Low-voltage networks from files: pandapower's JSON, or a CSV of cables.

pandapower itself is not needed: its file is a table per element. Only what a radial feeder has is read: one
transformer, the cables behind it, and the buses of its loads; line capacitance is left out, which at 400 V is
nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grid.csvfile import read_csv
from grid.errors import DocumentError, Problem
from grid.powerflow import Cable, Feeder, Transformer

Floats = NDArray[np.float64]
Row = dict[str, Any]
CSV_COLUMNS = ("from", "to", "length_m", "r_ohm_per_km", "x_ohm_per_km", "rated_a", "connections")


@dataclass(frozen=True)
class PandapowerFeeder:
    """One transformer's network with the loads that the file gives.

    Parameters
    ----------
    feeder
        Its cables; one connection per load.
    load_kw, load_kvar
        Of all three phases together, shape (connections,).
    """

    feeder: Feeder
    load_kw: Floats
    load_kvar: Floats

    def per_phase(self) -> tuple[Floats, Floats]:
        """Return the loads spread evenly over the phases, each of shape (1, connections, 3)."""
        thirds = np.ones((1, 1, 3)) / 3
        return self.load_kw[None, :, None] * thirds, self.load_kvar[None, :, None] * thirds


def read_pandapower(path: Path, transformer: int | None = None) -> PandapowerFeeder:
    """Read a network that pandapower's ``to_json`` has written.

    Parameters
    ----------
    path
        The file.
    transformer
        Index of the transformer; None: the first that is in service.

    Raises
    ------
    DocumentError
        When it is no such file, or has no transformer, or its network is not radial.
    """
    tables = _Tables(path)
    trafo = tables.transformer(transformer)
    name = tables.bus_names()
    root = name[trafo["lv_bus"]]
    cables = _reachable(root, list(tables.cables(name)))
    nodes = {root, *(cable.start for cable in cables), *(cable.end for cable in cables)}
    loads = [row for row in tables.rows("load") if row["in_service"] and name[row["bus"]] in nodes]
    feeder = Feeder(root, tuple(cables), tuple(name[row["bus"]] for row in loads), tables.plate(trafo))
    _ = feeder.nodes  # refuses loops here, where the file is known
    kw, kvar = ([row[key] * row.get("scaling", 1.0) * 1000 for row in loads] for key in ("p_mw", "q_mvar"))
    return PandapowerFeeder(feeder, np.array(kw), np.array(kvar))


def read_cables(path: Path, transformer: Transformer | None = None) -> Feeder:
    """Read a feeder from a CSV with the columns `CSV_COLUMNS`; the first ``from`` is the transformer's node.

    Parameters
    ----------
    path
        The file; ``connections`` counts what hangs on ``to``.
    transformer
        In front of it.

    Raises
    ------
    DocumentError
        With every row that cannot be read.
    """
    _, rows = read_csv(path, CSV_COLUMNS)
    if not rows:
        raise DocumentError(str(path), [Problem("", "has no cable: give one row per cable")])
    problems: list[Problem] = []
    cables: list[Cable] = []
    connections: list[str] = []
    for row in rows:
        try:
            cables.append(_csv_cable(row.cells))
            connections += [row.cells[1]] * int(row.cells[-1])
        except ValueError as error:
            problems.append(Problem(f"line {row.line}", f"is no row of numbers above zero: {error}"))
    if problems:
        raise DocumentError(str(path), problems)
    feeder = Feeder(rows[0].cells[0], tuple(cables), tuple(connections), transformer or Transformer())
    _ = feeder.nodes
    return feeder


def _csv_cable(cells: tuple[str, ...]) -> Cable:
    start, end = cells[:2]
    length_m, ohm_r_per_km, ohm_x_per_km, rated_a = (float(cell) for cell in cells[2:6])
    cable = Cable(start, end, ohm_r_per_km * length_m / 1000, ohm_x_per_km * length_m / 1000, rated_a)
    if not (cable.ohm_r > 0 and cable.rated_a > 0 and cable.ohm_x >= 0):
        raise ValueError("length, resistance and rating must be positive")
    return cable


class _Tables:
    """The tables of a pandapower file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._tables: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["_object"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            problem = Problem("", f"is no file of pandapower's to_json: {error}")
            raise DocumentError(str(path), [problem]) from error

    def rows(self, element: str) -> list[Row]:
        """Return the rows of an element with their index under ``index``; none where there is no table."""
        table = self._tables.get(element)
        if not isinstance(table, dict) or "_object" not in table:
            return []
        content = table["_object"]
        frame = json.loads(content) if isinstance(content, str) else content
        try:
            pairs = zip(frame["index"], frame["data"], strict=True)
            return [{"index": index, **dict(zip(frame["columns"], row, strict=True))} for index, row in pairs]
        except (KeyError, TypeError, ValueError) as error:
            problem = Problem(element, f"is no table in the orientation 'split': {error}")
            raise DocumentError(str(self.path), [problem]) from error

    def transformer(self, index: int | None) -> Row:
        """Return a transformer."""
        rows = [row for row in self.rows("trafo") if row["in_service"]]
        chosen = [row for row in rows if index is None or row["index"] == index]
        if not chosen:
            problem = Problem(
                "trafo", f"has none with index {index}: there are {[row['index'] for row in rows]}"
            )
            raise DocumentError(str(self.path), [problem])
        return chosen[0]

    def bus_names(self) -> dict[int, str]:
        """Return a node's name per bus; buses that a closed switch joins are one node."""
        leader = {row["index"]: row["index"] for row in self.rows("bus")}

        def find(bus: int) -> int:
            while leader[bus] != bus:
                bus = leader[bus]
            return bus

        for row in self.rows("switch"):
            if row["et"] == "b" and row["closed"]:
                leader[find(row["bus"])] = find(row["element"])
        return {bus: f"bus {find(bus)}" for bus in leader}

    def cables(self, name: dict[int, str]) -> Iterator[Cable]:
        """Yield lines in service that no open switch cuts."""
        cut = {row["element"] for row in self.rows("switch") if row["et"] == "l" and not row["closed"]}
        for row in self.rows("line"):
            if not row["in_service"] or row["index"] in cut:
                continue
            parallel, length_km = row.get("parallel", 1), row["length_km"]
            zero = [row.get(f"{letter}0_ohm_per_km") for letter in ("r", "x")]
            yield Cable(
                name[row["from_bus"]],
                name[row["to_bus"]],
                row["r_ohm_per_km"] * length_km / parallel,
                row["x_ohm_per_km"] * length_km / parallel,
                row["max_i_ka"] * 1000 * parallel * row.get("df", 1.0),
                *(None if each is None else each * length_km / parallel for each in zero),
            )

    def plate(self, row: Row) -> Transformer:
        """Return a transformer's rating and losses."""
        source = next((each["vm_pu"] for each in self.rows("ext_grid") if each["in_service"]), 1.0)
        tap = (row.get("tap_pos") or 0.0) - (row.get("tap_neutral") or 0.0)
        step = 1 + tap * (row.get("tap_step_percent") or 0.0) / 100
        high = step if row.get("tap_side") == "hv" else 1.0
        low = step if row.get("tap_side") == "lv" else 1.0
        return Transformer(
            kva=row["sn_mva"] * 1000 * row.get("parallel", 1),
            short_circuit_fraction=row["vk_percent"] / 100,
            load_loss_kw=row["vkr_percent"] / 100 * row["sn_mva"] * 1000 * row.get("parallel", 1),
            no_load_loss_kw=row["pfe_kw"] * row.get("parallel", 1),
            no_load_current_fraction=row["i0_percent"] / 100,
            primary_v=row["vn_hv_kv"] * 1000 * high,
            secondary_v=row["vn_lv_kv"] * 1000 * low,
            source_pu=source,
            nominal_v=self._nominal_v(row["hv_bus"]),
        )

    def _nominal_v(self, bus: int) -> float:
        return next(float(row["vn_kv"]) * 1000 for row in self.rows("bus") if row["index"] == bus)


def _reachable(root: str, cables: list[Cable]) -> list[Cable]:
    """Return the cables that hang on a node, in any order."""
    seen, left = {root}, cables
    chosen: list[Cable] = []
    while True:
        touching = [cable for cable in left if cable.start in seen or cable.end in seen]
        if not touching:
            return chosen
        chosen += touching
        left = [cable for cable in left if cable not in touching]
        seen |= {cable.start for cable in touching} | {cable.end for cable in touching}
