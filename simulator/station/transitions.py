"""The states of a connector and which may follow which: the table of OCPP 1.6, section 4.9. Pure.

A station checks itself against it: a change that the table does not know is told as the shortest way through.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise

from simulator.station.messages import ConnectorState as State

# Rows A to I of the table; Reserved (column 7) included.
FOLLOWERS: dict[State, frozenset[State]] = {
    State.AVAILABLE: frozenset(State) - {State.AVAILABLE, State.FINISHING},
    State.PREPARING: frozenset(
        {
            State.AVAILABLE,
            State.CHARGING,
            State.SUSPENDED_EV,
            State.SUSPENDED_EVSE,
            State.FINISHING,
            State.FAULTED,
        }
    ),
    State.CHARGING: frozenset(
        {
            State.AVAILABLE,
            State.SUSPENDED_EV,
            State.SUSPENDED_EVSE,
            State.FINISHING,
            State.UNAVAILABLE,
            State.FAULTED,
        }
    ),
    State.SUSPENDED_EV: frozenset(
        {
            State.AVAILABLE,
            State.CHARGING,
            State.SUSPENDED_EVSE,
            State.FINISHING,
            State.UNAVAILABLE,
            State.FAULTED,
        }
    ),
    State.SUSPENDED_EVSE: frozenset(
        {
            State.AVAILABLE,
            State.CHARGING,
            State.SUSPENDED_EV,
            State.FINISHING,
            State.UNAVAILABLE,
            State.FAULTED,
        }
    ),
    State.FINISHING: frozenset({State.AVAILABLE, State.PREPARING, State.UNAVAILABLE, State.FAULTED}),
    State.RESERVED: frozenset({State.AVAILABLE, State.PREPARING, State.UNAVAILABLE, State.FAULTED}),
    State.UNAVAILABLE: frozenset(
        {
            State.AVAILABLE,
            State.PREPARING,
            State.CHARGING,
            State.SUSPENDED_EV,
            State.SUSPENDED_EVSE,
            State.FAULTED,
        }
    ),
    State.FAULTED: frozenset(State) - {State.FAULTED},
}


@cache
def path_between(before: State, after: State) -> tuple[State, ...]:
    """Return the states to tell for a change, the new one last: the shortest way through the table."""
    waiting: deque[tuple[State, ...]] = deque([(before,)])
    while waiting:
        path = waiting.popleft()
        # A fault that is none is no way to anywhere.
        nexts = sorted(FOLLOWERS[path[-1]] - {State.FAULTED} | ({after} & FOLLOWERS[path[-1]]))
        for state in nexts:
            if state is after:
                return (*path[1:], state)
        waiting.extend((*path, state) for state in nexts if state not in path)
    raise AssertionError("every state can be reached from every other")


def find_violations(states: Iterable[State]) -> Iterator[tuple[State, State]]:
    """Yield every change in a row of states that the table does not know."""
    for before, after in pairwise(states):
        if before is not after and after not in FOLLOWERS[before]:
            yield before, after
