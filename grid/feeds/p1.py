"""DSMR P1: telegrams of a smart meter over TCP, read by a client that reconnects.

The reader is sans-I/O (bytes in, readings out) and expects hostile input: its buffer is bounded, and a
telegram that is damaged or makes no sense is counted and skipped. Format: DSMR P1 companion standard 5.0.2.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Protocol

from grid.errors import WijkstroomError

MAX_TELEGRAM_BYTES = 16_384
_CRC_POLYNOMIAL = 0xA001


def _crc_of_byte(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ _CRC_POLYNOMIAL if byte & 1 else byte >> 1
    return byte


# A street reads tens of thousands of telegrams a day on the loop that also serves its stations.
_CRC_TABLE = tuple(_crc_of_byte(byte) for byte in range(256))
_OFFSETS = {"S": timezone(timedelta(hours=2)), "W": timezone(timedelta(hours=1))}
_TIMESTAMP = re.compile(r"(\d{12})([SW])")
_QUANTITY = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\*(kWh|kW)")
_LINE = re.compile(r"(\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3})\(([^()]*)\)")
_CRC_LINE = re.compile(rb"!([0-9A-Fa-f]{4})\r?\n")
_READ_BYTES = 4096


class TelegramError(WijkstroomError):
    """A telegram is damaged, incomplete or makes no sense."""


class ChecksumError(TelegramError):
    """A telegram's CRC does not match its content."""


@dataclass(frozen=True, slots=True)
class MeterReading:
    """What a meter said.

    Parameters
    ----------
    at
        The meter's own timestamp (UTC).
    import_kwh, export_kwh
        Registers, all tariffs together [kWh].
    power_kw
        Present power, > 0 when taken from the grid [kW].
    """

    at: datetime
    import_kwh: float
    export_kwh: float
    power_kw: float


class MeterSource(Protocol):
    """Anything that reads a meter."""

    def readings(self) -> AsyncIterator[MeterReading]:
        """Yield readings as they come, until closed."""
        ...


@dataclass(slots=True)
class TelegramCounters:
    """What a reader met.

    Parameters
    ----------
    telegrams
        Valid telegrams.
    bad_checksums
        Telegrams with a wrong CRC.
    malformed
        Telegrams with a right CRC that lack a value or hold nonsense.
    discarded_bytes
        Bytes that belonged to no telegram, or to one that was too long.
    """

    telegrams: int = 0
    bad_checksums: int = 0
    malformed: int = 0
    discarded_bytes: int = 0


def compute_crc16(data: bytes) -> int:
    """Compute the CRC16 of P1 (polynomial x16 + x15 + x2 + 1, least significant bit first, start value 0)."""
    crc = 0
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc


def parse_telegram(telegram: bytes) -> MeterReading:
    """Read one telegram, from ``/`` to the CRC line.

    Raises
    ------
    ChecksumError
        When the CRC does not match.
    TelegramError
        When it does not begin with ``/``, has no CRC, or a needed value is missing, repeated or malformed.
    """
    end = telegram.rfind(b"!")
    match = _CRC_LINE.fullmatch(telegram[end:]) if end >= 0 else None
    if not telegram.startswith(b"/") or match is None:
        raise TelegramError(
            "a telegram begins with '/' and ends with '!', four hexadecimal digits and a line end"
        )
    expected, stated = compute_crc16(telegram[: end + 1]), int(match[1], 16)
    if expected != stated:
        raise ChecksumError(f"the checksum should be {expected:04X}, not {stated:04X}")
    values = _read_lines(telegram[:end])
    return MeterReading(
        at=_read_timestamp(values),
        import_kwh=_read_register(values, "1"),
        export_kwh=_read_register(values, "2"),
        power_kw=_read_quantity(values, "1-0:1.7.0", "kW") - _read_quantity(values, "1-0:2.7.0", "kW"),
    )


def _read_lines(body: bytes) -> dict[str, str]:
    try:
        text = body.decode("ascii")
    except UnicodeDecodeError as error:
        raise TelegramError(f"a telegram is ASCII: {error}") from error
    values: dict[str, str] = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line.strip())
        if match is None:
            continue  # identification, blank lines, and objects with several values, which are not ours
        if match[1] in values:
            raise TelegramError(f"{match[1]} stands twice")
        values[match[1]] = match[2]
    return values


def _read_timestamp(values: dict[str, str]) -> datetime:
    match = _TIMESTAMP.fullmatch(values.get("0-0:1.0.0", ""))
    if match is None:
        raise TelegramError("0-0:1.0.0 must be a timestamp like 240611140000S")
    try:
        local = datetime.strptime(match[1], "%y%m%d%H%M%S").replace(tzinfo=_OFFSETS[match[2]])
    except ValueError as error:
        raise TelegramError(f"0-0:1.0.0 is no date: {match[1]}") from error
    return local.astimezone(UTC)


