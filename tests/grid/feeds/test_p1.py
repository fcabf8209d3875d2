from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.clock import settle
from grid.feeds.p1 import (
    MAX_TELEGRAM_BYTES,
    ChecksumError,
    MeterReading,
    MeterSource,
    P1Client,
    TelegramError,
    TelegramReader,
    compute_crc16,
    parse_telegram,
)

HEAD = "/ISK5\\2M550T-1012\r\n\r\n"
NOON = ["1-3:0.2.8(50)", "0-0:1.0.0(240611140000S)", "0-0:96.1.1(4530303331)"]
REGISTERS = [
    "1-0:1.8.1(001234.567*kWh)",
    "1-0:1.8.2(000765.433*kWh)",
    "1-0:2.8.1(000010.000*kWh)",
    "1-0:2.8.2(000020.500*kWh)",
]
POWERS = ["1-0:1.7.0(00.000*kW)", "1-0:2.7.0(03.250*kW)"]
REST = ["0-0:96.14.0(0002)", "1-0:32.7.0(229.9*V)", "0-1:24.2.1(240611135959S)(00012.345*m3)"]
READING = MeterReading(datetime(2024, 6, 11, 12, tzinfo=UTC), 2000.0, 30.5, -3.25)


def telegram(*lines: str, head: str = HEAD) -> bytes:
    body = (head + "".join(line + "\r\n" for line in lines) + "!").encode("utf-8")
    return body + f"{compute_crc16(body):04X}\r\n".encode()


GOOD = telegram(*NOON, *REGISTERS, *POWERS, *REST)


# one telegram


def test_a_telegram_is_read() -> None:
    reading = parse_telegram(GOOD)
    assert reading.at == READING.at
    assert reading.import_kwh == pytest.approx(2000.0)
    assert reading.export_kwh == pytest.approx(30.5)
    assert reading.power_kw == pytest.approx(-3.25)


def test_the_checksum_is_that_of_the_standard() -> None:
    # CRC-16/ARC, the published check value of the nine digits.
    assert compute_crc16(b"123456789") == 0xBB3D


@pytest.mark.parametrize(
    ("stamp", "hour"),
    [("240611140000S", 12), ("241211140000W", 13), ("241027020000S", 0), ("241027020000W", 1)],
)
def test_summer_and_winter_time(stamp: str, hour: int) -> None:
    lines = [f"0-0:1.0.0({stamp})", *REGISTERS, *POWERS]
    assert parse_telegram(telegram(*lines)).at.hour == hour


def test_a_meter_with_one_total_register() -> None:
    lines = [*NOON, "1-0:1.8.0(000100.000*kWh)", "1-0:2.8.0(000007.000*kWh)", *POWERS]
    reading = parse_telegram(telegram(*lines))
    assert (reading.import_kwh, reading.export_kwh) == (100.0, 7.0)


def test_a_transformer_needs_more_digits_than_a_home() -> None:
    lines = [*NOON, *REGISTERS, "1-0:1.7.0(0212.345*kW)", "1-0:2.7.0(0000.000*kW)"]
    assert parse_telegram(telegram(*lines)).power_kw == pytest.approx(212.345)


def test_every_changed_byte_is_noticed() -> None:
    for index in range(1, len(GOOD) - 7):
        damaged = bytearray(GOOD)
        damaged[index] ^= 0x01
        with pytest.raises(TelegramError):
            parse_telegram(bytes(damaged))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([*REGISTERS, *POWERS], "0-0:1.0.0 must be a timestamp"),
        (["0-0:1.0.0(241311140000S)", *REGISTERS, *POWERS], "is no date"),
        (["0-0:1.0.0(240611140000)", *REGISTERS, *POWERS], "must be a timestamp"),
        ([*NOON, *REGISTERS], r"1-0:1.7.0 must be a number of kW, not 'missing'"),
        ([*NOON, *REGISTERS[1:], *POWERS], r"1-0:1.8.1 must be a number of kWh"),
        ([*NOON, *REGISTERS, "1-0:1.7.0(00.000*kWh)", POWERS[1]], "number of kW,"),
        ([*NOON, *REGISTERS, "1-0:1.7.0(-1.000*kW)", POWERS[1]], "number of kW"),
        ([*NOON, *REGISTERS, "1-0:1.7.0(nan*kW)", POWERS[1]], "number of kW"),
        ([*NOON, *REGISTERS, "1-0:1.7.0(1e300*kW)", POWERS[1]], "number of kW"),
        ([*NOON, *REGISTERS, "1-0:1.7.0(9999999999.0*kW)", POWERS[1]], "number of kW"),
        ([*NOON, *REGISTERS, *POWERS, POWERS[0]], r"1-0:1.7.0 stands twice"),
        ([*NOON, *REGISTERS, *POWERS, "0-0:96.13.0(é)"], "ASCII"),
    ],
)
def test_nonsense_with_a_right_checksum_is_refused(lines: list[str], message: str) -> None:
    with pytest.raises(TelegramError, match=message):
        parse_telegram(telegram(*lines))


