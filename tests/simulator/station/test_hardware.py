"""Chargers on board, cables, floors and rules of models: what the hardware does whatever it is told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from simulator.setup import EvseSetup, Protocol, StationSetup
from simulator.station.build import build_firmware
from simulator.station.evse import PlugIn
from simulator.station.quirks import Quirk, Quirks
from simulator.station.rules import profile_rules
from simulator.vehicle.charging import BatteryState, Offer, advance, requested_power_kw
from simulator.vehicle.model import VehicleModel, load_vehicle
from wijkstroom.resources import configs_directory

START = datetime(2024, 6, 11, 4, tzinfo=UTC)
CARS = configs_directory() / "vehicles"
ZOE, FIVE = (load_vehicle(CARS / f"{name}.toml") for name in ("renault-zoe-v2g", "renault-5"))


def charger(phases: int, current_a: float) -> VehicleModel:
    return VehicleModel(
        name="Test car",
        capacity_kwh=60.0,
        phases=phases,
        max_current_a=current_a,
        transition_soc_fraction=0.8,
        loss_fixed_kw=0.2,
        loss_fraction=0.06,
        wake_delay_s=0,
    )


@pytest.mark.parametrize(("phases", "car_a"), [(1, 16.0), (1, 32.0), (3, 16.0), (3, 32.0)])
@pytest.mark.parametrize("socket_a", [16.0, 32.0])
@pytest.mark.parametrize("cable_a", [13.0, 20.0, 32.0])
def test_the_least_of_socket_cable_and_charger(
    phases: int, car_a: float, socket_a: float, cable_a: float
) -> None:
    setup = StationSetup("S", "p", Protocol.V16, (EvseSetup(1),), max_current_a=socket_a)
    firmware = build_firmware(setup, START, lambda: "tx")
    plug = PlugIn(charger(phases, car_a), BatteryState(20.0), "TAG", cable_current_a=cable_a)
    firmware.plug_in(1, plug, START)
    firmware.authorized(1, "TAG", accepted=True, now=START)
    expected_kw = 0.23 * phases * min(car_a, socket_a, cable_a)
    assert firmware.evses[1].socket.power_kw(60) == pytest.approx(expected_kw)
    currents = [one.value for one in firmware.evses[1]._currents(expected_kw, 60)]
    assert currents == pytest.approx([min(car_a, socket_a, cable_a)] * phases, abs=0.01)


def test_the_taper_is_the_least_when_a_battery_fills() -> None:
    trace = advance(ZOE, BatteryState(0.95 * ZOE.capacity_kwh), 22.08, 60)
    assert 0.0 < trace.power_kw[-1] < 0.35 * 22.08


def test_the_pilots_zoe() -> None:
    assert requested_power_kw(ZOE, Offer(32.0), 3) == pytest.approx(22.08)
    assert requested_power_kw(ZOE, Offer(32.0, -22.0), 3) == pytest.approx(-11.04)
    # It is weak at low current: at 6 A it loses twice the part that it loses at 32 A.
    assert 1.0 - ZOE.efficiency(4.14) > 1.3 * (1.0 - ZOE.efficiency(22.08))
    floor = advance(ZOE, BatteryState(0.12 * ZOE.capacity_kwh), -11.04, 3600)
    assert floor.energy_kwh[-1] == pytest.approx(ZOE.reserve_soc_fraction * ZOE.capacity_kwh)
    assert floor.power_kw[-1] == 0.0


def test_the_renault_5_gives_back_what_it_takes() -> None:
    assert requested_power_kw(FIVE, Offer(16.0), 3) == pytest.approx(11.04)
    assert requested_power_kw(FIVE, Offer(16.0, -11.04), 3) == pytest.approx(-11.04)


@pytest.mark.parametrize("protocol", list(Protocol))
def test_profiles_of_transactions_after_a_reboot(protocol: Protocol) -> None:
    def keeps(*quirks: Quirk) -> bool:
        setup = StationSetup("S", "p", protocol, (EvseSetup(1),), quirks=Quirks(dict.fromkeys(quirks, 1.0)))
        return profile_rules(setup).keeps_tx_profiles

    assert keeps() == (protocol is Protocol.V16)
    assert keeps(Quirk.KEEPS_TX_PROFILES)
    assert not keeps(Quirk.FORGETS_TX_PROFILES)
