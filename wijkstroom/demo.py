"""`wijkstroom demo`: one street for a day, planned over real sockets, beside three simpler policies."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rich.console import Console

from optimizer.workers import Executor, ProcessExecutor
from simulator.baselines import Baseline, BaselineTask, run_baseline
from simulator.hindsight import compute_possible
from simulator.result import RunRecord
from wijkstroom.figures import Outcome, build_day, build_document
from wijkstroom.outcome import collect_outcome
from wijkstroom.picture import draw_day
from wijkstroom.progress import compose_line, shown_progress
from wijkstroom.quirky import give_quirks
from wijkstroom.report import Figures, checks_text, table
from wijkstroom.running import Running, RunOptions, http_url, running_scene
from wijkstroom.scene import Scene, build_world, load_scene

STDOUT = Path("-")
# What a street should show, it shows over a day.
WHOLE_DAY_HOURS = 24.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What was asked on the command line.

    Parameters
    ----------
    config
        Street file; None: the default.
    date
        Local day; the run begins at 06:00.
    hours
        Length [h].
    speed
        Simulated seconds per real second, at the most.
    seed
        Of everything random.
    json_path
        Where the figures go as JSON; ``-`` is stdout; None: nowhere.
    picture_path
        Where the day goes as SVG; None: nowhere.
    serve
        Whether street and service stay up afterwards, at speed 1.
    http_port
        Of the live page; 0 picks a free one.
    quirks
        Whether every station has a quirk that the service does not know.
    """

    config: Path | None
    date: date
    hours: float
    speed: float
    seed: int
    json_path: Path | None
    picture_path: Path | None
    serve: bool
    http_port: int
    quirks: bool = False


def run_demo(options: DemoOptions) -> None:
    """Run the demo and print what it was worth.

    Raises
    ------
    DocumentError
        When the street file is refused.
    """
    began = time.monotonic()
    scene = load_scene(options.config, options.date, options.hours, options.seed)
    if options.quirks:
        scene = give_quirks(scene)
    console = Console(stderr=options.json_path == STDOUT)
    logging.basicConfig(level=logging.ERROR)  # a refused order is planned again: no news for an onlooker
    try:
        asyncio.run(_run(scene, options, console, began))
    except KeyboardInterrupt:
        console.print("stopped")


async def _run(scene: Scene, options: DemoOptions, console: Console, began: float) -> None:
    with comparing(scene) as comparison:
        async with running_scene(scene, RunOptions(options.speed, options.http_port)) as running:
            console.print(f"live page: {http_url(running.central)}/", highlight=False)
            record = await _watch(running, console)
            outcome = await collect_outcome(running, record)
            baselines, possible_kwh = await comparison.results()
            document = build_document(scene, outcome, baselines, possible_kwh, time.monotonic() - began)
            _show(document, options, console)
            _write(document, scene, outcome, baselines, options)
            if options.serve:
                await _keep_serving(running, console)


async def _watch(running: Running, console: Console) -> RunRecord:
    scene, service = running.scene, running.central.service
    street = scene.street

    def line() -> str:
        return compose_line(running.clock.now(), service.state, street.grid, street.service.meters)

    async with shown_progress(console, scene.start, scene.end, running.clock.now, line):
        return await running.simulated.run_to_end()


async def _keep_serving(running: Running, console: Console) -> None:
    running.clock.speed = 1.0
    console.print(
        f"street and service stay connected at speed 1: {http_url(running.central)}/  (Ctrl-C ends)",
        highlight=False,
    )
    await asyncio.Event().wait()


def _show(document: Figures, options: DemoOptions, console: Console) -> None:
    console.print(table(document))
    if document["hours"] >= WHOLE_DAY_HOURS:
        console.print(checks_text(document))
    if options.json_path == STDOUT:
        sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")


def _write(
    document: Figures,
    scene: Scene,
    outcome: Outcome,
    baselines: Mapping[Baseline, RunRecord],
    options: DemoOptions,
) -> None:
    if options.json_path not in {None, STDOUT}:
        assert options.json_path is not None, "just asked"
        options.json_path.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    if options.picture_path is not None:
        day = build_day(scene, outcome.metered, baselines[Baseline.UNCONTROLLED])
        options.picture_path.write_text(draw_day(day), encoding="utf-8")


class Comparison:
    """The same sessions under simple policies, and what was possible: on their way in a worker process."""

    def __init__(self, executor: Executor, scene: Scene) -> None:
        self._baselines = {
            baseline: executor.submit(
                run_baseline,
                BaselineTask(
                    baseline,
                    scene.street.grid,
                    scene.setups,
                    scene.fleet,
                    scene.simulation.noise,
                    scene.seconds,
                    scene.seed,
                ),
            )
            for baseline in Baseline
        }
        self._possible = executor.submit(compute_possible, build_world(scene))

    async def results(self) -> tuple[dict[Baseline, RunRecord], dict[str, float]]:
        """Wait for all of it."""
        records = {name: await asyncio.wrap_future(future) for name, future in self._baselines.items()}
        return records, await asyncio.wrap_future(self._possible)


@contextmanager
def comparing(scene: Scene) -> Iterator[Comparison]:
    """Let a worker process replay a scene for the block."""
    executor = ProcessExecutor()
    try:
        yield Comparison(executor, scene)
    finally:
        executor.close()
