"""A smart meter's P1 port behind TCP: a DSMR telegram to everybody who listens, every ten seconds.

Format: DSMR P1 companion standard 5.0.2, the objects that a reader of energy and power needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from grid.clock import Clock
from simulator.meter.register import Registers

TELEGRAM_S = 10.0
# A listener that has not read so much is cut off: a real port has no memory at all.
MAX_UNREAD_BYTES = 256 * 1024
_SUMMER_OFFSET_H = 2.0
_CRC_POLYNOMIAL = 0xA001


def _shift(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (_CRC_POLYNOMIAL if byte & 1 else 0)
    return byte


_CRC_TABLE = tuple(_shift(byte) for byte in range(256))


def compute_checksum(text: bytes) -> int:
    """Compute CRC-16/ARC, which closes a telegram."""
    crc = 0
    for byte in text:
        crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc


def write_telegram(at: datetime, registers: Registers, power_kw: float, serial: str, tz: ZoneInfo) -> bytes:
    """Write one telegram.

    Parameters
    ----------
    at
        When (aware).
    registers
        What was counted so far; all of it stands in the second tariff.
    power_kw
        Present power, > 0 is taken from the grid [kW].
    serial
        Of the meter.
    tz
        Local time; a telegram knows summer time (UTC+2) and winter time (UTC+1).
    """
    local = at.astimezone(tz)
    given_kw = max(-power_kw, 0.0) + 0.0  # no minus sign before a zero
    offset = local.utcoffset()
    summer = offset is not None and offset.total_seconds() == _SUMMER_OFFSET_H * 3600.0
    lines = [
        "/WIJ5simulated",
        "",
        "1-3:0.2.8(50)",
        f"0-0:1.0.0({local:%y%m%d%H%M%S}{'S' if summer else 'W'})",
        f"0-0:96.1.1({serial.encode().hex().upper()})",
        "1-0:1.8.1(000000.000*kWh)",
        f"1-0:1.8.2({registers.import_wh / 1000.0:010.3f}*kWh)",
        "1-0:2.8.1(000000.000*kWh)",
        f"1-0:2.8.2({registers.export_wh / 1000.0:010.3f}*kWh)",
        "0-0:96.14.0(0002)",
        f"1-0:1.7.0({max(power_kw, 0.0) + 0.0:06.3f}*kW)",
        f"1-0:2.7.0({given_kw:06.3f}*kW)",
        "!",
    ]
    body = "\r\n".join(lines).encode("ascii")
    return body + f"{compute_checksum(body):04X}\r\n".encode("ascii")


PowerOf = Callable[[int, int], NDArray[np.float64]]


@dataclass
class P1Meter:
    """A meter that follows the truth.

    Parameters
    ----------
    serial
        Its number.
    power_of
        Power of the seconds from one (inclusive) to another (exclusive), > 0 is taken from the grid [kW].
    origin
        The instant of second 0 (aware).
    tz
        Local time of its telegrams.
    registers
        What it counts.
    """

    serial: str
    power_of: PowerOf
    origin: datetime
    tz: ZoneInfo
    registers: Registers = field(default_factory=Registers)
    _read_s: int = field(default=0, init=False)
    _power_kw: float = field(default=0.0, init=False)

    def read(self, now: datetime) -> bytes:
        """Count everything before an instant and return the telegram of it."""
        second = int((now - self.origin).total_seconds())
        if second > self._read_s:
            power_kw = self.power_of(self._read_s, second)
            self.registers.add(power_kw)
            self._read_s, self._power_kw = second, float(power_kw[-1])
        return write_telegram(now, self.registers, self._power_kw, self.serial, self.tz)


class P1Port:
    """The TCP port of a meter.

    Parameters
    ----------
    meter
        Whose telegrams it sends.
    clock
        Paces them.
    """

    def __init__(self, meter: P1Meter, clock: Clock) -> None:
        self._meter = meter
        self._clock = clock
        self._listeners: set[asyncio.StreamWriter] = set()
        self.host, self.port = "", 0
        self.cut_off = 0

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    @asynccontextmanager
    async def open(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[P1Port]:
        """Send telegrams for the length of the block."""
        server = await asyncio.start_server(self._welcome, host, port)
        self.host, self.port = server.sockets[0].getsockname()[:2]
        try:
            async with asyncio.TaskGroup() as group:
                ticking = group.create_task(self._tick())
                try:
                    yield self
                finally:
                    ticking.cancel()
        finally:
            server.close()
            for writer in list(self._listeners):
                self._drop(writer)
            await server.wait_closed()

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._listeners.add(writer)
        try:
            while await reader.read(1024):
                pass  # whatever a listener says, a meter does not hear it
        except OSError:
            pass
        finally:
            self._drop(writer)

    async def _tick(self) -> None:
        while True:
            telegram = self._meter.read(self._clock.now())
            for writer in list(self._listeners):
                if writer.transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
                    self.cut_off += 1
                    self._drop(writer)
                else:
                    writer.write(telegram)
            await self._clock.sleep(TELEGRAM_S)

    def _drop(self, writer: asyncio.StreamWriter) -> None:
        self._listeners.discard(writer)
        writer.close()
