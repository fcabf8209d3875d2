"""Faults, each a small class that begins and ends; drawn from a seed, none knows of the others."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import ClassVar

from grid.capacity.signals import Block, CapacitySignal, SignalKind, SignalSource
from grid.topology import Direction
from simulator.faults.link import Link
from simulator.station.quirks import Quirk, Quirks
from wijkstroom.proving.stand import Stand


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong for a while.

    Parameters
    ----------
    station_id
        Where, when it is a station's.
    lasts_s
        How long [s].
    """

    station_id: str
    lasts_s: float
    shortest_s: ClassVar[float] = 30.0
    longest_s: ClassVar[float] = 600.0

    async def happen(self, stand: Stand) -> None:
        """Begin, last and end."""
        await self.begin(stand)
        try:
            await stand.clock.sleep(self.lasts_s)
        finally:
            await self.end(stand)

    async def begin(self, stand: Stand) -> None:
        """Let it go wrong."""

    async def end(self, stand: Stand) -> None:
        """Mend it."""

    def link(self, stand: Stand) -> Link:
        """Return the link of its station."""
        return stand.links[self.station_id]


class LinkDown(Fault):
    """The connection is cut and cannot be opened again."""

    longest_s = 5400.0

    async def begin(self, stand: Stand) -> None:
        """Cut it."""
        self.link(stand).down += 1
        await self.link(stand).cut()

    async def end(self, stand: Stand) -> None:
        """Let it come back."""
        self.link(stand).down -= 1


class LinkHalfOpen(Fault):
    """The connection seems to stand and carries nothing."""

    longest_s = 1800.0

    async def begin(self, stand: Stand) -> None:
        """Swallow everything."""
        self.link(stand).half_open += 1

    async def end(self, stand: Stand) -> None:
        """Notice, and connect anew."""
        self.link(stand).half_open -= 1
        await self.link(stand).cut()


class LinkSlow(Fault):
    """Every message takes seconds."""

    async def begin(self, stand: Stand) -> None:
        """Slow it down."""
        self.link(stand).slow_s = 4.0

    async def end(self, stand: Stand) -> None:
        """Let it be fast again."""
        self.link(stand).slow_s = 0.0


class LinkStutters(Fault):
    """Calls are said twice, answers come out of order."""

    async def begin(self, stand: Stand) -> None:
        """Begin to stutter."""
        self.link(stand).duplicates_fraction, self.link(stand).reorder_s = 0.5, 3.0

    async def end(self, stand: Stand) -> None:
        """Speak clearly."""
        self.link(stand).duplicates_fraction = self.link(stand).reorder_s = 0.0


class AllLinksDown(Fault):
    """Every station is silent, then all come back at once."""

    longest_s = 2700.0

    async def begin(self, stand: Stand) -> None:
        """Cut them all."""
        for link in stand.links.values():
            link.down += 1
            await link.cut()

    async def end(self, stand: Stand) -> None:
        """Let them all come back."""
        for link in stand.links.values():
            link.down -= 1
        for client in stand.street.stations.values():
            client.hurry()


class StationReboots(Fault):
    """A station starts anew; what it keeps in memory is lost."""

    longest_s = 60.0

    async def begin(self, stand: Stand) -> None:
        """Restart it."""
        stand.street.stations[self.station_id].reboot()


class StationIgnores(Fault):
    """A station says yes to profiles and does nothing."""

    shortest_s = 1200.0
    longest_s = 7200.0

    async def begin(self, stand: Stand) -> None:
        """Let its firmware ignore what it takes."""
        firmware = stand.street.stations[self.station_id].firmware
        quirks = firmware.setup.quirks | Quirks({Quirk.ACCEPTS_WITHOUT_APPLYING: 1.0})
        firmware.setup = replace(firmware.setup, quirks=quirks)

    async def end(self, stand: Stand) -> None:
        """Let it listen, as after an update."""
        firmware = stand.street.stations[self.station_id].firmware
        kept: dict[Quirk, float] = dict(firmware.setup.quirks.values)
        kept.pop(Quirk.ACCEPTS_WITHOUT_APPLYING, None)
        firmware.setup = replace(firmware.setup, quirks=Quirks(kept))
        stand.street.stations[self.station_id].reboot()


class SolverHangs(Fault):
    """No plan comes before its deadline."""

    longest_s = 1800.0

    async def begin(self, stand: Stand) -> None:
        """Let it hang."""
        stand.executor.hang += 1

    async def end(self, stand: Stand) -> None:
        """Let it work."""
        stand.executor.hang -= 1


class SolverCrashes(Fault):
    """The worker dies with every plan."""

    longest_s = 1800.0

    async def begin(self, stand: Stand) -> None:
        """Let it crash."""
        stand.executor.crash += 1

    async def end(self, stand: Stand) -> None:
        """Let it work."""
        stand.executor.crash -= 1


class SolverRaves(Fault):
    """What the solver returns is no plan."""

    async def begin(self, stand: Stand) -> None:
        """Let it rave."""
        stand.executor.absurd += 1

    async def end(self, stand: Stand) -> None:
        """Let it work."""
        stand.executor.absurd -= 1


