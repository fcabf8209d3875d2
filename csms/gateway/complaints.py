"""What is logged about one connection: enough to find the fault, not enough to fill the disk."""

from __future__ import annotations

import logging
from typing import Any, Final

logger = logging.getLogger(__name__)

# A station with a fault repeats it every minute, and a hostile one a thousand times a second.
MAX_COMPLAINTS: Final = 20


class Complaints:
    """Logs the first complaints about a connection; the counters count them all.

    Parameters
    ----------
    station_id
        Whom they are about.
    """

    def __init__(self, station_id: str) -> None:
        self._station_id = station_id
        self._left = MAX_COMPLAINTS

    def add(self, message: str, *arguments: Any) -> None:
        """Log a warning; arguments that come from the street belong in ``%r`` fields of bounded width."""
        if self._left == 0:
            return
        self._left -= 1
        last = "" if self._left else " (further ones on this connection are only counted)"
        logger.warning(f"station %s: {message}%s", self._station_id, *arguments, last)  # noqa: G004
