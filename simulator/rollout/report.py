"""The report: one HTML file that carries everything it needs."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from simulator.rollout.assumptions import assumptions
from simulator.rollout.charts import draw, plotly
from simulator.rollout.figures import MEANINGS
from simulator.rollout.scenario import Scenario
from simulator.rollout.year import Tables

Json = dict[str, Any]


def write_report(path: Path, scenario: Scenario, summary: Json, tables: Tables) -> None:
    """Write the report.

    Parameters
    ----------
    path
        Of the HTML file.
    scenario, summary, tables
        What was computed, what it says, and the numbers behind.

    Raises
    ------
    DocumentError
        When the package for plots is missing.
    """
    plotly()
    library: Any = importlib.import_module("plotly.offline")
    environment = Environment(
        loader=PackageLoader("simulator.rollout"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["figure"] = shown
    charts = [
        {
            "title": chart.title,
            "caption": chart.caption,
            "html": Markup(_html(chart.figure, f"chart{number}")),  # noqa: S704 - plotly's own
        }
        for number, chart in enumerate(draw(scenario, summary, tables))
    ]
    text = environment.get_template("report.html").render(
        summary=summary,
        charts=charts,
        assumptions=assumptions(scenario),
        meanings=MEANINGS,
        poles=_orders(scenario, tables),
        plotly=Markup(library.get_plotlyjs()),  # noqa: S704 - the library itself
    )
    path.write_text(text, encoding="utf-8")


def _html(figure: Any, name: str) -> str:
    return str(figure.to_html(full_html=False, include_plotlyjs=False, div_id=name))


def shown(value: Json | None, name: str = "") -> str:
    """Return mean and interval as text; shares in per cent."""
    if value is None:
        return "-"
    scale = 100.0 if name.endswith("_fraction") else 1.0
    sign = " %" if name.endswith("_fraction") else ""
    mean = _number(value["mean"] * scale) + sign
    if value["low"] is None:
        return mean
    return f"{mean} ({_number(value['low'] * scale)} to {_number(value['high'] * scale)})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"  # noqa: PLR2004 - thousands have no decimals


def _orders(scenario: Scenario, tables: Tables) -> list[Json]:
    """Return the first replicate's orders, the first of each neighbourhood and reason, as examples."""
    orders = tables["poles"]
    mine = orders[(orders["policy"] == scenario.study.policies[0].value) & (orders["replicate"] == 0)]
    mine = mine.sort_values(["asked", "area"]).drop_duplicates(["area", "asked"]).head(40)
    return [
        {
            "neighbourhood": scenario.neighbourhoods[int(row["area"])].id,
            "asked": _month(row["asked"]),
            "connected": _month(row["connected"]) if row["connected"] >= 0 else "waiting",
            "delay": row["delay_months"],
            "binding": row["binding"],
            "reason": row["reason"],
        }
        for row in mine.to_dict("records")
    ]


def _month(number: int) -> str:
    return f"{number // 12}-{number % 12 + 1:02d}"
