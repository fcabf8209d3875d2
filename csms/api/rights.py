"""Which role may do what: whatever is not listed here is for operators alone."""

from __future__ import annotations

from typing import Final

from csms.state.access import Role

_SEES: Final = frozenset({Role.GRID, Role.PLANNER, Role.CITY, Role.VIEWER})
_WORKS: Final = frozenset({Role.PLANNER, Role.VIEWER})
_GRID: Final = frozenset({Role.GRID})
_SERVES_DRIVERS: Final = frozenset({Role.DRIVER})

# By method and path below the API's prefix. Sessions name cards: the city and the grid read sums instead.
RIGHTS: Final[dict[tuple[str, str], frozenset[Role]]] = {
    ("GET", "/me"): frozenset(Role),
    ("GET", "/stations"): _SEES,
    ("GET", "/stations/{station_id}"): _WORKS,
    ("GET", "/stations/{station_id}/variables"): _WORKS,
    ("GET", "/limits"): _SEES,
    ("GET", "/meters"): _SEES,
    ("GET", "/plans"): _WORKS | _GRID,
    ("GET", "/plans/{plan_id}"): _WORKS | _GRID,
    ("GET", "/sessions"): _WORKS,
    ("GET", "/sessions/{session_id}"): _WORKS,
    ("GET", "/sessions.csv"): frozenset({Role.PLANNER}),
    ("PUT", "/sessions/{session_id}/declaration"): _SERVES_DRIVERS,
    ("DELETE", "/sessions/{session_id}/declaration"): _SERVES_DRIVERS,
    ("GET", "/bookings"): _SERVES_DRIVERS | _WORKS,
    ("PUT", "/bookings/{booking_id}"): _SERVES_DRIVERS,
    ("GET", "/signals"): _SEES,
    ("GET", "/signals/template.csv"): _SEES,
    ("POST", "/signals"): _GRID,
    ("POST", "/signals/csv"): _GRID,
    ("DELETE", "/signals/{sender}/{signal_id}"): _GRID,
    ("GET", "/tariffs"): frozenset(Role),
    ("GET", "/sessions/{session_id}/cost"): _SERVES_DRIVERS,
    ("PUT", "/sessions/{session_id}/choice"): _SERVES_DRIVERS,
    ("GET", "/compliance"): _SEES,
    ("GET", "/compliance.csv"): _SEES,
}


def may(role: Role, method: str, path: str) -> bool:
    """Say whether a role may use a route.

    Parameters
    ----------
    role
        Who asks.
    method, path
        The route, as it was declared below the prefix (``/stations/{station_id}``).
    """
    return role is Role.OPERATOR or role in RIGHTS.get((method, path), frozenset())
