"""An end whose messages are logged as they pass."""

from __future__ import annotations

from csms.gateway.transport import MessageEnd
from csms.ocpp.vocabulary import OcppVersion
from csms.state.journal import Journal, Way


class JournaledEnd:
    """Passes everything on, and tells the journal.

    Parameters
    ----------
    end
        The end itself.
    journal
        Who is told.
    station_id, version
        Who is at the other side.
    """

    def __init__(self, end: MessageEnd, journal: Journal, station_id: str, version: OcppVersion) -> None:
        self._end = end
        self._journal = journal
        self._station_id = station_id
        self._version = version

    async def recv(self) -> str | bytes:
        """Wait for the next message."""
        data = await self._end.recv()
        self._journal.note(self._station_id, self._version, Way.RECEIVED, data)
        return data

    async def send(self, text: str) -> None:
        """Send a message; only one that went is logged."""
        await self._end.send(text)
        self._journal.note(self._station_id, self._version, Way.SENT, text)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close."""
        await self._end.close(code, reason)
