"""The whole loop as fast as it goes: the default street for a day, stations and service on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date

from rich.console import Console

from wijkstroom.bench.frame import Figure, at_least, at_most
from wijkstroom.figures import Outcome, percentile
from wijkstroom.outcome import collect_outcome
from wijkstroom.progress import compose_line, shown_progress
from wijkstroom.running import RunOptions, running_scene
from wijkstroom.scene import Scene, load_scene

DAY, HOURS, SEED = date(2024, 6, 11), 24.0, 1
# Far more than any machine reaches: time waits for the work, never the other way round.
FASTEST = 1e6
# A day in four minutes, baselines included, needs a little more than six.
HOURS_PER_MINUTE = 8.0
PLAN_SECONDS = 1.0


def measure() -> Sequence[Figure]:
    """Run the default day without baselines and return how fast and how well it went."""
    scene = load_scene(None, DAY, HOURS, SEED)
    outcome = asyncio.run(_run(scene))
    real_s = outcome.clock.real_s
    said = (
        f"{HOURS:g} simulated hours of {scene.street.path.name}, seed {SEED}, in {real_s:.0f} s on the wall"
    )
    plans = f"{len(outcome.plan_seconds)} plans of this run, from the problem to the checked plan"
    truth = "one-second truth of this run, all nodes and connections"
    return [
        at_least("loop_hours_per_minute", HOURS * 60.0 / real_s, "h/min", HOURS_PER_MINUTE, said),
        at_most("plan_seconds_p95", percentile(outcome.plan_seconds, 95.0), "s", PLAN_SECONDS, plans),
        at_most("limit_exceeded_kwh", outcome.record.limits.limit_exceeded_kwh, "kWh", 0.0, truth),
    ]


async def _run(scene: Scene) -> Outcome:
    grid, meters = scene.street.grid, scene.street.service.meters
    async with running_scene(scene, RunOptions(FASTEST)) as running:
        service, clock = running.central.service, running.clock

        def line() -> str:
            return compose_line(clock.now(), service.state, grid, meters)

        async with shown_progress(Console(stderr=True), scene.start, scene.end, clock.now, line):
            record = await running.simulated.run_to_end()
        return await collect_outcome(running, record)
