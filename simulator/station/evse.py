"""One EVSE of a station: a socket, the car at it, its transaction, and what its meter says."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from simulator.setup import EvseSetup
from simulator.station.composite import Transaction
from simulator.station.messages import (
    ChargingState,
    ConnectorState,
    Context,
    DirectNeeds,
    Measured,
    Needs,
    Reading,
    TransactionRecord,
)
from simulator.station.pilot import PilotState, pilot_state
from simulator.station.settings import MEASURANDS
from simulator.vehicle.charging import BatteryState, Offer, energy_at_socket_kwh, stop_energy_kwh
from simulator.vehicle.model import VehicleModel
from simulator.vehicle.socket import Socket

W_PER_KW = 1000.0
WH_PER_KWH = 1000.0
PERCENT = 100.0
NO_ERROR = "NoError"
_CONNECTOR_STATES = {
    ChargingState.CHARGING: ConnectorState.CHARGING,
    ChargingState.EV_CONNECTED: ConnectorState.PREPARING,
    ChargingState.IDLE: ConnectorState.FINISHING,
    ChargingState.SUSPENDED_EV: ConnectorState.SUSPENDED_EV,
    ChargingState.SUSPENDED_EVSE: ConnectorState.SUSPENDED_EVSE,
}


@dataclass(frozen=True, slots=True)
class PlugIn:
    """A car that is plugged in.

    Parameters
    ----------
    model, battery
        The car.
    token
        The card that its driver holds to the reader.
    communicates
        Whether it tells needs and state of charge over ISO 15118.
    departure
        When it says that it leaves, None when it does not say.
    target_fraction
        State of charge that it asks for.
    cable_current_a
        What the cable carries on each phase [A].
    """

    model: VehicleModel
    battery: BatteryState
    token: str
    communicates: bool = False
    departure: datetime | None = None
    target_fraction: float = 1.0
    cable_current_a: float = 32.0


@dataclass(frozen=True, slots=True)
class Defect:
    """Something at a socket that is broken.

    Parameters
    ----------
    error
        Its error code in the words of OCPP 1.6.
    current_fraction
        Part of the current that is left; 0: the connector is faulted.
    reason
        With which it ends a running transaction; None when it does not.
    """

    error: str
    current_fraction: float = 0.0
    reason: str | None = None


class Evse:
    """One EVSE.

    Parameters
    ----------
    setup
        Its number and phase rotation.
    socket
        Its hardware.
    max_current_a
        What the hardware carries per phase [A].
    """

    def __init__(self, setup: EvseSetup, socket: Socket, max_current_a: float) -> None:
        self.setup = setup
        self.socket = socket
        self.max_current_a = max_current_a
        self.plug: PlugIn | None = None
        self.record: TransactionRecord | None = None
        self.finished = False
        self.operative = True
        self.reports_capacity = False
        self.rectifies = False
        self.reported = (ConnectorState.AVAILABLE, NO_ERROR)
        self.powered = True
        self.reserved = False
        self.defects: dict[str, Defect] = {}
        self.frozen: Reading | None = None

    @property
    def id(self) -> int:
        """Its number in the station."""
        return self.setup.id

    @property
    def transaction(self) -> Transaction | None:
        """The running transaction as the profiles see it."""
        if self.record is None:
            return None
        return Transaction(self.record.id, self.record.started_at.timestamp())

    @property
    def error(self) -> str:
        """What is wrong with it, in the words of OCPP 1.6."""
        return next((one.error for one in self.defects.values()), NO_ERROR)

    @property
    def current_fraction(self) -> float:
        """What its defects leave of the current."""
        return min((one.current_fraction for one in self.defects.values()), default=1.0)

    @property
    def refusal(self) -> str | None:
        """Why it cannot be reserved, in the standards' word; None when it can."""
        if not self.operative:
            return "Unavailable"
        if self.current_fraction == 0.0:
            return "Faulted"
        return None if self.plug is None else "Occupied"

    def limited(self, offer: Offer) -> Offer:
        """Return what its defects and the cable leave of an offer."""
        left = self.current_fraction
        # A cable for direct current is the station's own.
        cable_a = math.inf if self.plug is None or self.rectifies else self.plug.cable_current_a
        if left >= 1.0 and offer.current_a <= cable_a:
            return offer
        setpoint_kw = None if offer.setpoint_kw is None else left * offer.setpoint_kw
        return replace(offer, current_a=min(left * offer.current_a, cable_a), setpoint_kw=setpoint_kw)

    def pilot(self, second: int) -> PilotState:
        """Return the state of its control pilot in a second."""
        return pilot_state(
            plugged=self.plug is not None,
            draws=self.plug is not None and self.socket.power_kw(second) != 0.0,
            faulted=self.current_fraction == 0.0 or not self.operative,
            powered=self.powered,
        )

    def connector_state(self) -> ConnectorState:
        """Return what the connector should report now."""
        if self.current_fraction == 0.0:
            return ConnectorState.FAULTED
        if self.record is None and not self.operative:
            return ConnectorState.UNAVAILABLE
        if self.plug is None:
            return ConnectorState.RESERVED if self.reserved else ConnectorState.AVAILABLE
        if self.record is None:
            return ConnectorState.FINISHING if self.finished else ConnectorState.PREPARING
        return _CONNECTOR_STATES[self.record.state]

    def charging_state(self, second: int) -> ChargingState:
        """Return the state of the transaction in a second."""
        assert self.record is not None, "asked only for a running transaction"
        if self.socket.power_kw(second) != 0.0:
            return ChargingState.CHARGING
        if not _offers_power(self.socket.offer_at(second)):
            return ChargingState.SUSPENDED_EVSE
        if self.socket.waking(second):
            return self.record.state
        return ChargingState.SUSPENDED_EV

    def read(
        self, second: int, at: datetime, context: Context, measurands: Collection[str] = MEASURANDS
    ) -> Reading:
        """Read some measurands at the begin of a second; power is that of the second before."""
        if self.frozen is not None:
            return replace(self.frozen, at=at, context=context)
        registers = self.socket.registers(second)
        power_kw = self.socket.recent_power_kw(second)
        values = [
            Measured("Energy.Active.Import.Register", registers.import_wh, "Wh"),
            Measured("Power.Active.Import", round(max(power_kw, 0.0) * W_PER_KW, 1), "W"),
            *self._currents(power_kw, second),
            *(Measured("Voltage", self.socket.voltage_v, "V", f"L{phase}-N") for phase in self._phases()),
        ]
        if self.socket.bidirectional:
            values.append(Measured("Energy.Active.Export.Register", registers.export_wh, "Wh"))
            values.append(Measured("Power.Active.Export", round(max(-power_kw, 0.0) * W_PER_KW, 1), "W"))
        soc = self._soc_fraction(second)
        if soc is not None:
            values.append(Measured("SoC", round(soc * PERCENT, 1), "Percent", location="EV"))
            values.extend(self._capacity())
        # A reading without any value is no message: the register is always there.
        asked = tuple(one for one in values if one.measurand in measurands) or (values[0],)
        return Reading(at, context, registers.import_wh, asked)

    def needs(self, second: int) -> Needs | None:
        """Return what the car says that it needs, None when it does not speak."""
        battery, car = self.socket.battery(second), self.socket.car
        if self.plug is None or battery is None or car is None or not self.plug.communicates:
            return None
        model, used = car.model, self.socket.phases_used
        both_ways = model.bidirectional and self.socket.bidirectional
        direct = self._direct_needs(battery) if self.rectifies else None
        target_kwh = min(self.plug.target_fraction * model.capacity_kwh, stop_energy_kwh(model, battery))
        missing_kwh = target_kwh - battery.energy_kwh
        if not both_ways and direct is None:
            missing_kwh = energy_at_socket_kwh(model, missing_kwh, used)
        return Needs(
            energy_kwh=missing_kwh,
            min_energy_kwh=model.reserve_soc_fraction * model.capacity_kwh - battery.energy_kwh,
            max_energy_kwh=model.capacity_kwh - battery.energy_kwh,
            departure=self.plug.departure,
            phases=used,
            min_current_a=model.min_current_a,
            max_current_a=min(model.max_current_a, self.max_current_a),
            voltage_v=self.socket.voltage_v,
            max_discharge_kw=model.power_kw(model.max_discharge_current_a, used) if both_ways else None,
            min_discharge_kw=model.power_kw(model.min_current_a, used) if both_ways else None,
            target_soc_fraction=self.plug.target_fraction,
            direct=direct,
        )

    def _direct_needs(self, battery: BatteryState) -> DirectNeeds:
        assert self.plug is not None, "asked only for a car that is there"
        model = self.plug.model
        return DirectNeeds(
            model.max_dc_power_kw,
            battery.energy_kwh / model.capacity_kwh,
            model.capacity_kwh,
            model.dc_transition_soc_fraction,
        )

    def _capacity(self) -> list[Measured]:
        """Return the size of the battery where the standard has a word for it."""
        if self.plug is None or not self.reports_capacity:
            return []
        capacity_wh = round(self.plug.model.capacity_kwh * WH_PER_KWH)
        return [Measured("Display.BatteryEnergyCapacity", capacity_wh, "Wh", location="EV")]

    def _phases(self) -> range:
        return range(1, (self.socket.phases_used or self.socket.phases) + 1)

    def _currents(self, power_kw: float, second: int) -> list[Measured]:
        used = self.socket.phases_at(second)
        if used == 0:
            return [Measured("Current.Import", 0.0, "A", f"L{phase}") for phase in self._phases()]
        current_a = round(abs(power_kw) * W_PER_KW / (self.socket.voltage_v * used), 2)
        name = "Current.Export" if power_kw < 0.0 else "Current.Import"
        return [
            Measured(name, current_a if phase <= used else 0.0, "A", f"L{phase}") for phase in self._phases()
        ]

    def _soc_fraction(self, second: int) -> float | None:
        battery = self.socket.battery(second)
        if self.plug is None or battery is None or not self.plug.communicates:
            return None
        return battery.energy_kwh / self.plug.model.capacity_kwh


def _offers_power(offer: Offer) -> bool:
    return offer.current_a > 0.0 or bool(offer.setpoint_kw)
