"""Capacity signals: one neutral model for every door they come through, and what of them holds when.

A signal is never changed: a later one of the same sender for the same group and direction supersedes it where
both have a block. What was known at a moment can always be told, so that compliance is judged by what was in
force then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from grid.ean import check_ean18
from grid.errors import DocumentError, Problem
from grid.timegrid import QUARTER
from grid.topology import Direction, Phase, Topology

# Blocks further away than this are a typing error.
FURTHEST = timedelta(days=400)
PHASES = 3


class SignalSource(StrEnum):
    """Doors."""

    MANUAL = "manual"
    CSV = "csv"
    SCHEDULE = "schedule"
    OSCP = "oscp"
    OPENADR = "openadr-gac"


class SignalKind(StrEnum):
    """What a signal says."""

    LIMIT = "limit"
    FALLBACK = "fallback"
    OPTIMUM = "optimum"


class SignalStatus(StrEnum):
    """Where a signal is in its life."""

    RECEIVED = "received"
    ACTIVE = "active"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Block:
    """A span with one limit.

    Parameters
    ----------
    start, end
        From, and until before (aware).
    limit_kw
        Most power [kW], of the whole or of one phase.
    phase
        ALL, or which one.
    """

    start: datetime
    end: datetime
    limit_kw: float
    phase: Phase = Phase.ALL


@dataclass(frozen=True, slots=True)
class CapacitySignal:
    """What a grid operator says about a node or a connection.

    Parameters
    ----------
    id
        Unique for its sender.
    source, sender
        Door, and who stands before it.
    group
        A node's id, or a connection's id or EAN.
    direction
        Import or export.
    kind
        A limit, the limit that holds while the sender is silent, or a wish.
    blocks
        Spans, not overlapping per phase.
    received_at
        When it came (aware).
    binding
        Whether it must be kept; what is not binding is shown only.
    withdrawn_at
        When its sender took it back.
    """

    id: str
    source: SignalSource
    sender: str
    group: str
    direction: Direction
    kind: SignalKind
    blocks: tuple[Block, ...]
    received_at: datetime
    binding: bool = True
    withdrawn_at: datetime | None = None

    @property
    def end(self) -> datetime:
        """When its last block ends."""
        return max(block.end for block in self.blocks)

    @property
    def name(self) -> str:
        """How it is named as the source of a limit."""
        return f"{self.sender} signal {self.id}"


@dataclass(frozen=True, slots=True)
class SenderState:
    """Whether a sender is heard.

    Parameters
    ----------
    offline_at
        From when on its fallback rules unless it is heard again; None: never.
    """

    offline_at: datetime | None = None

    def is_silent(self, moment: datetime) -> bool:
        """Say whether its fallback rules."""
        return self.offline_at is not None and moment >= self.offline_at


@dataclass(frozen=True)
class SignalBook:
    """All signals that ever came, and who is heard.

    Parameters
    ----------
    signals
        In the order of their arrival.
    senders
        By name; one that is missing is heard.
    """

    signals: tuple[CapacitySignal, ...] = ()
    senders: Mapping[str, SenderState] = field(default_factory=dict)

    def with_signal(self, signal: CapacitySignal) -> SignalBook:
        """Return the book with one more signal; the same id of the same sender again changes nothing."""
        if any((each.sender, each.id) == (signal.sender, signal.id) for each in self.signals):
            return self
        return replace(self, signals=(*self.signals, signal))

    def without(self, sender: str, signal_id: str, at: datetime) -> SignalBook:
        """Return the book with a signal taken back."""
        return replace(
            self,
            signals=tuple(
                replace(each, withdrawn_at=at)
                if (each.sender, each.id) == (sender, signal_id) and each.withdrawn_at is None
                else each
                for each in self.signals
            ),
        )

    def heard(self, sender: str, offline_at: datetime | None) -> SignalBook:
        """Return the book after a sign of life: the sender counts as heard until ``offline_at``."""
        return replace(self, senders={**self.senders, sender: SenderState(offline_at)})

    def status(self, signal: CapacitySignal, now: datetime) -> SignalStatus:
        """Say where a signal is in its life."""
        if signal.withdrawn_at is not None and signal.withdrawn_at <= now:
            return SignalStatus.WITHDRAWN
        if signal.end <= now:
            return SignalStatus.EXPIRED
        ahead = [block for block in signal.blocks if block.end > now]
        later = self._later(signal, now)
        if ahead and all(any(_covers(other, block) for other in later) for block in ahead):
            return SignalStatus.SUPERSEDED
        return SignalStatus.ACTIVE if min(block.start for block in ahead) <= now else SignalStatus.RECEIVED

    def limit_kw(
        self,
        topology: Topology,
        element_id: str,
        direction: Direction,
        starts: Sequence[datetime],
        known_at: datetime,
        step: timedelta = QUARTER,
    ) -> tuple[NDArray[np.float64], list[str | None]]:
        """Return the lowest binding signal for a node or connection and everything above it, per step.

        A block that touches a step holds for all of it. A limit on one phase bounds a balanced load at three
        times its value.

        Parameters
        ----------
        topology
            The tree.
        element_id
            A node's or a connection's id.
        direction
            Import or export.
        starts
            Starts of the steps.
        known_at
            What came later, or was taken back by then, does not count.
        step
            Their length.

        Returns
        -------
        limits, names
            Infinite and None where no signal holds, shape (steps,) [kW].
        """
        groups = {element_id} | {node.id for node in topology.ancestors(element_id)}
        lowest = np.full(len(starts), np.inf)
        names: list[str | None] = [None] * len(starts)
        for signal in self.signals:
            if not (signal.binding and _belongs(signal, groups, topology) and signal.direction is direction):
                continue
            if not self._rules(signal, known_at):
                continue
            later = self._later(signal, known_at)
            for index, start in enumerate(starts):
                value = _value_in(signal, later, start, start + step)
                if value is not None and value < lowest[index]:
                    lowest[index], names[index] = value, signal.name
        return lowest, names

    def _rules(self, signal: CapacitySignal, known_at: datetime) -> bool:
        """Say whether a signal counts: known, not withdrawn, its sender heard or it is the fallback."""
        if signal.received_at > known_at or signal.kind is SignalKind.OPTIMUM:
            return False
        if signal.withdrawn_at is not None and signal.withdrawn_at <= known_at:
            return False
        silent = self.senders.get(signal.sender, SenderState()).is_silent(known_at)
        return silent if signal.kind is SignalKind.FALLBACK else True

    def _later(self, signal: CapacitySignal, known_at: datetime) -> list[CapacitySignal]:
        """Return what supersedes a signal where both have blocks."""
        place = self.signals.index(signal)
        return [
            other
            for other in self.signals[place + 1 :]
            if (other.sender, other.group, other.direction, other.kind)
            == (signal.sender, signal.group, signal.direction, signal.kind)
            and other.received_at <= known_at
            and (other.withdrawn_at is None or other.withdrawn_at > known_at)
        ]


def check_signal(
    signal: CapacitySignal, topology: Topology, now: datetime, place: str = "blocks"
) -> list[Problem]:
    """List everything that keeps a signal from being taken; it is taken whole or not at all.

    Parameters
    ----------
    signal
        As it came.
    topology
        Which groups there are.
    now
        Blocks that are over are refused.
    place
        Path of the blocks in the sender's document.
    """
    problems: list[Problem] = []
    if find_group(topology, signal.group) is None:
        known = ", ".join(node.id for node in topology.nodes)
        message = f"{signal.group!r} is no node, connection or EAN of ours: nodes are {known}"
        problems.append(Problem("group", message))
    if not signal.blocks:
        problems.append(Problem(place, "is empty: give one block or more"))
    for index, block in enumerate(signal.blocks):
        problems += _check_block(block, now, f"{place}[{index}]")
    problems += _check_overlaps(signal.blocks, place)
    return problems


def find_group(topology: Topology, group: str) -> str | None:
    """Return the id of the node or connection that a group names by id or EAN, None without one."""
    if any(node.id == group for node in topology.nodes):
        return group
    try:
        ean = check_ean18(group)
    except ValueError:
        ean = None
    return next((one.id for one in topology.connections if one.id == group or one.ean18 == ean), None)


def take_signal(
    book: SignalBook, signal: CapacitySignal, topology: Topology, now: datetime, source: str
) -> SignalBook:
    """Return the book with a signal, checked.

    Raises
    ------
    DocumentError
        With everything that is wrong with it; then the earlier ones stay in force.
    """
    problems = check_signal(signal, topology, now)
    if problems:
        raise DocumentError(source, problems)
    return book.with_signal(signal)


def _check_block(block: Block, now: datetime, place: str) -> Iterable[Problem]:
    if block.start.tzinfo is None or block.end.tzinfo is None:
        yield Problem(place, "start and end need a time zone, like 2026-06-11T15:00:00Z")
        return
    if block.end <= block.start:
        yield Problem(f"{place}.end", "must be after start")
    elif block.end <= now:
        yield Problem(f"{place}.end", f"is over since {block.end.isoformat()}: send blocks that are to come")
    if block.start - now > FURTHEST:
        yield Problem(f"{place}.start", f"is more than {FURTHEST.days} days away: check the year")
    if not (0.0 <= block.limit_kw < np.inf):
        yield Problem(f"{place}.limit_kw", f"must be 0 or more, not {block.limit_kw}")


def _check_overlaps(blocks: Sequence[Block], place: str) -> Iterable[Problem]:
    for phase in Phase:
        own = [(block.start, block.end, index) for index, block in enumerate(blocks) if block.phase is phase]
        if any(start.tzinfo is None for start, _, _ in own):
            continue
        own.sort()
        for (_, end, first), (start, _, second) in pairwise(own):
            if start < end:
                yield Problem(f"{place}[{second}].start", f"overlaps block {first}: one limit at a time")


def _belongs(signal: CapacitySignal, groups: set[str], topology: Topology) -> bool:
    return find_group(topology, signal.group) in groups


def _covers(other: CapacitySignal, block: Block) -> bool:
    return any(
        each.phase is block.phase and each.start <= block.start and each.end >= block.end
        for each in other.blocks
    )


def _value_in(
    signal: CapacitySignal, later: Sequence[CapacitySignal], start: datetime, end: datetime
) -> float | None:
    """Return the lowest limit of a signal's own blocks in a step that no later signal speaks about."""
    values = [
        block.limit_kw * (1 if block.phase is Phase.ALL else PHASES)
        for block in signal.blocks
        if block.start < end and block.end > start
        if not any(_speaks(other, block, start, end) for other in later)
    ]
    return min(values, default=None)


def _speaks(other: CapacitySignal, block: Block, start: datetime, end: datetime) -> bool:
    begin, until = max(block.start, start), min(block.end, end)
    return any(
        each.phase is block.phase and each.start <= begin and each.end >= until for each in other.blocks
    )
