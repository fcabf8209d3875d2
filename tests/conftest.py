"""What holds for all tests.

No test judges by the clock on the wall, so neither does Hypothesis. It draws the same examples every time, so
that a commit is green or not; `WIJKSTROOM_TEST_EXPLORE=1` draws new ones.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "wijkstroom",
    deadline=None,
    derandomize=not os.environ.get("WIJKSTROOM_TEST_EXPLORE"),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("wijkstroom")
