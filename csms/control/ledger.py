"""What every socket was told and has confirmed, so that the worst it may do is known at any moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from csms.control.curve import PowerCurve
from csms.ocpp.vocabulary import ChargingProfile

# What a socket is taken for that nobody configured: 3x32 A.
UNKNOWN_HARDWARE_KW = 22.08
_EVER = datetime.min.replace(tzinfo=UTC)


class EvseKey(NamedTuple):
    """A socket of the street."""

    station_id: str
    evse_id: int


@dataclass(frozen=True, slots=True)
class Order:
    """A profile for a session, when it was sent, the power that it stands for, and the end of its lease."""

    at: datetime
    key: EvseKey
    session_id: str
    profile: ChargingProfile
    curve: PowerCurve
    until: datetime | None = None


@dataclass(slots=True)
class _Entry:
    confirmed: Order | None = None
    # What a station says it still holds from an earlier run of the service, and for which session.
    adopted: tuple[str, PowerCurve] | None = None
    doubtful: list[Order] = field(default_factory=list)


class Ledger:
    """Orders by socket: the last confirmed one, and those of which nobody knows whether they arrived.

    It is not kept on disk: what a socket was told by an earlier run of the service is unknown, so that socket
    counts with its hardware until its station says what it holds, or it is told again.

    Parameters
    ----------
    hardware_kw
        The most that a socket can draw [kW].

    Attributes
    ----------
    mismatched
        Sockets whose stations say that they would do more than they were told.
    """

    def __init__(self, hardware_kw: dict[EvseKey, float]) -> None:
        self._hardware_kw = hardware_kw
        self._fallback_kw: dict[EvseKey, float] = {}
        self._entries: dict[EvseKey, _Entry] = {}
        self._unknown: set[EvseKey] = set()
        self.mismatched: set[EvseKey] = set()

    @property
    def keys(self) -> frozenset[EvseKey]:
        """All sockets that are configured."""
        return frozenset(self._hardware_kw)

    def guard(self, key: EvseKey, fallback_kw: float) -> None:
        """Note that a socket confirmed what it may draw while it has no order [kW]."""
        self._fallback_kw[key] = fallback_kw

    def is_guarded(self, key: EvseKey) -> bool:
        """Say whether a socket confirmed its fallback."""
        return key in self._fallback_kw

    def fallback_kw(self, key: EvseKey) -> float | None:
        """Return what a socket may draw while it has no order, None when it confirmed nothing [kW]."""
        return self._fallback_kw.get(key)

    def send(self, order: Order) -> None:
        """Note that an order is on its way: from now on it may hold."""
        self._entry(order.key).doubtful.append(order)

    def confirm(self, order: Order) -> None:
        """Note that the socket took an order: nothing earlier holds any more."""
        self._entries[order.key] = _Entry(confirmed=order)
        self._unknown.discard(order.key)

    def doubt(self, key: EvseKey) -> None:
        """Note that a socket may hold what nobody remembers: it counts with its hardware."""
        self._unknown.add(key)

    def is_unknown(self, key: EvseKey) -> bool:
        """Say whether nobody knows what a socket holds."""
        return key in self._unknown

    def adopt(self, key: EvseKey, session_id: str, curve: PowerCurve) -> None:
        """Note what a station says that it holds for a session, from before."""
        if key in self._unknown:
            self._unknown.discard(key)
            self._entry(key).adopted = (session_id, curve)

    def refuse(self, order: Order) -> None:
        """Note that the socket did not take an order."""
        entry = self._entry(order.key)
        entry.doubtful = [each for each in entry.doubtful if each is not order]

    def forget(self, key: EvseKey) -> None:
        """Drop the orders of a socket: its session ended."""
        self._entries.pop(key, None)
        self._unknown.discard(key)

    def reset(self, station_id: str) -> None:
        """Drop everything of a station that started anew: it may have kept its orders, or lost them."""
        for key in [key for key in self._entries if key.station_id == station_id]:
            del self._entries[key]
            self._unknown.add(key)
        self.mismatched = {key for key in self.mismatched if key.station_id != station_id}
        for key in [key for key in self._fallback_kw if key.station_id == station_id]:
            del self._fallback_kw[key]

    def has_orders(self, key: EvseKey) -> bool:
        """Say whether a socket was sent anything, confirmed or not."""
        return key in self._entries or key in self._unknown

    def confirmed(self, key: EvseKey) -> Order | None:
        """Return the order that surely holds; None when there is none or another one may have arrived."""
        entry = self._entries.get(key)
        return None if entry is None or entry.doubtful else entry.confirmed

    @property
    def leases(self) -> tuple[datetime, ...]:
        """Ends of the leases of all confirmed orders."""
        orders = (entry.confirmed for entry in self._entries.values())
        return tuple(order.until for order in orders if order is not None and order.until is not None)

    def told(self, key: EvseKey, session_id: str, now: datetime) -> tuple[datetime, float] | None:
        """Return since when a session is told its power, and that power [kW]; None without an order."""
        entry = self._entries.get(key)
        order = None if entry is None else entry.confirmed
        if order is None or order.session_id != session_id:
            return None
        return max(order.at, order.curve.since(now)), order.curve.at(now)

    def curves(
        self, key: EvseKey, session_id: str | None, share_fraction: float = 1.0
    ) -> tuple[PowerCurve, ...]:
        """Return every curve that may hold at a socket for a session: never empty.

        Parameters
        ----------
        key, session_id
            Which; None for whoever may be there.
        share_fraction
            Phases that its car uses, of those that the socket has: what no order bounds is bounded in ampere.
        """
        entry = self._entries.get(key, _Entry())
        orders = [order for order in (entry.confirmed, *entry.doubtful) if order is not None]
        own = [order.curve for order in orders if order.session_id == session_id]
        if entry.confirmed is None or entry.confirmed.session_id != session_id:
            own.append(self._unordered(key, session_id, entry, share_fraction))
        return tuple(own)

    def hardware(self, key: EvseKey) -> PowerCurve:
        """Return the most that a socket can draw whatever it is told."""
        return PowerCurve((_EVER,), (self._hardware_kw.get(key, UNKNOWN_HARDWARE_KW),))

    def _unordered(
        self, key: EvseKey, session_id: str | None, entry: _Entry, share_fraction: float
    ) -> PowerCurve:
        if key in self._unknown:
            return self.hardware(key)
        if entry.adopted is not None and entry.adopted[0] == session_id:
            return entry.adopted[1]
        kw = self._fallback_kw.get(key, self._hardware_kw.get(key, UNKNOWN_HARDWARE_KW))
        return PowerCurve((_EVER,), (kw * share_fraction,))

    def _entry(self, key: EvseKey) -> _Entry:
        return self._entries.setdefault(key, _Entry())
