"""The report: one file, everything in it, nothing fetched."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from grid.errors import DocumentError
from simulator.rollout import results, validation
from simulator.rollout.charts import draw
from simulator.rollout.compare import compare_studies, load_study
from simulator.rollout.executors import Inline
from simulator.rollout.node import Node
from simulator.rollout.report import shown
from simulator.rollout.scenario import Control, Grid
from simulator.rollout.study import Study, load_tables
from tests.simulator.rollout.conftest import DATA, area, scenario

pytest.importorskip("plotly")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    patch = pytest.MonkeyPatch()
    patch.setattr(validation, "DAYS", 7)
    out = tmp_path_factory.mktemp("report")
    world = scenario(
        area(latitude=52.09, longitude=5.1, nodes=(Node(transformer=1, connectable_from=2030.0),)),
        area(id="<B>", latitude=52.08, longitude=5.12, lot="two"),
        study={"name": "A street & more", "assumptions": ("Nobody sleeps.",)},
        grid=Grid(flow_feeders=1),
        control=Control(exact_days=3),
    )
    world, flow = results.prepare(world, DATA, Path(), out)
    study = Study(world, DATA, out)
    results.write_results(study, study.run(Inline()), flow)
    patch.undo()
    return out


def test_nothing_is_fetched(finished: Path) -> None:
    html = (finished / "report.html").read_text(encoding="utf-8")
    tags = re.findall(
        r"<(?:script|link|img|iframe)\b[^>]*>", html[: html.index("<body>")] + html[html.index("<body>") :]
    )
    assert not [tag for tag in tags if re.search(r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//", tag)]
    assert "A street &amp; more" in html
    assert "&lt;B&gt;" in html


@pytest.mark.parametrize(
    "text",
    [
        "free socket within reach in every sub-neighbourhood",
        "Occupancy by hour",
        "P(no free socket)",
        "Guaranteed free places",
        "Which transformer fails first",
        "Poles and the waiting list",
        "Queues in A",
        "None of these held a pole back",
        "Power flow of the fullest feeders",
        "Nobody sleeps.",
        "Queueing theory",
        "Fast policy against exact plans",
        "hours plugged after full, per session",
        "avoided reinforcement",
        "tariff rewards",
        "CO2",
        "harm: sessions short beyond uncontrolled",
    ],
)
def test_the_report_has_what_was_asked(finished: Path, text: str) -> None:
    assert text in (finished / "report.html").read_text(encoding="utf-8")


def test_the_map_is_drawn_where_coordinates_are_given(finished: Path) -> None:
    summary, tables = json.loads((finished / "summary.json").read_text()), load_tables(finished)
    world = load_study(finished)
    with_map = [chart.title for chart in draw(world, summary, tables)]
    nowhere = [area.model_copy(update={"latitude": None, "longitude": None}) for area in world.neighbourhoods]
    without = world.model_copy(update={"neighbourhoods": tuple(nowhere)})
    assert "Neighbourhoods" in with_map
    assert "Neighbourhoods" not in [chart.title for chart in draw(without, summary, tables)]


def test_the_margin_is_raised_by_what_the_power_flow_shows(finished: Path) -> None:
    flow = json.loads((finished / "summary.json").read_text())["powerflow"]
    worst = max(row["tree_too_kind_fraction"] for row in flow["feeders"])
    assert flow["raised_margin_fraction"] == max(flow["margin_fraction"], worst)
    assert load_study(finished).grid.margin_fraction == flow["raised_margin_fraction"]


def test_a_study_differs_from_itself_by_nothing(finished: Path) -> None:
    document = compare_studies(finished, finished)
    assert document["paired"]
    for policies in document["figures"].values():
        for figures in policies.values():
            assert all(each["difference"]["mean"] == 0 for each in figures.values())


def test_a_folder_without_study_cannot_be_compared(tmp_path: Path, finished: Path) -> None:
    with pytest.raises(DocumentError, match=r"study\.json"):
        compare_studies(finished, tmp_path)


def test_shares_are_shown_in_per_cent() -> None:
    assert shown({"mean": 0.1234, "low": 0.1, "high": 0.15}, "x_fraction") == "12.3 % (10 to 15)"
    assert shown({"mean": 12345.6, "low": None, "high": None}, "x_kwh") == "12,346"
    assert shown(None) == "-"