def test_a_wrong_checksum_says_what_it_should_be() -> None:
    wrong = GOOD[:-6] + (b"0000\r\n" if GOOD[-6:-2] != b"0000" else b"0001\r\n")
    with pytest.raises(ChecksumError, match=GOOD[-6:-2].decode()):
        parse_telegram(wrong)


@pytest.mark.parametrize("data", [b"", b"/", b"!", GOOD[1:], GOOD[:-6], GOOD[:-3], GOOD + GOOD])
def test_what_is_no_telegram_is_refused(data: bytes) -> None:
    with pytest.raises(TelegramError):
        parse_telegram(data)


# a stream


def feed(reader: TelegramReader, data: bytes, size: int) -> list[MeterReading]:
    return [reading for at in range(0, len(data), size) for reading in reader.feed(data[at : at + size])]


@given(st.integers(1, 900), st.integers(1, 5))
def test_the_pieces_in_which_bytes_come_do_not_matter(size: int, count: int) -> None:
    reader = TelegramReader()
    assert len(feed(reader, GOOD * count, size)) == count
    assert reader.counters.telegrams == count
    assert reader.counters.discarded_bytes == 0


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 64))
def test_joining_in_the_middle_costs_one_telegram(begin: int, size: int) -> None:
    reader = TelegramReader()
    readings = feed(reader, GOOD[begin:] + GOOD + GOOD, size)
    assert len(readings) == (3 if begin == 0 else 2)


def test_a_telegram_whose_end_was_lost_costs_only_itself() -> None:
    reader = TelegramReader()
    readings = reader.feed(GOOD + GOOD[:200] + b"\r\n" + GOOD)
    assert len(readings) == 2
    assert reader.counters.discarded_bytes == 202


def test_damage_is_counted_by_its_kind() -> None:
    reader = TelegramReader()
    damaged = GOOD.replace(b"03.250", b"99.250")
    incomplete = telegram(*NOON, *REGISTERS)
    assert len(reader.feed(damaged + GOOD + incomplete + GOOD)) == 2
    assert (reader.counters.telegrams, reader.counters.bad_checksums, reader.counters.malformed) == (2, 1, 1)


def test_an_endless_telegram_is_thrown_away_and_the_next_one_read() -> None:
    reader = TelegramReader()
    for _ in range(50):
        assert reader.feed(b"/" + b"x" * 999) == []
        assert len(reader._buffer) <= MAX_TELEGRAM_BYTES + 1000
    assert len(reader.feed(b"x" * 10 * MAX_TELEGRAM_BYTES + b"\r\n" + GOOD)) == 1
    assert reader.counters.discarded_bytes > 10 * MAX_TELEGRAM_BYTES


@settings(max_examples=200)
@given(
    st.lists(
        st.binary(max_size=200) | st.just(GOOD) | st.sampled_from([b"/", b"\n/", b"!", b"!0000\r\n", b"\r\n"])
    )
)
def test_no_bytes_break_the_reader(pieces: list[bytes]) -> None:
    reader = TelegramReader()
    for piece in pieces:
        for reading in reader.feed(piece):
            assert reading == parse_telegram(GOOD)
        assert len(reader._buffer) <= MAX_TELEGRAM_BYTES
    reader.reset()
    assert len(reader.feed(GOOD)) == 1


