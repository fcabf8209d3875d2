"""The demo's document: the planned run and its baselines in the published names, counted by the same code."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from csms.control.shortfall import derive_shortfall_eur_per_kwh
from grid.capacity.envelope import compute_envelope
from grid.clock import ClockReport
from grid.timegrid import QUARTER, QUARTER_HOURS, TimeGrid
from grid.topology import LimitKind
from simulator.baselines import Baseline
from simulator.result import RunRecord, compute_figures
from wijkstroom.accounts import Costs, Metered, Terms, compute_costs
from wijkstroom.bench.frame import versions
from wijkstroom.picture import Day
from wijkstroom.report import Figures
from wijkstroom.resources import FOLDER
from wijkstroom.scene import Scene

DECIMALS = 6
KWH_PER_MWH = 1000.0


@dataclass(frozen=True, eq=False)
class Outcome:
    """A run over sockets that has ended.

    Parameters
    ----------
    record
        Sessions with what the database says of their meters, and limits by the truth.
    metered
        The meters in the database.
    plan_seconds
        Of every plan [s].
    ocpp_messages, ocpp_errors
        Frames both ways; CALLERRORs either way, schema failures and timeouts, by the gateway's count.
    ocpp_faults
        What the errors were, for people.
    clock
        How fast it ran.
    """

    record: RunRecord
    metered: Metered
    plan_seconds: tuple[float, ...]
    ocpp_messages: int
    ocpp_errors: int
    ocpp_faults: tuple[str, ...]
    clock: ClockReport


def build_document(
    scene: Scene,
    outcome: Outcome,
    baselines: Mapping[Baseline, RunRecord],
    possible_kwh: Mapping[str, float],
    wall_seconds: float,
) -> Figures:
    """Return the document of a demo.

    Parameters
    ----------
    scene
        What was run.
    outcome
        How the planned run went.
    baselines
        How the same sessions went under simple policies.
    possible_kwh
        What each session could have got, by its id [kWh].
    wall_seconds
        Real time of everything [s].
    """
    planned = count_run(scene, outcome.record, outcome.metered, possible_kwh)
    document: Figures = {
        "config": _config_name(scene),
        "date": f"{scene.start.astimezone(scene.street.grid.tz):%Y-%m-%d}",
        "hours": scene.hours,
        "seed": scene.seed,
        "stations": len(scene.setups),
        **planned,
        "plans": len(outcome.plan_seconds),
        "plan_seconds_p50": percentile(outcome.plan_seconds, 50.0),
        "plan_seconds_p95": percentile(outcome.plan_seconds, 95.0),
        "ocpp_messages": outcome.ocpp_messages,
        "ocpp_errors": outcome.ocpp_errors,
        "achieved_speed": outcome.clock.achieved_speed,
        "clock_stalls": outcome.clock.stalls,
        "clock_stalled_seconds": outcome.clock.stalled_s,
        "wall_seconds": wall_seconds,
        "baselines": {
            baseline.value: count_run(scene, record, read_record(record), possible_kwh)
            for baseline, record in baselines.items()
        },
        "versions": versions(),
    }
    rounded: Figures = _rounded(document)
    return rounded


def count_run(
    scene: Scene, record: RunRecord, metered: Metered, possible_kwh: Mapping[str, float]
) -> Figures:
    """Return the figures that a planned run and a baseline share; parameters as in `build_document`."""
    figures = compute_figures(scene.fleet, record, possible_kwh)
    costs = compute_run_costs(scene, record, metered, figures.energy_shortfall_kwh)
    return {
        **asdict(figures),
        "signal_exceeded_kwh": _above_signals_kwh(record),
        "energy_discharged_kwh": metered.discharged_kwh,
        "import_kwh": float(metered.import_kwh.sum()),
        "export_kwh": float(metered.export_kwh.sum()),
        "pv_generated_kwh": float(metered.pv_kwh.sum()),
        "pv_self_consumed_fraction": metered.pv_self_consumed_fraction,
        "peak_import_kw": metered.peak_import_kw,
        "stored_kwh": record.stored_kwh,
        "cost_eur": costs.shared_eur,
        "cost_alone_eur": costs.alone_eur,
    }


def _above_signals_kwh(record: RunRecord) -> float:
    own = [one for one in record.limits.excesses if one.limit.kind is LimitKind.SIGNAL]
    return sum((one.exceeded_kwh for one in own), 0.0)


def compute_run_costs(scene: Scene, record: RunRecord, metered: Metered, shortfall_kwh: float) -> Costs:
    """Return what a run cost, in both columns."""
    terms = Terms(
        scene.street.service.degradation_eur_per_kwh,
        shortfall_price_eur_per_kwh(scene),
        shortfall_kwh,
        record.stored_kwh,
    )
    return compute_costs(metered, terms, scene.street.grid)


def shortfall_price_eur_per_kwh(scene: Scene) -> float:
    """Return what a missing kWh costs, as the service derives it from the prices of the run [EUR/kWh]."""
    grid = scene.street.grid
    starts = TimeGrid(scene.start, QUARTER, math.ceil(timedelta(hours=scene.hours) / QUARTER)).starts
    return derive_shortfall_eur_per_kwh(
        grid.prices.import_price_eur_per_kwh(starts),
        grid.prices.export_price_eur_per_kwh(starts),
        max((band.peak_eur_per_kw_month for band in grid.tariff.bands), default=0.0),
        QUARTER_HOURS,
    )


def read_record(record: RunRecord) -> Metered:
    """Return a baseline's meters in the form of those in the database."""
    meters = record.meters
    return Metered(
        meters.starts,
        meters.import_kwh,
        meters.export_kwh,
        meters.pv_kwh,
        meters.connection_import_kwh,
        meters.connection_export_kwh,
    )


