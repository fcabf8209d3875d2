"""The numbers of the model, computed from a problem: what the Pyomo model and the fast path both read.

Every array carries the axes that its declaration names: ``i`` sessions, ``t`` time steps, ``k`` time points
(one more than steps), ``g`` groups, ``b`` tariff bands. Numbers that do not depend on a decision are worked
out here, so that the model is linear in its data: each coefficient, bound and right-hand side is one of
these numbers or a constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from optimizer.problem import Netting, Problem

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# Multiples of the shortfall price: power over a limit, energy below the least.
EXCESS_FACTOR = 100.0
BELOW_LEAST_FACTOR = 10.0
# A floor of delivered energy is given up only where no plan within the limits keeps it.
UNDELIVERED_FACTOR = 20.0
# Weights of preferences: a kWh charged at the end of a window instead of its start counts 1.
REVERSAL_PER_KWH = 1.0
UNFAIRNESS_PER_KWH = 10.0
PER_START = 0.5


@dataclass(frozen=True, slots=True)
class Coefficients:
    """All numbers of one site's model.

    Parameters
    ----------
    connected, stays
        Steps (i, t) and time points (i, k) of each session's window, both ends of it included.
    in_band
        Steps (b, t) of each band.
    import_cost_eur_per_kw, export_revenue_eur_per_kw
        Money per kW over a step (t).
    net_load_kw, curtailable_kw
        Expected base load less sun, and the sun that may be turned down (t).
    import_room_kw, export_room_kw
        What the limits leave under upper base load and lower sun, or the reverse; < 0 where those alone break
        the limit (t).
    import_excess_most_kw, export_excess_most_kw
        Power over the limits that base load or sun alone causes (t).
    excess_cost_eur_per_kw
        Price of that over a step.
    relief
        1 when the connection's limits count the net flow, 0 when they count each direction alone.
    most_import_kw, most_export_kw, flow_ratio
        Largest flows that anything can cause, finite only where importing and exporting at once would pay,
        and the first divided by the second (t).
    stored_kwh_per_kw, drawn_kwh_per_kw, delivered_kwh_per_kw
        Battery energy per kW of charge and of discharge over a step, and energy at the socket (i).
    standing_charge_kwh, standing_discharge_kwh
        Battery energy that is lost in a step in which a session charges, or discharges, at any power (i).
    charge_most_kw, discharge_most_kw, charge_share_per_kw, discharge_share_per_kw
        Largest power within everything that is known beforehand, and its reciprocal, 0 outside (i, t).
    charge_least_kw, discharge_least_kw
        Smallest power other than a pause (i).
    energy_lower_kwh, energy_upper_kwh
        Hard bounds, equal at arrival (i, k).
    energy_least_kwh, below_most_kwh
        The least energy (i), and how far below it a session that arrives below it may be (i, k).
    wanted_kwh
        Reachable energy wanted at departure; 0 at every other time point (i, k).
    delivered_lower_kwh, delivered_upper_kwh, undelivered_most_kwh
        Reachable floor of energy delivered, 0 at arrival and no bound later, and how much of the floor may be
        given up at a time point (i, k).
    degradation_cost_eur_per_kw
        Wear per kW of discharge over a step (i).
    energy_value_eur_per_kwh
        Worth of energy at departure; 0 at every other time point (i, k).
    shortfall_cost_eur_per_kwh, below_cost_eur_per_kwh, undelivered_cost_eur_per_kwh
        Prices of the priced slacks.
    group_import_kw, group_export_kw
        Limits of groups (g, t), infinite where there is none.
    group_weight, group_relief
        Share of a session's power that counts, and that counts as relief (g, i).
    peak_price_eur_per_kw, realised_kw
        Price of a band's peak and the peak already made (b).
    delay_per_kw, reversal_per_kw, unfairness_per_kwh, start_weight
        Weights of preferences: charging late in a window (i, t), discharging (i), the worst shortfall, the
        end of a pause.
    constant_eur
        Cost that no decision changes: the part of targets that is out of reach.
    """

    connected: Flags = field(metadata={"axes": "it"})
    stays: Flags = field(metadata={"axes": "ik"})
    in_band: Flags = field(metadata={"axes": "bt"})
    import_cost_eur_per_kw: Floats = field(metadata={"axes": "t"})
    export_revenue_eur_per_kw: Floats = field(metadata={"axes": "t"})
    net_load_kw: Floats = field(metadata={"axes": "t"})
    curtailable_kw: Floats = field(metadata={"axes": "t"})
    import_room_kw: Floats = field(metadata={"axes": "t"})
    export_room_kw: Floats = field(metadata={"axes": "t"})
    import_excess_most_kw: Floats = field(metadata={"axes": "t"})
    export_excess_most_kw: Floats = field(metadata={"axes": "t"})
    excess_cost_eur_per_kw: float = field(metadata={"axes": ""})
    relief: float = field(metadata={"axes": ""})
    most_import_kw: Floats = field(metadata={"axes": "t"})
    most_export_kw: Floats = field(metadata={"axes": "t"})
    flow_ratio: Floats = field(metadata={"axes": "t"})
    stored_kwh_per_kw: Floats = field(metadata={"axes": "i"})
    drawn_kwh_per_kw: Floats = field(metadata={"axes": "i"})
    delivered_kwh_per_kw: Floats = field(metadata={"axes": "i"})
    standing_charge_kwh: Floats = field(metadata={"axes": "i"})
    standing_discharge_kwh: Floats = field(metadata={"axes": "i"})
    charge_most_kw: Floats = field(metadata={"axes": "it"})
    discharge_most_kw: Floats = field(metadata={"axes": "it"})
    charge_share_per_kw: Floats = field(metadata={"axes": "it"})
    discharge_share_per_kw: Floats = field(metadata={"axes": "it"})
    charge_least_kw: Floats = field(metadata={"axes": "i"})
    discharge_least_kw: Floats = field(metadata={"axes": "i"})
    energy_lower_kwh: Floats = field(metadata={"axes": "ik"})
    energy_upper_kwh: Floats = field(metadata={"axes": "ik"})
    energy_least_kwh: Floats = field(metadata={"axes": "i"})
    below_most_kwh: Floats = field(metadata={"axes": "ik"})
    wanted_kwh: Floats = field(metadata={"axes": "ik"})
    delivered_lower_kwh: Floats = field(metadata={"axes": "ik"})
    delivered_upper_kwh: Floats = field(metadata={"axes": "ik"})
    undelivered_most_kwh: Floats = field(metadata={"axes": "ik"})
    degradation_cost_eur_per_kw: Floats = field(metadata={"axes": "i"})
    energy_value_eur_per_kwh: Floats = field(metadata={"axes": "ik"})
    shortfall_cost_eur_per_kwh: float = field(metadata={"axes": ""})
    below_cost_eur_per_kwh: float = field(metadata={"axes": ""})
    undelivered_cost_eur_per_kwh: float = field(metadata={"axes": ""})
    group_import_kw: Floats = field(metadata={"axes": "gt"})
    group_export_kw: Floats = field(metadata={"axes": "gt"})
    group_weight: Floats = field(metadata={"axes": "gi"})
    group_relief: Floats = field(metadata={"axes": "gi"})
    peak_price_eur_per_kw: Floats = field(metadata={"axes": "b"})
    realised_kw: Floats = field(metadata={"axes": "b"})
    delay_per_kw: Floats = field(metadata={"axes": "it"})
    reversal_per_kw: Floats = field(metadata={"axes": "i"})
    unfairness_per_kwh: float = field(metadata={"axes": ""})
    start_weight: float = field(metadata={"axes": ""})
    constant_eur: float = field(metadata={"axes": ""})

    @property
    def sessions(self) -> int:
        """Number of sessions."""
        return int(self.connected.shape[0])

    @property
    def steps(self) -> int:
        """Number of time steps."""
        return int(self.connected.shape[1])


def compute_coefficients(problem: Problem) -> Coefficients:
    """Work out every number of the model.

    Parameters
    ----------
    problem
        A validated problem.
    """
    site = _site_numbers(problem)
    groups = _group_numbers(problem)
    windows = _windows(problem)
    most = _most_powers(problem, site, groups, windows["connected"])
    return Coefficients(
        **windows,
        **site,
        **groups,
        **most,
        **_flow_numbers(problem, site, most),
        **_energy_numbers(problem, windows, most),
        **_band_numbers(problem),
        **_preference_numbers(problem, windows["connected"]),
    )


def base_load_bounds_kw(problem: Problem) -> tuple[Floats, Floats]:
    """Return lower and upper base load, as limits count them [kW], shapes (t,)."""
    expected = problem.base_load_kw
    return _array(problem.base_load_lower_kw or expected), _array(problem.base_load_upper_kw or expected)


def pv_bounds_kw(problem: Problem) -> tuple[Floats, Floats]:
    """Return lower and upper sun, as limits count it [kW], shapes (t,)."""
    return _array(problem.pv_lower_kw or problem.pv_kw), _array(problem.pv_upper_kw or problem.pv_kw)


def _array(values: Sequence[float]) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _per_session(problem: Problem, name: str) -> Floats:
    return np.array([getattr(ev, name) for ev in problem.evs], dtype=np.float64)


def _windows(problem: Problem) -> dict[str, Any]:
    arrival = _per_session(problem, "arrival_step")[:, None]
    departure = _per_session(problem, "departure_step")[:, None]
    points = np.arange(problem.steps + 1)[None, :]
    in_band = np.zeros((len(problem.peak_bands), problem.steps), dtype=np.bool_)
    for row, band in zip(in_band, problem.peak_bands, strict=True):
        row[list(band.steps)] = True
    return {
        "connected": (arrival <= points[:, :-1]) & (points[:, :-1] < departure),
        "stays": (arrival <= points) & (points <= departure),
        "in_band": in_band,
    }


def _site_numbers(problem: Problem) -> dict[str, Any]:
    base_lower, base_upper = base_load_bounds_kw(problem)
    pv_lower, pv_upper = pv_bounds_kw(problem)
    pv = _array(problem.pv_kw)
    import_room = _array(problem.import_limit_kw) - base_upper + pv_lower
    export_room = _array(problem.export_limit_kw) + base_lower - pv_upper
    return {
        "import_cost_eur_per_kw": problem.step_h * _array(problem.import_price_eur_per_kwh),
        "export_revenue_eur_per_kw": problem.step_h * _array(problem.export_price_eur_per_kwh),
        "net_load_kw": _array(problem.base_load_kw) - pv,
        "curtailable_kw": pv if problem.pv_curtailable else np.zeros_like(pv),
        "import_room_kw": import_room,
        "export_room_kw": export_room,
        "import_excess_most_kw": np.maximum(0.0, -import_room),
        "export_excess_most_kw": np.maximum(0.0, -export_room),
    }


def _group_numbers(problem: Problem) -> dict[str, Any]:
    shape = (len(problem.groups), problem.steps)
    position = {ev.id: index for index, ev in enumerate(problem.evs)}
    limits = {"group_import_kw": np.full(shape, np.inf), "group_export_kw": np.full(shape, np.inf)}
    weight = np.zeros((len(problem.groups), len(problem.evs)))
    for row, group in enumerate(problem.groups):
        for name, limit in (
            ("group_import_kw", group.import_limit_kw),
            ("group_export_kw", group.export_limit_kw),
        ):
            if limit is not None:
                limits[name][row] = limit
        for member in group.members:
            weight[row, position[member]] = group.weights.get(member, 1.0)
    confirmed = np.array([group.netting is Netting.CONFIRMED for group in problem.groups], dtype=np.float64)
    return {**limits, "group_weight": weight, "group_relief": weight * confirmed[:, None]}


def _most_powers(
    problem: Problem, site: dict[str, Floats], groups: dict[str, Floats], connected: Flags
) -> dict[str, Any]:
    """Tighten the largest powers by the limits that each session meets alone."""
    charge = np.where(connected, _per_session(problem, "max_charge_kw")[:, None], 0.0)
    discharge = np.where(connected, _per_session(problem, "max_discharge_kw")[:, None], 0.0)
    if problem.netting is Netting.NONE:
        charge = np.minimum(charge, np.maximum(0.0, site["import_room_kw"])[None, :])
        export_room = site["export_room_kw"] + site["curtailable_kw"]
        discharge = np.minimum(discharge, np.maximum(0.0, export_room)[None, :])
    for row, weights in enumerate(groups["group_weight"]):
        if not groups["group_relief"][row].any():
            # A weight of 0 leaves a session without limit here.
            share = np.divide(1.0, weights, out=np.full_like(weights, np.inf), where=weights > 0.0)[:, None]
            with np.errstate(invalid="ignore"):
                charge = np.fmin(charge, groups["group_import_kw"][row][None, :] * share)
                discharge = np.fmin(discharge, groups["group_export_kw"][row][None, :] * share)
    discharge = _drop_below(discharge, _per_session(problem, "min_discharge_kw"))
    room_kwh = np.where(_one_way(discharge), _free_kwh(problem), np.inf)
    stored = problem.step_h * _per_session(problem, "charge_efficiency")
    room_kwh = room_kwh + problem.step_h * _per_session(problem, "charge_loss_kw")
    charge = _drop_below(
        np.minimum(charge, (room_kwh / stored)[:, None]), _per_session(problem, "min_charge_kw")
    )
    return {
        "charge_most_kw": charge,
        "discharge_most_kw": discharge,
        "charge_share_per_kw": _reciprocal(charge),
        "discharge_share_per_kw": _reciprocal(discharge),
        "charge_least_kw": _per_session(problem, "min_charge_kw"),
        "discharge_least_kw": _per_session(problem, "min_discharge_kw"),
    }


def _one_way(discharge_most_kw: Floats) -> Flags:
    """Say which sessions can only charge."""
    return np.asarray(discharge_most_kw.max(axis=1, initial=0.0) == 0.0)


def _free_kwh(problem: Problem) -> Floats:
    free = _per_session(problem, "capacity_kwh") - _per_session(problem, "initial_energy_kwh")
    return np.maximum(0.0, free)


def _drop_below(most: Floats, least: Floats) -> Floats:
    """Where the most is below the least (by more than rounding) only a pause is possible."""
    usable = most >= np.maximum(least[:, None] - 1e-9, 1e-9)
    return np.where(usable, np.maximum(most, least[:, None]), 0.0)


def _reciprocal(values: Floats) -> Floats:
    return np.divide(1.0, values, out=np.zeros_like(values), where=values > 0.0)


def _flow_numbers(problem: Problem, site: dict[str, Floats], most: dict[str, Floats]) -> dict[str, Any]:
    pays = site["import_cost_eur_per_kw"] < site["export_revenue_eur_per_kw"]
    most_import = site["net_load_kw"] + site["curtailable_kw"] + most["charge_most_kw"].sum(axis=0)
    most_export = most["discharge_most_kw"].sum(axis=0) - site["net_load_kw"]
    most_import, most_export = np.maximum(0.0, most_import), np.maximum(0.0, most_export)
    ratio = np.divide(most_import, most_export, out=np.zeros_like(most_import), where=most_export > 0.0)
    return {
        "most_import_kw": np.where(pays, most_import, np.inf),
        "most_export_kw": np.where(pays, most_export, np.inf),
        "flow_ratio": ratio,
        "relief": float(problem.netting is Netting.CONFIRMED),
        "excess_cost_eur_per_kw": EXCESS_FACTOR * problem.shortfall_eur_per_kwh * problem.step_h,
    }


def _energy_numbers(problem: Problem, windows: dict[str, Flags], most: dict[str, Floats]) -> dict[str, Any]:
    stays = windows["stays"]
    points = np.arange(problem.steps + 1)[None, :]
    arrives = points == _per_session(problem, "arrival_step")[:, None]
    departs = points == _per_session(problem, "departure_step")[:, None]
    capacity, initial = _per_session(problem, "capacity_kwh"), _per_session(problem, "initial_energy_kwh")
    least = _per_session(problem, "min_energy_kwh")
    stored = problem.step_h * _per_session(problem, "charge_efficiency")
    ceiling = np.maximum(capacity, initial)
    standing = problem.step_h * _per_session(problem, "charge_loss_kw")
    lost = standing * np.count_nonzero(most["charge_most_kw"], axis=1)
    reachable = np.minimum(ceiling, initial + stored * most["charge_most_kw"].sum(axis=1) - lost)
    target = _per_session(problem, "departure_energy_kwh")
    below = np.where(stays, np.maximum(0.0, least - initial)[:, None], 0.0)
    out_of_reach = np.maximum(0.0, target - reachable).sum()
    return {
        "stored_kwh_per_kw": stored,
        "drawn_kwh_per_kw": problem.step_h / _per_session(problem, "discharge_efficiency"),
        "standing_charge_kwh": standing,
        "standing_discharge_kwh": problem.step_h * _per_session(problem, "discharge_loss_kw"),
        "energy_lower_kwh": np.where(arrives, initial[:, None], np.minimum(least, initial)[:, None]),
        "energy_upper_kwh": np.where(arrives, initial[:, None], ceiling[:, None]),
        "energy_least_kwh": least,
        "below_most_kwh": below,
        "wanted_kwh": np.where(departs, np.minimum(target, reachable)[:, None], 0.0),
        "degradation_cost_eur_per_kw": problem.step_h * _per_session(problem, "degradation_eur_per_kwh"),
        "energy_value_eur_per_kwh": np.where(
            departs, _per_session(problem, "final_energy_value_eur_per_kwh")[:, None], 0.0
        ),
        "shortfall_cost_eur_per_kwh": problem.shortfall_eur_per_kwh,
        "below_cost_eur_per_kwh": BELOW_LEAST_FACTOR * problem.shortfall_eur_per_kwh,
        "undelivered_cost_eur_per_kwh": UNDELIVERED_FACTOR * problem.shortfall_eur_per_kwh,
        "constant_eur": float(problem.shortfall_eur_per_kwh * out_of_reach),
        **_floor_numbers(problem, stays, most),
    }


def _floor_numbers(problem: Problem, stays: Flags, most: dict[str, Floats]) -> dict[str, Any]:
    """Cut each floor to what its session reaches alone, and lift it to the first charge that is possible."""
    shape = (len(problem.evs), problem.steps + 1)
    floor = np.zeros(shape)
    for row, ev in zip(floor, problem.evs, strict=True):
        if ev.min_delivered_kwh is not None:
            row[:] = ev.min_delivered_kwh
    reach = np.zeros(shape)
    reach[:, 1:] = problem.step_h * np.cumsum(most["charge_most_kw"], axis=1)
    efficiency = _per_session(problem, "charge_efficiency")
    # What is lost makes room for more.
    lost = problem.step_h * _per_session(problem, "charge_loss_kw")[:, None]
    lost_kwh = np.pad(lost * np.cumsum(most["charge_most_kw"] > 0.0, axis=1), ((0, 0), (1, 0)))
    room_kwh = (_free_kwh(problem)[:, None] + lost_kwh) / efficiency[:, None]
    reach = np.where(_one_way(most["discharge_most_kw"])[:, None], np.minimum(reach, room_kwh), reach)
    floor = np.where(stays, np.minimum(floor, reach), 0.0)
    arrival = _per_session(problem, "arrival_step")
    first_kwh = problem.step_h * most["charge_least_kw"][:, None]
    return {
        "delivered_kwh_per_kw": np.full(shape[0], problem.step_h),
        "delivered_upper_kwh": np.where(np.arange(shape[1])[None, :] > arrival[:, None], np.inf, 0.0),
        "delivered_lower_kwh": np.where(floor > 0.0, np.maximum(floor, np.minimum(first_kwh, reach)), 0.0),
        "undelivered_most_kwh": np.where(floor > 0.0, np.inf, 0.0),
    }


def _band_numbers(problem: Problem) -> dict[str, Any]:
    return {
        "peak_price_eur_per_kw": np.array([band.price_eur_per_kw for band in problem.peak_bands]),
        "realised_kw": np.array([band.realised_kw for band in problem.peak_bands]),
    }


def _preference_numbers(problem: Problem, connected: Flags) -> dict[str, Any]:
    arrival, departure = (_per_session(problem, name)[:, None] for name in ("arrival_step", "departure_step"))
    late = (np.arange(problem.steps)[None, :] - arrival) / np.maximum(1.0, departure - arrival)
    return {
        "delay_per_kw": problem.step_h * np.where(connected, late, 0.0),
        "reversal_per_kw": np.full(len(problem.evs), problem.step_h * REVERSAL_PER_KWH),
        "unfairness_per_kwh": UNFAIRNESS_PER_KWH,
        "start_weight": PER_START,
    }
