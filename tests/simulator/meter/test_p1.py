"""The meters' telegrams, read by the client that the service uses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from grid.clock import ManualClock, settle
from grid.feeds.p1 import MeterReading, P1Client, compute_crc16, parse_telegram
from simulator.meter.p1 import P1Meter, P1Port, compute_checksum, write_telegram
from simulator.meter.register import Registers

TZ = ZoneInfo("Europe/Amsterdam")
START = datetime(2024, 6, 11, 4, 0, tzinfo=UTC)


@given(st.binary(max_size=400))
def test_both_sides_reckon_the_same_checksum(data: bytes) -> None:
    assert compute_checksum(data) == compute_crc16(data)


@given(
    st.integers(0, 10 * 365 * 86_400),
    st.floats(0.0, 99_999.0),
    st.floats(0.0, 99_999.0),
    st.floats(-99.0, 99.0),
)
def test_telegram_says_what_the_meter_reads(
    later_s: int, import_kwh: float, export_kwh: float, power_kw: float
) -> None:
    at = START + timedelta(seconds=later_s)
    registers = Registers(import_kwh, export_kwh)
    reading = parse_telegram(write_telegram(at, registers, power_kw, "T1", TZ))
    assert reading.at == at
    assert reading.import_kwh == registers.import_wh / 1000.0
    assert reading.export_kwh == registers.export_wh / 1000.0
    assert abs(reading.power_kw - power_kw) <= 0.0005 + 1e-9


def test_clock_change_in_autumn_tells_both_hours_apart() -> None:
    first = datetime(2024, 10, 27, 0, 30, tzinfo=UTC)
    telegrams = [
        write_telegram(first + timedelta(hours=hour), Registers(), 0.0, "T1", TZ) for hour in range(2)
    ]
    assert b"241027023000S" in telegrams[0]
    assert b"241027023000W" in telegrams[1]


def test_meter_counts_every_second_once() -> None:
    power_kw = np.sin(np.arange(3600) / 100.0) * 20.0
    meter = P1Meter("T1", lambda begin, end: power_kw[begin:end], START, TZ)
    for second in (0, 7, 10, 10, 600, 3600):
        meter.read(START + timedelta(seconds=second))
    assert np.isclose(meter.registers.import_kwh, np.maximum(power_kw, 0.0).sum() / 3600.0)
    assert np.isclose(meter.registers.export_kwh, np.maximum(-power_kw, 0.0).sum() / 3600.0)


async def _next(readings: AsyncGenerator[MeterReading]) -> MeterReading:
    return await asyncio.wait_for(anext(readings), 10)


async def _wait_for(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the kernel's doing, no event tells
            await asyncio.sleep(0)


async def test_client_reads_the_port_every_ten_simulated_seconds() -> None:
    clock = ManualClock(START)
    meter = P1Meter("T1", lambda begin, end: np.full(end - begin, 7.2), START, TZ)
    async with P1Port(meter, clock).open() as port:
        client = P1Client(port.host, port.port)
        async with aclosing(client.readings()) as readings:
            first = asyncio.ensure_future(_next(readings))
            await _wait_for(lambda: port.listeners == 1)
            await clock.advance(10)
            assert (await first).power_kw == 7.2
            await clock.advance(10)
            second = await _next(readings)
            assert second.at == START + timedelta(seconds=20)
            assert second.import_kwh == 0.04
        assert client.counters.bad_checksums == client.counters.malformed == 0


async def test_port_forgets_a_listener_that_hangs_up() -> None:
    clock = ManualClock(START)
    meter = P1Meter("T1", lambda begin, end: np.zeros(end - begin), START, TZ)
    async with P1Port(meter, clock).open() as port:
        _, writer = await asyncio.open_connection(port.host, port.port)
        await _wait_for(lambda: port.listeners == 1)
        writer.close()
        await writer.wait_closed()
        await _wait_for(lambda: port.listeners == 0)
        await clock.advance(10)
        await settle()