def build_day(scene: Scene, metered: Metered, uncontrolled: RunRecord) -> Day:
    """Return what the picture of a run shows."""
    grid = scene.street.grid
    root = grid.topology.root.id
    imported = sum(metered.connection_import_kwh.values(), np.zeros(len(metered.starts)))
    exported = sum(metered.connection_export_kwh.values(), np.zeros(len(metered.starts)))
    without_plan = sum(uncontrolled.meters.connection_import_kwh.values(), np.zeros(len(metered.starts)))
    local = scene.start.astimezone(grid.tz)
    return Day(
        title=f"{grid.name}, {local:%d %B %Y}, {len(scene.setups)} stations over OCPP, seed {scene.seed}",
        starts=metered.starts,
        tz=grid.tz,
        base_kw=metered.base_load_kwh() / QUARTER_HOURS,
        pv_kw=metered.pv_kwh / QUARTER_HOURS,
        charged_kw=imported / QUARTER_HOURS,
        discharged_kw=exported / QUARTER_HOURS,
        uncontrolled_kw=without_plan / QUARTER_HOURS,
        limit_kw=compute_envelope(grid.topology, root, metered.starts, grid.tz).import_limit_kw,
        price_eur_per_mwh=grid.prices.day_ahead_eur_per_kwh(metered.starts) * KWH_PER_MWH,
    )


def percentile(values: Sequence[float], per_cent: float) -> float:
    """Return a percentile, 0 of nothing."""
    return float(np.percentile(values, per_cent)) if len(values) else 0.0


def _config_name(scene: Scene) -> str:
    """Return the street file's name without what is particular to this machine."""
    path = scene.street.path
    return f"{FOLDER}/{path.name}" if path.parent.name == FOLDER else path.name


def _rounded(value: Any) -> Any:
    """Return a document with its numbers cut to what is meant; infinities and the like become null."""
    match value:
        case dict():
            return {key: _rounded(each) for key, each in value.items()}
        case float():
            return round(value, DECIMALS) if math.isfinite(value) else None
        case _:
            return value
