"""What concerns the whole fleet: the switch to the fallback, and acts that one person may not do alone.

Both stand below the API: whoever sends something to many stations passes the gate, and while the switch is on
the control loop tells every session its fallback. The switch is kept in the audit: who turned it on, and the
two persons who released it, are what it is read from after a restart.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import select
from sqlmodel import Session

from csms.ocpp.operations import Refresh
from csms.ocpp.vocabulary import Command, Outcome, Priority, Refused
from csms.state.audit import AuditRow, Deed, record_deed
from csms.state.columns import table_of
from csms.state.store import Store
from grid.clock import Clock

# Deeds of the audit.
SWITCHED, RELEASED, AGREED = "fleet to fallback", "fleet released", "fleet act agreed"
PERSONS = 2
# Acts within so long count together, and so long an agreement holds.
WINDOW = timedelta(minutes=10)
NEEDS_SECOND = "NeedsSecondPerson"
_AUDIT = table_of(AuditRow)


@dataclass(frozen=True, slots=True)
class SwitchState:
    """Whether the fleet is held at its fallback.

    Parameters
    ----------
    by
        Who turned the switch on; None while it is off.
    released_by
        Who has agreed to release it since.
    """

    by: str | None = None
    released_by: frozenset[str] = frozenset()

    @property
    def is_on(self) -> bool:
        """Whether every session is held at its fallback."""
        return self.by is not None

    def after(self, deed: str, actor: str) -> SwitchState:
        """Return the switch after somebody did something."""
        if deed == SWITCHED:
            return SwitchState(self.by or actor)
        if deed != RELEASED or not self.is_on:
            return self
        agreed = self.released_by | {actor}
        return SwitchState() if len(agreed) >= PERSONS else SwitchState(self.by, agreed)


class FleetSwitch:
    """Holds the fleet at its fallback, over restarts, until two persons release it.

    Parameters
    ----------
    store
        With the audit.
    clock
        The street's time.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self.state = SwitchState()
        self._watchers: list[Callable[[], None]] = []

    def watch(self, tell: Callable[[], None]) -> None:
        """Have a change told."""
        self._watchers.append(tell)

    def concerns(self) -> tuple[str, ...]:
        """Return in words that the fleet is held, nothing while it is planned."""
        if not self.state.is_on:
            return ()
        return (f"the whole fleet is held at its fallback by {self.state.by}: two persons release it",)

    async def load(self) -> None:
        """Read from the audit how the switch stands."""
        self.state = SwitchState()
        for deed, actor in await self._store.read(_list_switchings):
            self.state = self.state.after(deed, actor)

    async def turn_on(self, actor: str) -> SwitchState:
        """Hold the whole fleet at its fallback from now on."""
        return await self._do(SWITCHED, actor)

    async def release(self, actor: str) -> SwitchState:
        """Agree that the fleet is planned again; it is when two persons have."""
        return await self._do(RELEASED, actor)

    async def _do(self, deed: str, actor: str) -> SwitchState:
        after = self.state.after(deed, actor)
        outcome = "held at the fallback" if after.is_on else "planned"
        kept = Deed(self._clock.now(), actor, deed, None, "", outcome)
        await self._store.write(partial(record_deed, deed=kept))
        self.state = self.state.after(deed, actor)
        for tell in self._watchers:
            tell()
        return self.state


def _list_switchings(session: Session) -> list[tuple[str, str]]:
    """Return deeds at the switch and who did them, the oldest first."""
    query = select(_AUDIT.c.deed, _AUDIT.c.actor).where(_AUDIT.c.deed.in_((SWITCHED, RELEASED)))
    return [(deed, actor) for deed, actor in session.connection().execute(query.order_by(_AUDIT.c.id))]


@dataclass(eq=False)
class FleetGate:
    """Lets operators act on some stations, and on more only when two persons agree.

    Parameters
    ----------
    call_station
        The way to the stations (`csms.gateway.server.Gateway.call`).
    clock
        The street's time.
    stations_alone
        On how many stations within ten minutes nobody need agree.
    """

    call_station: Callable[..., Awaitable[Outcome]]
    clock: Clock
    stations_alone: int
    _acted: dict[str, datetime] = field(default_factory=dict)
    _agreed: dict[str, datetime] = field(default_factory=dict)

    async def call(
        self,
        station_id: str,
        command: Command,
        *,
        priority: Priority = Priority.CONTROL,
        deadline_s: float | None = None,
    ) -> Outcome:
        """Tell a station something, unless that would be an act on the fleet by one person alone."""
        if priority is Priority.OPERATOR and not isinstance(command, Refresh):
            now = self.clock.now()
            self._acted = _recent(self._acted, now)
            acted = self._acted.keys() | {station_id}
            if len(acted) > self.stations_alone and len(self.agreed_by) < PERSONS:
                return Refused(NEEDS_SECOND, {"status": NEEDS_SECOND})
            self._acted[station_id] = now
        return await self.call_station(station_id, command, priority=priority, deadline_s=deadline_s)

    @property
    def agreed_by(self) -> frozenset[str]:
        """Who has agreed, within the last ten minutes, that the fleet is acted on."""
        return frozenset(_recent(self._agreed, self.clock.now()))

    @property
    def acted_on(self) -> int:
        """On how many stations operators acted within the last ten minutes."""
        return len(_recent(self._acted, self.clock.now()))

    def agree(self, actor: str) -> None:
        """Agree that the fleet is acted on for ten minutes."""
        self._agreed[actor] = self.clock.now()


@dataclass(frozen=True, eq=False)
class FleetDesk:
    """Where persons act on the whole fleet.

    Parameters
    ----------
    switch, gate
        As said there.
    """

    switch: FleetSwitch
    gate: FleetGate


def _recent(moments: dict[str, datetime], now: datetime) -> dict[str, datetime]:
    return {name: at for name, at in moments.items() if now - at < WINDOW}
