"""When jobs are due: APScheduler's triggers, asked on the injected clock and driven by one small loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime, timedelta

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

from grid.clock import Clock

_MOMENT = timedelta(microseconds=1)


def every_quarter() -> BaseTrigger:
    """Return a trigger at the start of every quarter of an hour."""
    return CronTrigger(minute="0,15,30,45", second="0", timezone="UTC")


async def occurrences(trigger: BaseTrigger, clock: Clock) -> AsyncGenerator[datetime]:
    """Yield each due instant when it comes; those missed while the consumer was busy are skipped.

    Parameters
    ----------
    trigger
        Says when the next one is due.
    clock
        The street's time.
    """
    after = clock.now()
    # Asked without a previous time: with one, a trigger hands out everything that was missed.
    while (due := trigger.get_next_fire_time(None, after)) is not None:
        await clock.sleep_until(due)
        yield due
        after = max(clock.now(), due + _MOMENT)
