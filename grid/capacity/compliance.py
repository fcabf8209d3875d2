"""What was kept: metered quarter-hours against what was in force then.

Bitemporal: a quarter is judged by what was known when it began, less a notice period, and never by what came
after it. What arrived later than that and lowered the limit counts apart; what raised it counts at once.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import accumulate
from zoneinfo import ZoneInfo

from grid.capacity.envelope import DEFAULT_POWER_FACTOR, compute_envelope
from grid.capacity.signals import CapacitySignal, SenderState, SignalBook, SignalKind
from grid.timegrid import QUARTER, QUARTER_HOURS
from grid.topology import Direction, Phase, Topology

_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Silence:
    """A span in which a sender was not heard, so that its fallback ruled; it lasts when ``end`` is None."""

    sender: str
    start: datetime
    end: datetime | None = None

    def covers(self, moment: datetime) -> bool:
        """Say whether the sender was silent at a moment."""
        return self.start <= moment and (self.end is None or moment < self.end)


@dataclass(frozen=True)
class SignalHistory:
    """Everything that was said, and every silence.

    Parameters
    ----------
    signals
        In the order of their arrival, those that were withdrawn too.
    silences
        In any order.
    """

    signals: tuple[CapacitySignal, ...] = ()
    silences: tuple[Silence, ...] = ()

    @cached_property
    def changes(self) -> list[datetime]:
        """The instants at which something became known, ascending; between them nothing did."""
        told = [instant for each in self.signals for instant in (each.received_at, each.withdrawn_at)]
        heard = [instant for each in self.silences for instant in (each.start, each.end)]
        return sorted({instant for instant in (*told, *heard) if instant is not None})

    @cached_property
    def _received(self) -> list[datetime]:
        return [each.received_at for each in self.signals]

    @cached_property
    def _last_ends(self) -> list[datetime]:
        """The end of the longest of each signal and those before it."""
        return list(accumulate((each.end for each in self.signals), max))

    @cached_property
    def _whole(self) -> list[bool]:
        """Whether each signal speaks of all phases together only."""
        return [all(block.phase is Phase.ALL for block in each.blocks) for each in self.signals]

    def book_at(self, moment: datetime, begin: datetime, end: datetime) -> SignalBook:
        """Return what was known at a moment of the time from ``begin`` until ``end``.

        What a later signal speaks about from begin to end is left out: senders that renew their forecast
        every hour have said everything many times.
        """
        known: list[CapacitySignal] = []
        settled: set[tuple[str, str, Direction, SignalKind]] = set()
        oldest, newest = bisect_right(self._last_ends, begin), bisect_right(self._received, moment)
        for index in range(newest - 1, oldest - 1, -1):
            each = self.signals[index]
            stream = each.sender, each.group, each.direction, each.kind
            if self._whole[index] and stream in settled:
                continue
            if each.withdrawn_at is not None and each.withdrawn_at <= moment:
                continue
            touching = [block for block in each.blocks if block.start < end and block.end > begin]
            if touching:
                known.append(each)
            if any(
                block.phase is Phase.ALL and block.start <= begin and block.end >= end for block in touching
            ):
                settled.add(stream)
        silent = {each.sender: SenderState(moment) for each in self.silences if each.covers(moment)}
        return SignalBook(tuple(reversed(known)), silent)


@dataclass(frozen=True, slots=True)
class Rules:
    """How quarters are judged.

    Parameters
    ----------
    tz, power_factor
        Of daily windows; share of a limit in kVA that counts as active power [fraction].
    notice
        A signal counts in full for quarters that begin so long after it came, or later.
    tolerance_kw
        Less than this above a limit is what meters round off [kW].
    """

    tz: ZoneInfo
    power_factor: float = DEFAULT_POWER_FACTOR
    notice: timedelta = timedelta(minutes=1)
    tolerance_kw: float = 0.05


@dataclass(frozen=True, slots=True)
class Verdict:
    """One quarter.

    Parameters
    ----------
    start
        Its start (UTC).
    mean_kw
        What was metered in this direction, the other one subtracted [kW].
    limit_kw, source
        What had to be kept, infinite for nothing, and who said so [kW].
    excess_kwh
        Above it [kWh].
    late_limit_kw, late_source
        What was known by the end of the quarter [kW].
    late_kwh
        Above that and not above ``limit_kw``: it came too late to be kept [kWh].
    """

    start: datetime
    mean_kw: float
    limit_kw: float
    source: str
    excess_kwh: float
    late_limit_kw: float
    late_source: str
    late_kwh: float

    @property
    def is_kept(self) -> bool:
        """Whether nothing was above what had to be kept."""
        return self.excess_kwh == 0.0


@dataclass(frozen=True, slots=True)
class SourceSummary:
    """What became of the quarters in which one source set the limit.

    Parameters
    ----------
    source
        Who.
    quarters, exceeded_quarters
        Judged by it, and above it.
    exceeded_kwh
        Energy above it [kWh].
    """

    source: str
    quarters: int
    exceeded_quarters: int
    exceeded_kwh: float


@dataclass(frozen=True, slots=True)
class ComplianceReport:
    """A place and direction over a span.

    Parameters
    ----------
    node, direction
        Which.
    start, end
        The span (UTC).
    quarters
        How many there are in it.
    verdicts
        Those that were metered, in their order; the others are not judged.
    """

    node: str
    direction: Direction
    start: datetime
    end: datetime
    quarters: int
    verdicts: tuple[Verdict, ...]

    @property
    def unmetered_quarters(self) -> int:
        """Quarters of which nobody knows what flowed."""
        return self.quarters - len(self.verdicts)

    @property
    def exceeded(self) -> tuple[Verdict, ...]:
        """Quarters above what had to be kept."""
        return tuple(each for each in self.verdicts if not each.is_kept)

    @property
    def exceeded_kwh(self) -> float:
        """Energy above what had to be kept [kWh]."""
        return math.fsum(each.excess_kwh for each in self.verdicts)

    @property
    def late(self) -> tuple[Verdict, ...]:
        """Quarters with energy above what came too late."""
        return tuple(each for each in self.verdicts if each.late_kwh > 0.0)

    @property
    def late_kwh(self) -> float:
        """Energy above what came too late [kWh]."""
        return math.fsum(each.late_kwh for each in self.verdicts)

    @property
    def highest(self) -> Verdict | None:
        """The quarter with the highest mean, None when nothing was metered."""
        return max(self.verdicts, key=lambda each: each.mean_kw, default=None)

    def by_source(self) -> tuple[SourceSummary, ...]:
        """Return what became of the limits of every source, in the order of their names."""
        sorted_out: dict[str, list[Verdict]] = defaultdict(list)
        for each in self.verdicts:
            sorted_out[each.source].append(each)
        return tuple(
            SourceSummary(
                source,
                len(verdicts),
                sum(not each.is_kept for each in verdicts),
                math.fsum(each.excess_kwh for each in verdicts),
            )
            for source, verdicts in sorted(sorted_out.items())
        )


def judge_quarters(
    topology: Topology,
    node: str,
    direction: Direction,
    starts: Sequence[datetime],
    net_import_kwh: Sequence[float],
    history: SignalHistory,
    rules: Rules,
) -> tuple[Verdict, ...]:
    """Judge the metered quarters of a node or connection.

    Parameters
    ----------
    topology
        The tree with its limits, as configured now.
    node, direction
        What is judged.
    starts
        Starts of the quarters, ascending.
    net_import_kwh
        Import less export of each, shape (len(starts),) [kWh].
    history
        What was said, and when.
    rules
        How.

    Returns
    -------
    tuple of Verdict
        One a quarter: ``excess_kwh + late_kwh`` is what was above the lower of both limits.
    """
    sign = 1.0 if direction is Direction.IMPORT else -1.0

    def limits(known_at: Callable[[datetime], datetime]) -> list[tuple[float, str]]:
        return _limits_known(topology, node, direction, starts, history, rules, known_at)

    due = limits(lambda start: start - rules.notice)
    final = limits(lambda start: start + QUARTER - _INSTANT)
    verdicts = []
    for start, kwh, told, last in zip(starts, net_import_kwh, due, final, strict=True):
        mean_kw = sign * kwh / QUARTER_HOURS
        limit = max(told, last, key=lambda each: each[0])
        excess_kwh = _above_kwh(mean_kw, limit[0], rules.tolerance_kw)
        late_kwh = _above_kwh(mean_kw, last[0], rules.tolerance_kw) - excess_kwh
        verdicts.append(Verdict(start, mean_kw, *limit, excess_kwh, *last, late_kwh))
    return tuple(verdicts)


def _above_kwh(mean_kw: float, limit_kw: float, tolerance_kw: float) -> float:
    return (mean_kw - limit_kw) * QUARTER_HOURS if mean_kw > limit_kw + tolerance_kw else 0.0


def _limits_known(
    topology: Topology,
    node: str,
    direction: Direction,
    starts: Sequence[datetime],
    history: SignalHistory,
    rules: Rules,
    known_at: Callable[[datetime], datetime],
) -> list[tuple[float, str]]:
    """Return limit and source of every quarter, as known at a moment of its own.

    Quarters that knew the same are looked up together.
    """
    changes = history.changes
    together: dict[int, list[int]] = defaultdict(list)
    for index, start in enumerate(starts):
        together[bisect_right(changes, known_at(start))].append(index)
    found: list[tuple[float, str]] = [(math.inf, "")] * len(starts)
    for indices in together.values():
        own = [starts[index] for index in indices]
        moment = known_at(own[-1])
        envelope = compute_envelope(
            topology,
            node,
            own,
            rules.tz,
            rules.power_factor,
            signals=history.book_at(moment, own[0], own[-1] + QUARTER),
            known_at=moment,
        )
        kw, sources = (
            (envelope.import_limit_kw, envelope.import_source)
            if direction is Direction.IMPORT
            else (envelope.export_limit_kw, envelope.export_source)
        )
        for index, limit_kw, source in zip(indices, kw, sources, strict=True):
            found[index] = float(limit_kw), source
    return found
