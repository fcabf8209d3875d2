"""What a study says: figures with 95 % intervals, neighbourhoods, transformers, placement, headline."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from simulator.rollout.concession import track_lots
from simulator.rollout.connectable import MONTHS
from simulator.rollout.figures import MEANINGS, replicate_figures, transformer_years
from simulator.rollout.intervals import CONFIDENCE, interval, rounded, within
from simulator.rollout.node_queues import node_queues
from simulator.rollout.scenario import Scenario
from simulator.rollout.year import Tables

Json = dict[str, Any]
FIRST_TO_FAIL = 10


def summarise(scenario: Scenario, tables: Tables) -> Json:
    """Return the document that is kept as ``summary.json``; the same bytes for the same study.

    Parameters
    ----------
    scenario
        What was computed.
    tables
        What came out.
    """
    figures = replicate_figures(scenario, tables)
    study = scenario.study
    return {
        "name": study.name,
        "years": list(study.years),
        "policies": [policy.value for policy in study.policies],
        "replicates": study.replicates,
        "seed": study.seed,
        "confidence": CONFIDENCE,
        "headline": _headline(scenario, figures),
        "figures": _intervals(figures),
        "neighbourhoods": _neighbourhoods(scenario, tables),
        "concession": track_lots(scenario, tables["areas"]),
        "transformers_first": _first_to_fail(scenario, tables["transformers"]),
        "placement": _placement(scenario, tables),
    }


def _bounded(name: str, values: Json) -> Json:
    """Cut the interval of what cannot be negative at zero, and of a share at one."""
    if MEANINGS[name].paired or name.endswith("_eur"):
        return values
    return within(values, 0.0, 1.0 if name.endswith("_fraction") else math.inf)


def _intervals(figures: pd.DataFrame) -> Json:
    document: Json = {}
    for (year, policy), rows in figures.groupby(level=["year", "policy"]):
        document.setdefault(str(year), {})[policy] = {
            name: _bounded(name, interval(rows[name].to_numpy())) for name in MEANINGS if name in rows
        }
    return document


def _headline(scenario: Scenario, figures: pd.DataFrame) -> Json:
    """Answer whether every sub-neighbourhood has a free socket in the busiest hour of the week."""
    promised = scenario.placement.guaranteed_free_fraction
    first = scenario.study.policies[0].value
    years: Json = {}
    for year in scenario.study.years:
        rows = figures.xs((year, first), level=("year", "policy"))
        free = interval(rows["free_everywhere_fraction"].to_numpy())
        years[str(year)] = {"free_fraction": free, "met": free["mean"] >= promised}
    return {
        "question": "a free socket within reach in every sub-neighbourhood in the busiest hour of the week",
        "promised_fraction": promised,
        "years": years,
    }


def _neighbourhoods(scenario: Scenario, tables: Tables) -> Json:
    first = scenario.study.policies[0].value
    areas = tables["areas"][tables["areas"]["policy"] == first]
    hours = tables["hours"][tables["hours"]["policy"] == first]
    return {
        area.id: {
            "lot": area.lot,
            "latitude": area.latitude,
            "longitude": area.longitude,
            "next_pole": _next_pole(areas[areas["area"] == index]),
            "years": _area_years(areas[areas["area"] == index], hours[hours["area"] == index]),
        }
        for index, area in enumerate(scenario.neighbourhoods)
    }


def _next_pole(areas: pd.DataFrame) -> Json:
    """Say from when on a further pole is wanted: trigger or guarantee passed, over replicates."""
    replicates = areas["replicate"].nunique()
    wanting = areas[areas["wants_pole"]]
    first = (wanting["year"] + wanting["month"] / MONTHS).groupby(wanting["replicate"]).min()
    return {
        "wanted_fraction": rounded(len(first) / max(replicates, 1)),
        "from_year": rounded(float(first.median())) if len(first) else None,
        "earliest": rounded(float(first.min())) if len(first) else None,
        "latest": rounded(float(first.max())) if len(first) else None,
    }


def _area_years(areas: pd.DataFrame, hours: pd.DataFrame) -> Json:
    document: Json = {}
    for year, rows in areas.groupby("year"):
        by = rows.groupby("replicate")
        these = hours[hours["year"] == year]
        occupancy = these["occupied"] / these["sockets"].clip(lower=1e-9)
        busiest = these.loc[occupancy.groupby(these["replicate"]).idxmax()]
        shares = {
            "occupancy_busiest_fraction": occupancy.groupby(these["replicate"]).max(),
            "free_busiest_fraction": busiest["cells_free"] / busiest["cells"],
            "blocked_fraction": by["blocked"].sum() / by["arrivals"].sum().clip(lower=1),
        }
        document[str(year)] = {
            "poles": interval(by["poles"].last().to_numpy()),
            "wanting_months": within(interval(by["wants_pole"].sum().to_numpy()), 0.0, MONTHS),
            "charged_kwh": interval(by["metered_kwh"].sum().to_numpy()),
            **{name: within(interval(share.to_numpy()), 0.0, 1.0) for name, share in shares.items()},
        }
    return document


def _first_to_fail(scenario: Scenario, transformers: pd.DataFrame) -> Json:
    """Return per policy the transformers that overload first: by year, share of replicates, loading."""
    usable = 1 - scenario.grid.margin_fraction
    years = transformer_years(transformers).reset_index()
    document: Json = {}
    for policy in scenario.study.policies:
        mine = years[years["policy"] == policy.value]
        by = mine.assign(over=mine["peak_loading"] > usable).groupby(["area", "transformer", "year"])
        shares = pd.DataFrame({"over": by["over"].mean(), "loading": by["peak_loading"].mean()}).reset_index()
        failing = shares[shares["over"] > 0].sort_values(
            ["year", "over", "loading"], ascending=[True, False, False]
        )
        firsts = failing.drop_duplicates(["area", "transformer"]).head(FIRST_TO_FAIL)
        document[policy.value] = [
            {
                "neighbourhood": scenario.neighbourhoods[int(row["area"])].id,
                "transformer": int(row["transformer"]),
                "year": int(row["year"]),
                "overloaded_fraction": rounded(row["over"]),
                "peak_loading": rounded(row["loading"]),
            }
            for row in firsts.to_dict("records")
        ]
    return document


def _placement(scenario: Scenario, tables: Tables) -> Json:
    """Return orders by neighbourhood: asked, connected, still waiting, delayed, and what held them back."""
    first = scenario.study.policies[0].value
    orders = tables["poles"][tables["poles"]["policy"] == first]
    done = orders[orders["connected"] >= 0]
    last = orders[(orders["connected"] < 0) & (orders["year"] == max(scenario.study.years))]
    replicates = scenario.study.replicates
    areas: Json = {}
    for index, area in enumerate(scenario.neighbourhoods):
        mine, waiting = done[done["area"] == index], last[last["area"] == index]
        delayed = mine[mine["delay_months"] > 0]
        areas[area.id] = {
            "connected": rounded(len(mine) / replicates),
            "waiting": rounded(float((waiting["cell"] >= 0).sum()) / replicates),
            "no_room": rounded(float((waiting["cell"] < 0).sum()) / replicates),
            "delayed_by_connections": rounded(len(delayed) / replicates),
            "mean_delay_months": rounded(float(delayed["delay_months"].mean())) if len(delayed) else 0.0,
            "binding": _counts(mine, replicates),
            "waiting_for": _counts(waiting, replicates),
            **node_queues(scenario, index, mine, waiting),
        }
    return {"rule": scenario.placement.rule.value, "neighbourhoods": areas}


def _counts(orders: pd.DataFrame, replicates: int) -> Json:
    """Count orders by what binds them, mean over replicates."""
    counts = orders["binding"].value_counts()
    return {str(name): rounded(count / replicates) for name, count in sorted(counts.items())}
