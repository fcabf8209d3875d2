"""Capacity signals in the rows: taken whole, kept for ever, read back at the start."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from pydantic import TypeAdapter
from sqlalchemy import insert, select, update
from sqlmodel import Session

from csms.state.columns import AnyRow, table_of
from csms.state.errors import NotFoundError
from csms.state.events import Event, SenderHeard, SignalReceived, SignalWithdrawn
from csms.state.models import CapacitySignalRow, SenderSilenceRow, SignalSenderRow
from csms.state.upserts import insert_new, put
from grid.capacity.compliance import SignalHistory, Silence
from grid.capacity.signals import Block, CapacitySignal, SignalKind, SignalSource
from grid.topology import Direction

_SIGNAL, _SENDER, _SILENCE = map(table_of, (CapacitySignalRow, SignalSenderRow, SenderSilenceRow))
_blocks_adapter = TypeAdapter(tuple[Block, ...])

# Signals that ended longer ago are left in the rows when the service starts.
SIGNAL_MEMORY: Final = timedelta(days=2)


def record_signal(session: Session, signal: CapacitySignal) -> bool:
    """Record a signal; False when its sender sent this id before: then nothing changes."""
    connection = session.connection()
    same = (_SIGNAL.c.sender == signal.sender) & (_SIGNAL.c.id == signal.id)
    if connection.execute(select(_SIGNAL.c.id).where(same)).first() is not None:
        return False
    connection.execute(
        insert(_SIGNAL).values(
            sender=signal.sender,
            id=signal.id,
            source=signal.source.value,
            group_id=signal.group,
            direction=signal.direction.value,
            kind=signal.kind.value,
            binding=signal.binding,
            blocks=_blocks_adapter.dump_json(signal.blocks).decode(),
            received_at=signal.received_at,
            ends_at=signal.end,
        )
    )
    return True


def record_withdrawal(session: Session, sender: str, signal_id: str, now: datetime) -> SignalWithdrawn:
    """Record that a sender took a signal back.

    Raises
    ------
    NotFoundError
        When there is no such signal that still counts.
    """
    same = (_SIGNAL.c.sender == sender) & (_SIGNAL.c.id == signal_id) & _SIGNAL.c.withdrawn_at.is_(None)
    if session.connection().execute(update(_SIGNAL).where(same).values(withdrawn_at=now)).rowcount == 0:
        raise NotFoundError(f"there is no signal {signal_id!r} of {sender!r}: GET /api/v1/signals lists them")
    return SignalWithdrawn(sender, signal_id, now)


def record_heard(session: Session, sender: str, offline_at: datetime | None, now: datetime) -> SenderHeard:
    """Record a sign of life of a sender, and the silence that it ends."""
    connection = session.connection()
    before = connection.execute(select(_SENDER).where(_SENDER.c.sender == sender)).first()
    if before is not None and before.offline_at is not None and before.offline_at < now:
        silence = {"sender": sender, "start_at": max(before.offline_at, before.heard_at), "end_at": now}
        insert_new(connection, _SILENCE, [silence])
    put(session.connection(), _SENDER, {"sender": sender, "heard_at": now, "offline_at": offline_at})
    return SenderHeard(sender, offline_at, now)


def read_signals(session: Session, since: datetime) -> list[CapacitySignal]:
    """Return the signals that end after a moment, in the order of their arrival."""
    query = select(_SIGNAL).where(_SIGNAL.c.ends_at > since).order_by(_SIGNAL.c.received_at, _SIGNAL.c.id)
    return [_read(row) for row in session.connection().execute(query)]


def read_history(session: Session, start: datetime, end: datetime) -> SignalHistory:
    """Return what was ever said about a period, and every silence that touches it."""
    connection = session.connection()
    signals = tuple(each for each in read_signals(session, start) if each.received_at < end)
    over = select(_SILENCE).where(_SILENCE.c.end_at > start, _SILENCE.c.start_at < end)
    lasting = select(_SENDER).where(_SENDER.c.offline_at < end)
    silences = [Silence(row.sender, row.start_at, row.end_at) for row in connection.execute(over)]
    silences += [
        Silence(row.sender, max(row.offline_at, row.heard_at)) for row in connection.execute(lasting)
    ]
    return SignalHistory(signals, tuple(silences))


def replay_signals(session: Session, now: datetime) -> Iterator[Event]:
    """Yield what the service knew of signals when it last ran."""
    for signal in read_signals(session, now - SIGNAL_MEMORY):
        yield SignalReceived(signal, signal.received_at)
    for row in session.connection().execute(select(_SENDER)):
        yield SenderHeard(row.sender, row.offline_at, row.heard_at)


def _read(row: AnyRow) -> CapacitySignal:
    return CapacitySignal(
        id=row.id,
        source=SignalSource(row.source),
        sender=row.sender,
        group=row.group_id,
        direction=Direction(row.direction),
        kind=SignalKind(row.kind),
        blocks=_blocks_adapter.validate_json(row.blocks),
        received_at=row.received_at,
        binding=row.binding,
        withdrawn_at=row.withdrawn_at,
    )
