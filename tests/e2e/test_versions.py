"""Six hours of a street over sockets, for each version of OCPP: what the meters say is what happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from csms.state.queries import list_sessions
from simulator.result import SessionOutcome
from tests.e2e.conftest import FASTEST
from wijkstroom.figures import Outcome, read_record
from wijkstroom.outcome import collect_outcome
from wijkstroom.running import RunOptions, running_scene
from wijkstroom.scene import Scene

# A meter counts whole Wh; a session is read at its begin and end.
RESOLUTION_KWH = 0.002


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "discharges"),
    [("public-duo-16", False), ("public-duo-201", False), ("bidirectional-duo-21", True)],
)
async def test_six_hours_over_sockets(
    scene_of: Callable[..., Scene], model: str, *, discharges: bool
) -> None:
    scene = scene_of(model, 4, 6.0)
    async with running_scene(scene, RunOptions(FASTEST)) as running:
        record = await running.simulated.run_to_end()
        outcome = await collect_outcome(running, record)
        stored = await running.store.read(lambda session: list_sessions(session, limit=1000))
        assert running.drivers.counters.given_up == running.drivers.counters.refused == 0
        assert running.simulated.counters.errors == 0, running.simulated.counters.faults

    assert outcome.ocpp_errors == 0, outcome.ocpp_faults
    assert outcome.record.limits.limit_exceeded_kwh == 0.0, outcome.record.limits.excesses
    assert len(outcome.plan_seconds) >= 24, "a plan every quarter"
    assert len(stored) == len(record.outcomes) > 4
    assert sum(one.ended_at is not None for one in stored) == sum(one.ended for one in record.outcomes)
    assert_metered_is_true(scene, outcome, record.outcomes)
    given_kwh = sum(one.export_kwh for one in outcome.record.outcomes)
    assert (given_kwh > 0.0) == discharges


def assert_metered_is_true(scene: Scene, outcome: Outcome, true: Sequence[SessionOutcome]) -> None:
    """Compare what the database holds with what the simulator wrote down."""
    for metered, own in zip(outcome.record.outcomes, true, strict=True):
        if own.ended:
            assert metered.import_kwh == pytest.approx(own.import_kwh, abs=RESOLUTION_KWH)
            assert metered.export_kwh == pytest.approx(own.export_kwh, abs=RESOLUTION_KWH)
    truth = read_record(outcome.record)
    street = outcome.metered
    assert street.starts == truth.starts
    assert street.import_kwh == pytest.approx(truth.import_kwh, abs=0.1), "telegrams come every ten seconds"
    assert street.pv_kwh == pytest.approx(truth.pv_kwh, abs=0.1)