class ServiceDies(Fault):
    """The service is killed, and started again after a while."""

    longest_s = 1200.0

    async def begin(self, stand: Stand) -> None:
        """Kill it."""
        if stand.service is not None:
            await stand.kill_service()

    async def end(self, stand: Stand) -> None:
        """Start it unless somebody else did."""
        if stand.service is None:
            await stand.start_service()


class ServiceRestarts(Fault):
    """The service is killed and is back within seconds: leases and schedules run on."""

    longest_s = 60.0
    shortest_s = 2.0

    begin, end = ServiceDies.begin, ServiceDies.end


class ClockJumps(Fault):
    """The clock of the service's machine is set an hour or a day wrong, ahead or behind, and right again."""

    shortest_s = 300.0
    longest_s = 5400.0

    async def begin(self, stand: Stand) -> None:
        """Set it wrong."""
        stand.wall_error_s = self._error_s()

    async def end(self, stand: Stand) -> None:
        """Set it right."""
        stand.wall_error_s = 0.0

    def _error_s(self) -> float:
        """Return one of four errors, by how long this lasts [s]."""
        return (3600.0, -3600.0, 86_400.0, -86_400.0)[int(self.lasts_s) % 4]


class MeterSilent(Fault):
    """The street's meters say nothing."""

    longest_s = 3600.0

    async def begin(self, stand: Stand) -> None:
        """Silence them."""
        stand.meters.silent += 1

    async def end(self, stand: Stand) -> None:
        """Let them speak."""
        stand.meters.silent -= 1


class MeterFrozen(Fault):
    """The street's meters repeat what they last said."""

    longest_s = 3600.0

    async def begin(self, stand: Stand) -> None:
        """Freeze them."""
        stand.meters.frozen += 1

    async def end(self, stand: Stand) -> None:
        """Thaw them."""
        stand.meters.frozen -= 1


class MeterFlipped(Fault):
    """The sign of the meters' power is wrong."""

    longest_s = 3600.0

    async def begin(self, stand: Stand) -> None:
        """Turn them."""
        stand.meters.flipped += 1

    async def end(self, stand: Stand) -> None:
        """Turn them back."""
        stand.meters.flipped -= 1


class LimitDrops(Fault):
    """The grid operator lowers the street's limit without notice, and takes that back."""

    shortest_s = 900.0
    longest_s = 5400.0

    async def begin(self, stand: Stand) -> None:
        """Say it."""
        service = stand.service
        if service is None:
            return
        now, topology = stand.clock.now(), service.catalogue.topology
        lowest_kw = min(each.value for each in topology.root.limits if each.direction is Direction.IMPORT)
        block = Block(now, now + timedelta(seconds=self.lasts_s), lowest_kw)
        name = f"drop-{now:%H%M%S%f}"
        await service.receive_signal(
            CapacitySignal(
                name,
                SignalSource.MANUAL,
                "proof",
                topology.root.id,
                Direction.IMPORT,
                SignalKind.LIMIT,
                (block,),
                now,
            )
        )


KINDS: tuple[type[Fault], ...] = (
    LinkDown,
    LinkHalfOpen,
    LinkSlow,
    LinkStutters,
    AllLinksDown,
    StationReboots,
    StationIgnores,
    SolverHangs,
    SolverCrashes,
    SolverRaves,
    ServiceDies,
    ServiceRestarts,
    ClockJumps,
    MeterSilent,
    MeterFrozen,
    MeterFlipped,
    LimitDrops,
)


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault and when it begins.

    Parameters
    ----------
    at_s
        Seconds after the begin of the run.
    fault
        What happens.
    """

    at_s: float
    fault: Fault


def draw_faults(
    kinds: tuple[type[Fault], ...], station_ids: list[str], count: int, seconds: float, seed: int
) -> list[Planned]:
    """Draw faults of a run, by time.

    Parameters
    ----------
    kinds
        Classes to draw from, each alike.
    station_ids
        Where they may happen.
    count
        How many.
    seconds
        Length of the run [s].
    seed
        What everything random follows from.
    """
    rng = random.Random(f"faults {seed}")  # noqa: S311 - a simulation
    drawn = []
    for _ in range(count):
        kind = rng.choice(kinds)
        lasts_s = rng.uniform(kind.shortest_s, kind.longest_s)
        # Nothing fails in the first minute: stations are guarded before they are steered.
        drawn.append(Planned(rng.uniform(60.0, seconds), kind(rng.choice(station_ids), lasts_s)))
    return sorted(drawn, key=lambda planned: planned.at_s)


async def let_happen(planned: Sequence[Planned], stand: Stand) -> None:
    """Let faults happen at their times; return when the last has ended."""
    begin = stand.clock.now()
    async with asyncio.TaskGroup() as group:
        for one in planned:
            await stand.clock.sleep_until(begin + timedelta(seconds=one.at_s))
            group.create_task(one.fault.happen(stand))
