"""Which columns and rows of the model a given problem needs.

The readable model has every row; most of them can never bind. What is left out here changes no optimum:

- a session that can only charge needs its energy at departure, not at every time point: the rows of the
  recursion between two needed time points are added up to one, where the energies in between cancel out;
- a limit that all powers together cannot reach needs no row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optimizer.coefficients import Coefficients, Flags

Numbers = npt.NDArray[np.int64]
ABSENT = -1


@dataclass(frozen=True, slots=True)
class Layout:
    """Numbers of the columns and rows of a linear program, by family.

    Parameters
    ----------
    columns, rows
        For each family an array over entity (1 for the site) and position (1 where the family has none) with
        the number of the column or row, `ABSENT` where there is none. Several positions may share a row.
    column_count, row_count
        How many there are.
    """

    columns: dict[str, Numbers]
    rows: dict[str, Numbers]
    column_count: int
    row_count: int


def lay_out(data: Coefficients, *, exact: bool) -> Layout:
    """Choose and number columns and rows.

    Parameters
    ----------
    data
        The numbers of the model.
    exact
        Whether binaries and their rows are wanted.
    """
    columns = _session_columns(data) | _site_columns(data)
    rows = _session_rows(data, columns) | _site_rows(data)
    if exact:
        _make_exact(data, columns, rows)
    numbered_columns, column_count = _number(columns)
    numbered_rows, row_count = _number(rows)
    return Layout(numbered_columns, numbered_rows, column_count, row_count)


def _number(families: dict[str, Flags | Numbers]) -> tuple[dict[str, Numbers], int]:
    """Number what is there; in a family of numbers those that are equal share one."""
    count, numbered = 0, {}
    for name, family in families.items():
        numbers = np.full(family.shape, ABSENT, dtype=np.int64)
        if family.dtype == np.bool_:
            size = int(np.count_nonzero(family))
            numbers[family] = count + np.arange(size)
        else:
            there = np.asarray(family != ABSENT)
            distinct, inverse = np.unique(np.asarray(family)[there], return_inverse=True)
            size = len(distinct)
            numbers[there] = count + inverse
        numbered[name] = numbers
        count += size
    return numbered, count


def _session_columns(data: Coefficients) -> dict[str, Flags | Numbers]:
    charge, discharge = data.charge_most_kw > 0.0, data.discharge_most_kw > 0.0
    two_way = _any_position(discharge)
    arrives = _first(data.stays)
    departs = _first(data.stays[:, ::-1])[:, ::-1]
    below = data.below_most_kwh > 0.0
    every_point = two_way | _any_position(below)
    rises = np.diff(data.delivered_lower_kwh, axis=1, prepend=0.0) > 0.0
    initial = np.where(arrives, data.energy_lower_kwh, 0.0).sum(axis=1)
    wanted = data.wanted_kwh.max(axis=1)
    return {
        "charge_kw": charge,
        "discharge_kw": discharge,
        "charging": charge & (data.standing_charge_kwh > 0.0)[:, None],
        "discharging": discharge & (data.standing_discharge_kwh > 0.0)[:, None],
        "energy_kwh": np.where(every_point[:, None], data.stays, arrives | departs),
        "below_least_kwh": below,
        "shortfall_kwh": ((wanted > 0.0) & (two_way | (wanted > initial)))[:, None],
        "delivered_kwh": rises | (arrives & _any_position(rises)[:, None]),
        "undelivered_kwh": rises,
    }


def _first(flags: Flags) -> Flags:
    """Keep the first flag of each row."""
    return np.asarray(flags & (np.cumsum(flags, axis=1) == 1))


def _any_position(flags: Flags) -> Flags:
    return np.asarray(flags.any(axis=1))


def _site_columns(data: Coefficients) -> dict[str, Flags | Numbers]:
    always = np.ones((1, data.steps), dtype=np.bool_)
    return {
        "import_kw": always,
        "export_kw": always,
        "curtailed_kw": data.curtailable_kw[None, :] > 0.0,
        "import_excess_kw": data.import_excess_most_kw[None, :] > 0.0,
        "export_excess_kw": data.export_excess_most_kw[None, :] > 0.0,
        "peak_kw": np.ones((len(data.realised_kw), 1), dtype=np.bool_),
        "worst_shortfall_kwh": np.ones((1, 1), dtype=np.bool_),
    }


def _session_rows(data: Coefficients, columns: dict[str, Flags | Numbers]) -> dict[str, Flags | Numbers]:
    both = (data.charge_most_kw > 0.0) & (data.discharge_most_kw > 0.0)
    # Elsewhere losses and wear make charging and discharging at once dear enough by themselves.
    burning = np.minimum(data.import_cost_eur_per_kw, data.export_revenue_eur_per_kw) < 0.0
    return {
        "energy_recursion": _join_steps(columns["energy_kwh"]),
        "least_energy": columns["below_least_kwh"],
        "wanted_energy": (data.wanted_kwh > 0.0) & columns["shortfall_kwh"].astype(np.bool_),
        "delivery_recursion": _join_steps(columns["delivered_kwh"]),
        "fairness": columns["shortfall_kwh"],
        "charge_at_most": columns["charging"],
        "charge_at_least": columns["charging"],
        "discharge_at_most": columns["discharging"],
        "discharge_at_least": columns["discharging"],
        "shared_direction": both & burning[None, :],
    }


def _join_steps(points: Flags | Numbers) -> Numbers:
    """Give all steps between two needed time points the same row."""
    steps = points.shape[1] - 1
    before = np.cumsum(points[:, :-1], axis=1, dtype=np.int64)
    after = np.cumsum(points[:, :0:-1], axis=1, dtype=np.int64)[:, ::-1]
    row = np.arange(points.shape[0])[:, None] * (steps + 1) + before
    return np.where((before > 0) & (after > 0), row, ABSENT)


def _site_rows(data: Coefficients) -> dict[str, Flags | Numbers]:
    charge, discharge = data.charge_most_kw.sum(axis=0), data.discharge_most_kw.sum(axis=0)
    most_import = data.net_load_kw + data.curtailable_kw + charge
    priced = data.peak_price_eur_per_kw > 0.0
    matters = most_import[None, :] > data.realised_kw[:, None]
    return {
        "energy_balance": np.ones((1, data.steps), dtype=np.bool_),
        "import_limit": (charge + data.curtailable_kw > data.import_room_kw)[None, :],
        "export_limit": (discharge > data.export_room_kw)[None, :],
        "group_import": data.group_weight @ data.charge_most_kw > data.group_import_kw,
        "group_export": data.group_weight @ data.discharge_most_kw > data.group_export_kw,
        "shared_flow": _two_way_flow(data),
        "band_peak": data.in_band & priced[:, None] & matters,
    }


def _two_way_flow(data: Coefficients) -> Flags:
    finite = np.isfinite(data.most_import_kw)
    return np.asarray(finite & (data.most_import_kw > 0.0) & (data.most_export_kw > 0.0))[None, :]


def _make_exact(
    data: Coefficients, columns: dict[str, Flags | Numbers], rows: dict[str, Flags | Numbers]
) -> None:
    charge, discharge = data.charge_most_kw > 0.0, data.discharge_most_kw > 0.0
    both, two_way_flow = charge & discharge, rows.pop("shared_flow")
    del rows["shared_direction"]
    columns["charging"] = charge & ((data.charge_least_kw[:, None] > 0.0) | both)
    columns["discharging"] = discharge & ((data.discharge_least_kw[:, None] > 0.0) | both)
    columns["importing"] = two_way_flow
    rows["charge_at_most"] = columns["charging"]
    rows["charge_at_least"] = charge & (data.charge_least_kw[:, None] > 0.0)
    rows["discharge_at_most"] = columns["discharging"]
    rows["discharge_at_least"] = discharge & (data.discharge_least_kw[:, None] > 0.0)
    rows["one_direction"] = both
    rows["import_direction"] = two_way_flow
    rows["export_direction"] = two_way_flow
