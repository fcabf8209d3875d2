"""Capacity signals from a CSV file: one block a line, taken whole or not at all."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from grid.capacity.signals import Block, CapacitySignal, SignalKind, SignalSource
from grid.csvfile import parse_rows, refuse, split_csv
from grid.errors import Problem
from grid.timegrid import to_utc
from grid.topology import Direction, Phase

COLUMNS = ("group", "direction", "start", "end", "limit_kw")
PHASE_COLUMNS = (*COLUMNS, "phase")
TEMPLATE = """# One block a line. A group is a node, a connection or an EAN; times have a zone.
group,direction,start,end,limit_kw,phase
lombok-transformer,import,2026-06-09T17:00:00+02:00,2026-06-09T21:00:00+02:00,110,ALL
871694600000010017,import,2026-06-09T17:00:00+02:00,2026-06-09T21:00:00+02:00,8,ALL
"""


def parse_signals(
    text: str, source: str, upload_id: str, sender: str, received_at: datetime
) -> list[CapacitySignal]:
    """Return one signal per group and direction of a file.

    Parameters
    ----------
    text
        The file.
    source
        Its name for errors.
    upload_id
        Begins the signals' ids.
    sender
        Who sent it.
    received_at
        When it came.

    Raises
    ------
    DocumentError
        With every line that is no block.
    """
    _, rows = split_csv(text, source, COLUMNS, PHASE_COLUMNS)
    problems: list[Problem] = []
    expected = "a block like transformer,import,2026-06-09T15:00Z,2026-06-09T19:00Z,110"
    blocks: dict[tuple[str, Direction], list[Block]] = defaultdict(list)
    for _, (group, direction, block) in parse_rows(rows, _parse_row, expected, problems):
        blocks[group, direction].append(block)
    if not rows:
        problems.append(Problem("", "there are no blocks: add lines below the header"))
    refuse(source, problems)
    return [
        CapacitySignal(
            id=f"{upload_id}-{number}",
            source=SignalSource.CSV,
            sender=sender,
            group=group,
            direction=direction,
            kind=SignalKind.LIMIT,
            blocks=tuple(each),
            received_at=received_at,
        )
        for number, ((group, direction), each) in enumerate(blocks.items(), start=1)
    ]


def _parse_row(cells: tuple[str, ...]) -> tuple[str, Direction, Block]:
    group, direction, start, end, limit, *rest = cells
    phase = Phase(rest[0].upper()) if rest and rest[0] else Phase.ALL
    block = Block(
        to_utc(datetime.fromisoformat(start)), to_utc(datetime.fromisoformat(end)), float(limit), phase
    )
    return group, Direction(direction.lower()), block
