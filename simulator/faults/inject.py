"""Faults as they happen: a schedule, or a hand on the control page, acts on stations that run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from grid.clock import Clock
from simulator.faults.behaviours import BEHAVIOURS, Patient
from simulator.faults.schedule import FaultEvent


@dataclass(frozen=True, slots=True)
class FaultLog:
    """A fault that happened."""

    at: datetime
    event: FaultEvent


class Injector:
    """Lets faults happen and end.

    Parameters
    ----------
    patients
        The stations by name.
    clock
        Their time.
    """

    def __init__(self, patients: Mapping[str, Patient], clock: Clock) -> None:
        self._patients, self._clock = patients, clock
        self.happened: list[FaultLog] = []
        self._ending: set[asyncio.Task[None]] = set()

    async def run(self, events: Iterable[FaultEvent], start: datetime) -> None:
        """Let a schedule happen; return when all of it is over."""
        for event in events:
            await self._clock.sleep_until(start + timedelta(seconds=event.begin_s))
            await self.begin(event)
        await asyncio.gather(*self._ending)

    def stop(self) -> None:
        """Let nothing end any more."""
        for task in self._ending:
            task.cancel()

    async def begin(self, event: FaultEvent) -> None:
        """Let a fault begin; it ends by itself."""
        patient, now = self._patients[event.station_id], self._clock.now()
        self.happened.append(FaultLog(now, event))
        BEHAVIOURS[event.kind].begin(patient, event, now)
        if patient.link.down:
            await patient.link.cut()
        if patient.link.impaired:
            patient.client.release_time()
        patient.client.wake()
        task = asyncio.ensure_future(self._end_later(patient, event))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end_later(self, patient: Patient, event: FaultEvent) -> None:
        await self._clock.sleep(event.end_s - event.begin_s)
        BEHAVIOURS[event.kind].end(patient, event, self._clock.now())
        patient.client.wake()
