"""A socket's truth: the past stands, the future follows the last word, meters only rise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from simulator.vehicle.charging import PAUSE, BatteryState, Offer
from simulator.vehicle.model import VehicleModel
from simulator.vehicle.socket import Socket

HOURS = 2
SECONDS = HOURS * 3600
CAR = VehicleModel(
    name="Test car",
    capacity_kwh=40.0,
    phases=3,
    max_current_a=16.0,
    max_discharge_current_a=16.0,
    transition_soc_fraction=0.8,
    loss_fixed_kw=0.2,
    loss_fraction=0.06,
    discharge_loss_fraction=0.05,
)
offers = st.one_of(
    st.just(PAUSE),
    st.floats(6.0, 16.0).map(Offer),
    st.floats(-11.0, 11.0).map(lambda power_kw: Offer(16.0, power_kw)),
)
scripts = st.lists(st.tuples(st.integers(1, SECONDS - 1), offers), max_size=6, unique_by=lambda one: one[0])


class Book:
    """Writes down every second, as `Truth` does."""

    def __init__(self) -> None:
        self.power_kw = np.zeros(SECONDS)

    def write(self, row: int, start_s: int, power_kw: NDArray[np.float64]) -> None:
        end = min(start_s + len(power_kw), SECONDS)
        self.power_kw[start_s:end] = power_kw[: end - start_s]


def _run(script: list[tuple[int, Offer]], soc: float, looks: list[int]) -> tuple[Book, Socket, BatteryState]:
    """Let a script happen as it goes along, looking at the meter in between."""
    book = Book()
    socket = Socket(0, book, bidirectional=True)
    socket.plug_in(CAR, BatteryState(soc * CAR.capacity_kwh), 0)
    words: list[tuple[int, Offer | None]] = [*script, *((at, None) for at in looks)]
    todo = sorted(words, key=lambda one: one[0])
    readings = []
    for at, offer in todo:
        readings.append(socket.registers(at))
        if offer is not None:
            socket.offer([(at, offer)], at)
    socket.advance_to(SECONDS)
    assert [one.import_kwh for one in readings] == sorted(one.import_kwh for one in readings)
    assert [one.export_kwh for one in readings] == sorted(one.export_kwh for one in readings)
    battery = socket.battery(SECONDS)
    assert battery is not None
    return book, socket, battery


@settings(deadline=None, max_examples=40)
@given(scripts, st.floats(0.1, 0.95), st.lists(st.integers(0, SECONDS), max_size=5))
def test_meter_counts_what_the_truth_shows(
    script: list[tuple[int, Offer]], soc: float, looks: list[int]
) -> None:
    book, socket, _ = _run(script, soc, looks)
    registers = socket.registers(SECONDS)
    assert registers.import_kwh == pytest.approx(np.maximum(book.power_kw, 0.0).sum() / 3600.0, abs=1e-9)
    assert registers.export_kwh == pytest.approx(np.maximum(-book.power_kw, 0.0).sum() / 3600.0, abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(scripts, st.floats(0.1, 0.95), st.lists(st.integers(0, SECONDS), max_size=5))
def test_looking_changes_nothing(script: list[tuple[int, Offer]], soc: float, looks: list[int]) -> None:
    watched, _, one = _run(script, soc, looks)
    alone, _, other = _run(script, soc, [])
    assert watched.power_kw == pytest.approx(alone.power_kw, abs=1e-6)
    assert one.energy_kwh == pytest.approx(other.energy_kwh, abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(scripts, st.floats(0.1, 0.95))
def test_schedule_in_advance_is_the_same_as_word_by_word(script: list[tuple[int, Offer]], soc: float) -> None:
    followed, _, _ = _run(script, soc, [])
    book = Book()
    socket = Socket(0, book, bidirectional=True)
    socket.plug_in(CAR, BatteryState(soc * CAR.capacity_kwh), 0)
    socket.offer([(0, PAUSE), *sorted(script, key=lambda one: one[0])], 0)
    socket.advance_to(SECONDS)
    assert book.power_kw == pytest.approx(followed.power_kw, abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(scripts, st.floats(0.1, 0.95))
def test_power_stays_within_every_offer(script: list[tuple[int, Offer]], soc: float) -> None:
    book, _, _ = _run(script, soc, [])
    upper = np.zeros(SECONDS)
    for at, offer in sorted(script, key=lambda one: one[0]):
        upper[at:] = offer.current_a * 0.69
        if offer.setpoint_kw is not None:
            upper[at:] = min(upper[at], max(offer.setpoint_kw, 0.0))
    assert np.all(book.power_kw <= upper + 1e-6)


def test_one_way_socket_takes_nothing_back() -> None:
    book = Book()
    socket = Socket(0, book, bidirectional=False)
    socket.plug_in(CAR, BatteryState(30.0), 0)
    socket.offer([(0, Offer(16.0, -7.0))], 0)
    socket.advance_to(SECONDS)
    assert not book.power_kw.any()


def test_car_wakes_some_seconds_after_a_pause() -> None:
    book = Book()
    socket = Socket(0, book)
    socket.plug_in(CAR, BatteryState(10.0), 0)
    socket.offer([(0, Offer(16.0)), (600, PAUSE), (1200, Offer(16.0))], 0)
    socket.advance_to(SECONDS)
    assert not book.power_kw[: CAR.wake_delay_s].any()
    assert book.power_kw[CAR.wake_delay_s] > 0.0
    assert not book.power_kw[600 : 1200 + CAR.wake_delay_s].any()
    assert book.power_kw[1200 + CAR.wake_delay_s] == pytest.approx(11.04)


def test_unplugged_socket_is_idle_and_the_next_car_starts_anew() -> None:
    book = Book()
    socket = Socket(0, book)
    socket.plug_in(CAR, BatteryState(10.0), 0)
    socket.offer([(0, Offer(16.0))], 0)
    left = socket.unplug(1000)
    assert left.energy_kwh > 10.0
    socket.plug_in(CAR, BatteryState(5.0), 2000)
    socket.advance_to(SECONDS)
    assert not book.power_kw[1000:].any()
    assert socket.registers(SECONDS).import_kwh == socket.registers(1000 + 1000).import_kwh


def test_past_cannot_be_changed() -> None:
    socket = Socket(0, Book())
    socket.plug_in(CAR, BatteryState(10.0), 100)
    with pytest.raises(AssertionError, match="past"):
        socket.offer([(50, PAUSE)], 50)
