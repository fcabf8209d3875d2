"""What holds for all tests: no test judges by the clock on the wall, so neither does Hypothesis."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("wijkstroom", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("wijkstroom")
