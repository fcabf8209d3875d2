from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csms.control.budget import QuarterBudget
from csms.control.limits import LIKELY_ARRIVALS, UNPLANNED_FRACTION, StreetLimits, compute_street_limits
from csms.control.snapshot import plan_grid
from csms.settings import ServiceConfig
from optimizer.problem import Netting
from tests.csms.control.street import HOUR, NOW, Street, load_lombok

EVENING = NOW + 11 * HOUR
FALLBACK_KW = 6.0 * 0.69
STREET = Street()


def limits_at(free: int = 0, fixed_kw: float = 0.0, budget: QuarterBudget | None = None) -> StreetLimits:
    steps, nowcast = plan_grid(EVENING, 24.0), STREET.nowcast(EVENING)
    return compute_street_limits(
        EVENING, steps, load_lombok(), nowcast, ServiceConfig(), free, fixed_kw, budget
    )


def test_the_evening_signal_and_the_name_plate() -> None:
    limits = limits_at()
    assert limits.import_limit_kw[:16] == pytest.approx([110.0] * 16)
    assert limits.import_limit_kw[16:] == pytest.approx([380.0] * 80)
    assert limits.export_limit_kw == pytest.approx([380.0] * 96)
    assert len(set(limits.import_source)) > 1
    assert all(": " in source for source in limits.import_source)
    assert limits.netting is Netting.NONE


def test_room_is_kept_for_cars_that_may_come() -> None:
    # The street's limits are all on the mean of a quarter: a new car counts for the time that it waits.
    for free, expected in ((1, 1), (2, 2), (48, LIKELY_ARRIVALS)):
        kept_kw = limits_at().import_limit_kw - limits_at(free=free).import_limit_kw
        assert kept_kw == pytest.approx([expected * FALLBACK_KW * UNPLANNED_FRACTION] * 96)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 60), st.floats(0.0, 300.0))
def test_a_reserve_never_makes_an_excess_of_its_own(free: int, fixed_kw: float) -> None:
    limits = limits_at(free=free, fixed_kw=fixed_kw)
    load_kw = STREET.nowcast(EVENING).base_load_kw.upper + fixed_kw - STREET.nowcast(EVENING).pv_kw.lower
    without = limits_at(fixed_kw=fixed_kw)
    assert np.all(limits.import_limit_kw >= np.minimum(without.import_limit_kw, load_kw) - 1e-9)
    assert np.all(limits.room_kw >= 0.0)
    assert limits.room_kw == pytest.approx(np.maximum(limits.import_limit_kw - load_kw, 0.0))


def test_the_rest_of_a_quarter_makes_up_for_its_beginning() -> None:
    read_at = EVENING
    # Nothing of the quarter has passed on the clock, yet the meter saw 10 kWh: 17.5 kWh are left of 27.5.
    used = QuarterBudget(EVENING, 10.0, read_at, 0.0, 0.0)
    assert limits_at(budget=used).import_limit_kw[0] == pytest.approx(70.0)
    assert limits_at(budget=used).import_limit_kw[1] == pytest.approx(110.0)
    spare = QuarterBudget(EVENING, -10.0, read_at, 0.0, 0.0)
    assert limits_at(budget=spare).import_limit_kw[0] == pytest.approx(110.0)
    old = QuarterBudget(EVENING - timedelta(minutes=15), 10.0, read_at, 0.0, 0.0)
    assert limits_at(budget=old).import_limit_kw[0] == pytest.approx(110.0)
