"""Plots of the report; every one can be hovered, none needs the network."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from grid.errors import DocumentError, Problem
from simulator.rollout.connectable import MONTHS
from simulator.rollout.figures import transformer_years
from simulator.rollout.scenario import Scenario
from simulator.rollout.year import Tables

Json = dict[str, Any]
COLOURS = {"uncontrolled": "#c0392b", "static_limit": "#e08e0b", "smart": "#1f77b4", "v2g": "#2e8b57"}
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HEIGHT_PX = 420


@dataclass(frozen=True)
class Chart:
    """A plot with what it shows.

    Parameters
    ----------
    title, caption
        For people.
    figure
        Of plotly.
    """

    title: str
    caption: str
    figure: Any


def plotly() -> Any:
    """Return plotly's graph objects.

    Raises
    ------
    DocumentError
        When the extra is not installed.
    """
    try:
        return importlib.import_module("plotly.graph_objects")
    except ImportError as error:
        problem = Problem("plotly", "is not installed: pip install 'wijkstroom[rollout]'")
        raise DocumentError("rollout", [problem]) from error


def draw(scenario: Scenario, summary: Json, tables: Tables) -> Iterator[Chart]:
    """Yield the plots of a study; years are the last one unless the plot is over time."""
    year = max(scenario.study.years)
    first = scenario.study.policies[0].value
    hours = tables["hours"]
    hours = hours[(hours["year"] == year) & (hours["policy"] == first)]
    yield _occupancy(scenario, hours, year)
    yield _no_free_socket(scenario, hours, year)
    located = _map(scenario, summary, year)
    if located is not None:
        yield located
    yield _day(tables["profiles"], year)
    yield _loading(scenario, tables["transformers"], year)
    yield _by_policy(summary, "transformer_peak_kw", "Peak of a transformer", "kW, mean over transformers")
    yield _by_policy(summary, "overloaded_transformers", "Transformers above their rating", "count")
    yield _poles(scenario, tables["areas"], first)
    yield _lots(summary["concession"])


def _figure(**layout: Any) -> Any:
    go = plotly()
    figure = go.Figure()
    figure.update_layout(
        height=HEIGHT_PX, margin={"l": 60, "r": 20, "t": 20, "b": 50}, template="plotly_white", **layout
    )
    return figure


def _occupancy(scenario: Scenario, hours: pd.DataFrame, year: int) -> Chart:
    by = hours.groupby(["area", "hour"])[["occupied", "sockets"]].sum()
    share = _by_area(scenario, by["occupied"] / by["sockets"].clip(lower=1e-9))
    names = [area.id for area in scenario.neighbourhoods]
    labels = [f"{DAYS[hour // 24]} {hour % 24:02d}:00" for hour in range(share.shape[1])]
    figure = _figure()
    figure.add_trace(
        plotly().Heatmap(z=np.round(share, 3), x=labels, y=names, colorscale="YlOrRd", zmin=0.0, zmax=1.0)
    )
    caption = f"Share of the sockets in use by hour of the week, {year}."
    return Chart("Occupancy by hour", caption, figure)


def _by_area(scenario: Scenario, values: pd.Series) -> Any:
    """Return one row per neighbourhood."""
    return values.to_numpy(dtype=float).reshape(len(scenario.neighbourhoods), -1).round(4)


def _no_free_socket(scenario: Scenario, hours: pd.DataFrame, year: int) -> Chart:
    by = (
        hours.assign(day_hour=hours["hour"] % 24).groupby(["area", "day_hour"])[["cells_free", "cells"]].sum()
    )
    share = _by_area(scenario, 1 - by["cells_free"] / by["cells"].clip(lower=1e-9))
    figure = _figure(xaxis_title="hour of the day", yaxis_title="P(no free socket within reach)")
    for index, area in enumerate(scenario.neighbourhoods):
        figure.add_trace(plotly().Scatter(x=list(range(24)), y=share[index].tolist(), name=area.id))
    caption = f"Probability that no socket within reach is free, mean over places and days, {year}."
    return Chart("P(no free socket)", caption, figure)


def _map(scenario: Scenario, summary: Json, year: int) -> Chart | None:
    areas = [area for area in scenario.neighbourhoods if area.latitude is not None]
    if not areas:
        return None
    rows = [summary["neighbourhoods"][area.id]["years"][str(year)] for area in areas]
    free = [row["free_busiest_fraction"]["mean"] for row in rows]
    poles = np.array([row["poles"]["mean"] for row in rows])
    text = [
        f"{area.id}<br>{count:.0f} poles<br>{share:.1%} free in the busiest hour"
        f"<br>{row['blocked_fraction']['mean']:.2%} of the drivers find nothing"
        for area, row, share, count in zip(areas, rows, free, poles, strict=True)
    ]
    marker = {
        "size": 16 + 34 * np.sqrt(poles / poles.max()),
        "color": free,
        "colorscale": "RdYlGn",
        "cmin": 0.5,
        "cmax": 1.0,
        "colorbar": {"title": "free"},
        "line": {"width": 1, "color": "#444"},
    }
    figure = _figure(xaxis_title="longitude", yaxis_title="latitude")
    figure.add_trace(
        plotly().Scatter(
            x=[area.longitude for area in areas],
            y=[area.latitude for area in areas],
            mode="markers+text",
            text=[area.id for area in areas],
            hovertext=text,
            hoverinfo="text",
            textposition="bottom center",
            marker=marker,
        )
    )
    # One degree of latitude is longer than one of longitude.
    scale = 1 / float(
        np.cos(np.radians(np.mean([area.latitude for area in areas if area.latitude is not None])))
    )
    figure.update_yaxes(scaleanchor="x", scaleratio=scale)
    caption = (
        f"Size: poles; colour: sub-neighbourhoods with a free socket in the busiest hour of the week, {year}."
    )
    return Chart("Neighbourhoods", caption, figure)


def _day(profiles: pd.DataFrame, year: int) -> Chart:
    january = profiles[(profiles["year"] == year) & (profiles["month"] == 0)]
    replicates = max(1, january["replicate"].nunique())
    by = january.groupby(["policy", "quarter"])["cars_kw"].sum() / replicates
    figure = _figure(xaxis_title="local time [h]", yaxis_title="all cars [kW]")
    for policy in by.index.get_level_values("policy").unique():
        load = by.loc[policy]
        figure.add_trace(
            plotly().Scatter(
                x=(load.index / 4).tolist(),
                y=load.round(1).tolist(),
                name=policy,
                line={"color": COLOURS[policy]},
            )
        )
    return Chart("A mean day in January", f"Charging less discharging of all cars, {year}.", figure)


def _loading(scenario: Scenario, transformers: pd.DataFrame, year: int) -> Chart:
    years = transformer_years(transformers[transformers["year"] == year])
    mean = years.groupby(["policy", "area", "transformer"])["peak_loading"].mean()
    figure = _figure(xaxis_title="transformers, fullest first", yaxis_title="highest loading of the year")
    for policy in mean.index.get_level_values("policy").unique():
        mine = mean.loc[policy].sort_values(ascending=False)
        names = [f"{scenario.neighbourhoods[int(area)].id} {int(number)}" for area, number in mine.index]
        figure.add_trace(
            plotly().Scatter(
                x=list(range(1, len(mine) + 1)),
                y=mine.round(3).tolist(),
                hovertext=names,
                name=policy,
                line={"color": COLOURS[policy]},
            )
        )
    figure.add_hline(y=1 - scenario.grid.margin_fraction, line_dash="dot")
    return Chart("Loading of transformers", f"Dotted: rating less margin, {year}.", figure)


def _by_policy(summary: Json, name: str, title: str, unit: str) -> Chart:
    figure = _figure(yaxis_title=unit, barmode="group", xaxis={"type": "category"})
    for policy in summary["policies"]:
        values = [summary["figures"][str(year)][policy][name] for year in summary["years"]]
        up = [(each["high"] - each["mean"]) if each["high"] is not None else 0.0 for each in values]
        figure.add_trace(
            plotly().Bar(
                x=[str(year) for year in summary["years"]],
                y=[each["mean"] for each in values],
                error_y={"type": "data", "array": up},
                name=policy,
                marker_color=COLOURS[policy],
            )
        )
    return Chart(title, "Mean over replicates; bars are 95 % intervals.", figure)


def _poles(scenario: Scenario, areas: pd.DataFrame, policy: str) -> Chart:
    mine = areas[areas["policy"] == policy]
    mean = mine.groupby(["area", "year", "month"])["poles"].mean().reset_index()
    figure = _figure(xaxis_title="year", yaxis_title="poles")
    for index, area in enumerate(scenario.neighbourhoods):
        rows = mean[mean["area"] == index]
        when = (rows["year"] + rows["month"] / MONTHS).round(3)
        figure.add_trace(plotly().Scatter(x=when.tolist(), y=rows["poles"].round(2).tolist(), name=area.id))
    return Chart("Poles", "Standing poles, month by month, mean over replicates.", figure)


def _lots(concession: Json) -> Chart:
    figure = _figure(xaxis_title="month", yaxis_title="free in the busiest hour")
    for lot, rows in concession["lots"].items():
        shares = [row["free_busiest_fraction"]["mean"] for row in rows]
        figure.add_trace(plotly().Scatter(x=[row["month"] for row in rows], y=shares, name=lot))
    figure.add_hline(y=concession["promised_fraction"], line_dash="dot")
    caption = "Sub-neighbourhoods with a free socket in the busiest hour, by lot; dotted: the promise."
    return Chart("Guaranteed free places", caption, figure)