@given(st.lists(st.binary(max_size=400).filter(lambda data: b"/" not in data), max_size=10))
def test_every_byte_is_either_part_of_a_telegram_or_discarded(pieces: list[bytes]) -> None:
    reader = TelegramReader()
    noise = b"".join(pieces)
    for piece in pieces:
        reader.feed(piece)
    reader.feed(b"\r\n" + GOOD)
    reader.reset()
    assert reader.counters.telegrams == 1
    assert reader.counters.discarded_bytes == len(noise) + 2


# the client

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def meter(serve: Serve, port: int = 0) -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def take(client: P1Client, count: int) -> list[MeterReading]:
    taken: list[MeterReading] = []
    async with asyncio.timeout(5), aclosing(client.readings()) as readings:
        async for reading in readings:
            taken.append(reading)
            if len(taken) == count:
                break
    return taken


async def test_a_client_reads_and_is_a_meter_source() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GOOD * 3)
        await writer.drain()
        await reader.read()

    async with meter(serve) as port:
        client = P1Client("127.0.0.1", port)
        source: MeterSource = client
        assert source is client
        assert await take(client, 3) == [parse_telegram(GOOD)] * 3
    assert client.reconnects == 0


async def test_a_client_comes_back_after_every_loss() -> None:
    visits = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal visits
        visits += 1
        writer.write(GOOD + GOOD[:100])
        await writer.drain()

    async with meter(serve) as port:
        client = P1Client("127.0.0.1", port, reconnect_s=0.01)
        assert len(await take(client, 4)) == 4
    assert visits >= 4
    assert client.reconnects == 3
    assert client.counters.discarded_bytes == 300


async def test_a_client_waits_for_a_meter_that_is_not_there_yet() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GOOD)
        await writer.drain()
        await reader.read()

    async with meter(serve) as port:
        pass
    client = P1Client("127.0.0.1", port, reconnect_s=0.01, reconnect_max_s=0.02)
    taking = asyncio.create_task(take(client, 1))
    await asyncio.sleep(0.05)
    assert not taking.done()
    async with meter(serve, port):
        assert len(await taking) == 1
    assert client.reconnects >= 1


async def test_a_silent_line_is_taken_for_dead() -> None:
    visits = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal visits
        visits += 1
        if visits > 1:
            writer.write(GOOD)
            await writer.drain()
        await reader.read()

    async with meter(serve) as port:
        client = P1Client("127.0.0.1", port, reconnect_s=0.01, silence_s=0.05)
        assert len(await take(client, 1)) == 1
    assert client.reconnects == 1


async def test_noise_does_not_stop_a_client() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(range(256)) * 400 + b"\r\n" + GOOD.replace(b"1.8.1", b"1.8.9") + GOOD)
        await writer.drain()
        await reader.read()

    async with meter(serve) as port:
        client = P1Client("127.0.0.1", port)
        assert await take(client, 1) == [parse_telegram(GOOD)]
    assert client.counters.bad_checksums == 1


async def test_a_cancelled_client_closes_its_line() -> None:
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GOOD)
        await reader.read()
        closed.set()

    async with meter(serve) as port:
        client = P1Client("127.0.0.1", port)
        taking = asyncio.create_task(take(client, 2))
        await asyncio.sleep(0.05)
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking
        await asyncio.wait_for(closed.wait(), 5)


@pytest.mark.parametrize("turns", range(5))
async def test_a_cancellation_that_comes_together_with_data_is_heard(
    monkeypatch: pytest.MonkeyPatch, turns: int
) -> None:
    stream = asyncio.StreamReader()

    class Writer:
        def close(self) -> None: ...

        async def wait_closed(self) -> None: ...

    async def connect(host: str, port: int) -> tuple[asyncio.StreamReader, Writer]:
        return stream, Writer()

    monkeypatch.setattr(asyncio, "open_connection", connect)

    async def follow() -> None:
        async for _ in P1Client("meter", 1).readings():
            pass

    following = asyncio.create_task(follow())
    await settle()
    stream.feed_data(b"/half a telegram")
    for _ in range(turns):
        await asyncio.sleep(0)
    following.cancel()
    await settle()
    assert following.cancelled()