def _read_register(values: dict[str, str], direction: str) -> float:
    """Sum the two tariff registers of a direction, or read the total where a meter has only that."""
    total = f"1-0:{direction}.8.0"
    if total in values:
        return _read_quantity(values, total, "kWh")
    return sum(_read_quantity(values, f"1-0:{direction}.8.{tariff}", "kWh") for tariff in (1, 2))


def _read_quantity(values: dict[str, str], code: str, unit: str) -> float:
    match = _QUANTITY.fullmatch(values.get(code, ""))
    if match is None or match[2] != unit:
        raise TelegramError(f"{code} must be a number of {unit}, not {values.get(code, 'missing')!r}")
    return float(match[1])


class TelegramReader:
    """Cuts a stream of bytes into telegrams; keeps the most of ``MAX_TELEGRAM_BYTES``."""

    def __init__(self) -> None:
        self.counters = TelegramCounters()
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[MeterReading]:
        """Take bytes as they come and return the readings that they complete."""
        readings = []
        for begin in range(0, len(data), MAX_TELEGRAM_BYTES):
            self._buffer += data[begin : begin + MAX_TELEGRAM_BYTES]
            readings += [
                reading for telegram in self._cut() if (reading := self._parse(telegram)) is not None
            ]
            self._bound()
        return readings

    def reset(self) -> None:
        """Forget a half telegram, as after a lost connection."""
        self._discard(len(self._buffer))

    def _cut(self) -> Iterator[bytes]:
        while (match := _CRC_LINE.search(self._buffer)) is not None:
            # The last '/' at a line's begin: what precedes it is the rest of a telegram whose end was lost.
            begin = max(self._buffer.rfind(b"\n/", 0, match.start()) + 1, 0)
            if not self._buffer.startswith(b"/", begin):
                begin = match.end()
            self._discard(begin)
            telegram = bytes(self._buffer[: match.end() - begin])
            del self._buffer[: match.end() - begin]
            if telegram:
                yield telegram

    def _parse(self, telegram: bytes) -> MeterReading | None:
        try:
            reading = parse_telegram(telegram)
        except ChecksumError:
            self.counters.bad_checksums += 1
        except TelegramError:
            self.counters.malformed += 1
        else:
            self.counters.telegrams += 1
            return reading
        return None

    def _bound(self) -> None:
        if len(self._buffer) > MAX_TELEGRAM_BYTES:
            self._discard(len(self._buffer))
        elif self._buffer and not self._buffer.startswith(b"/"):
            begin = self._buffer.find(b"\n/") + 1
            if begin > 0:
                self._discard(begin)

    def _discard(self, count: int) -> None:
        self.counters.discarded_bytes += count
        del self._buffer[:count]


@dataclass
class P1Client:
    """A meter behind a TCP port, as P1 readers on a network offer it.

    Waits are real time: they belong to the network, not to the street.

    Parameters
    ----------
    host, port
        Where the telegrams come from.
    reconnect_s
        Wait after the first lost or refused connection [s]; doubles up to ``reconnect_max_s``.
    reconnect_max_s
        Longest wait [s].
    silence_s
        A connection that says nothing for so long is taken for dead [s].
    """

    host: str
    port: int
    reconnect_s: float = 0.5
    reconnect_max_s: float = 30.0
    silence_s: float = 60.0
    reconnects: int = field(default=0, init=False)
    _reader: TelegramReader = field(default_factory=TelegramReader, init=False, repr=False)

    @property
    def counters(self) -> TelegramCounters:
        """What came over the line so far."""
        return self._reader.counters

    async def readings(self) -> AsyncGenerator[MeterReading]:
        """Yield readings for ever; connects again whenever the line is lost."""
        wait_s = self.reconnect_s
        while True:
            with suppress(OSError, TimeoutError):
                async with aclosing(self._read_connection()) as connection:
                    async for reading in connection:
                        wait_s = self.reconnect_s
                        yield reading
            self._reader.reset()
            self.reconnects += 1
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, self.reconnect_max_s)

    async def _read_connection(self) -> AsyncGenerator[MeterReading]:
        async with asyncio.timeout(self.silence_s):
            stream, writer = await asyncio.open_connection(self.host, self.port)
        try:
            while data := await self._read(stream):
                for reading in self._reader.feed(data):
                    yield reading
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _read(self, stream: asyncio.StreamReader) -> bytes:
        # Not wait_for: before Python 3.12 it swallows a cancellation that comes together with data.
        async with asyncio.timeout(self.silence_s):
            return await stream.read(_READ_BYTES)
