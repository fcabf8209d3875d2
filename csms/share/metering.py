"""What groups drew and whether they kept their limits, quarter by quarter, for whoever set the limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sqlmodel import Session

from csms.settings import MeterRole
from csms.state.compliance import metered_energy, report_span
from csms.state.queries import QuarterEnergy, read_registers
from csms.state.service import StateService
from grid.capacity.compliance import ComplianceReport, Rules
from grid.capacity.signals import CapacitySignal
from grid.clock import Clock
from grid.timegrid import QUARTER, floor_quarter
from grid.topology import Direction

# A quarter is told when the telegram after its end has surely come.
SETTLING: Final = timedelta(minutes=2)
# What could not be told for so long is not told any more.
OLDEST: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Kept:
    """A signal, and its quarters whose limit was exceeded.

    Parameters
    ----------
    signal_id
        The sender's id of it.
    direction
        Import or export.
    starts, limits_kw, means_kw
        Quarters, what was allowed and what was metered [kW].
    """

    signal_id: str
    direction: Direction
    starts: tuple[datetime, ...]
    limits_kw: tuple[float, ...]
    means_kw: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class GroupAccount:
    """One group over some quarters.

    Parameters
    ----------
    group_id, node
        The sender's name for it, and ours.
    quarters
        Energies that were metered.
    registers
        Import and export at the end of each, the sum of the node's meters [kWh].
    reports
        Import and export against their limits.
    """

    group_id: str
    node: str
    quarters: tuple[QuarterEnergy, ...]
    registers: tuple[tuple[float, float], ...]
    reports: tuple[ComplianceReport, ...]

    def exceeded_of(self, sender: str, signals: tuple[CapacitySignal, ...]) -> list[Kept]:
        """Return which signals of a sender were not kept."""
        found = []
        for signal in signals:
            if signal.sender != sender:
                continue
            for report in self.reports:
                own = [each for each in report.exceeded if each.source == signal.name]
                if own:
                    found.append(
                        Kept(
                            signal.id,
                            report.direction,
                            tuple(each.start for each in own),
                            tuple(each.limit_kw for each in own),
                            tuple(each.mean_kw for each in own),
                        )
                    )
        return found


class GroupAccounts:
    """Reads what is to be told; what was not told yet is told the next time.

    Parameters
    ----------
    service
        Rows and meters.
    clock
        The street's time.
    rules
        How quarters are judged.
    """

    def __init__(self, service: StateService, clock: Clock, rules: Rules) -> None:
        self._service = service
        self._clock = clock
        self._rules = rules
        self._told_until: dict[tuple[str, str], datetime] = {}

    async def read(self, receiver: str, groups: Mapping[str, str]) -> list[GroupAccount]:
        """Return the groups that have quarters which a receiver was not told.

        Parameters
        ----------
        receiver
            Who.
        groups
            Its names for nodes, and our ids of them; those without a meter have nothing to tell.
        """
        end = floor_quarter(self._clock.now() - SETTLING)
        found = []
        for group_id, node in groups.items():
            begin = self._told_until.setdefault((receiver, group_id), end)
            begin = max(begin, end - OLDEST)
            if begin < end:
                work = partial(self._read, group_id=group_id, node=node, begin=begin, end=end)
                found.append(await self._service.store.read(work))
        return found

    def told(self, receiver: str, account: GroupAccount) -> None:
        """Note that a receiver was told."""
        end = max(report.end for report in account.reports) if account.reports else None
        if end is not None:
            self._told_until[receiver, account.group_id] = end

    def _read(
        self, session: Session, group_id: str, node: str, begin: datetime, end: datetime
    ) -> GroupAccount:
        catalogue = self._service.catalogue
        meters = catalogue.service.meters
        quarters = metered_energy(session, meters, node, begin, end)
        edges = [each.quarter + QUARTER for each in quarters]
        ids = [meter.id for meter in meters if meter.role is MeterRole.NODE and meter.node == node]
        registers = [read_registers(session, meter_id, edges) for meter_id in ids]
        return GroupAccount(
            group_id,
            node,
            tuple(quarters),
            tuple(
                (sum(one for one, _ in each), sum(other for _, other in each))
                for each in zip(*registers, strict=True)
            ),
            tuple(report_span(session, begin, end, catalogue.topology, meters, self._rules, node=node)),
        )
