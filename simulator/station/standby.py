"""What a station's electronics take besides charging, which no socket's meter counts. Pure.

10 W for a socket that waits, 25 W while a car is plugged in (contactor, lock, communication): assumption.
"""

from __future__ import annotations

IDLE_KW, PLUGGED_KW = 0.010, 0.025


def standby_kwh(sockets: int, hours: float, plugged_hours: float) -> float:
    """Return what the electronics of some sockets took [kWh].

    Parameters
    ----------
    sockets
        How many.
    hours
        How long [h].
    plugged_hours
        For how much of it cars were plugged in, all sockets together [h].
    """
    return IDLE_KW * (sockets * hours - plugged_hours) + PLUGGED_KW * plugged_hours
