"""What each kind of fault does to a station when it begins and when it ends; any of them at the same time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from simulator.client.station import StationClient
from simulator.faults.link import Link
from simulator.faults.scenario import FaultKind
from simulator.faults.schedule import FaultEvent
from simulator.station.evse import Defect
from simulator.station.messages import Context


def _nobody_pulls(evse_id: int) -> None:
    del evse_id


@dataclass(eq=False)
class Patient:
    """A station that faults act on.

    Parameters
    ----------
    client
        It, on the wire.
    link
        What it is connected over.
    pull
        Takes the car of a socket away.
    blocked
        Sockets in front of which somebody else stands.
    """

    client: StationClient
    link: Link
    pull: Callable[[int], None] = _nobody_pulls
    blocked: set[int] = field(default_factory=set)


Deed = Callable[[Patient, FaultEvent, datetime], None]


def _over_at_once(patient: Patient, event: FaultEvent, now: datetime) -> None:
    """Leave things as they are."""
    del patient, event, now


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a kind of fault does.

    Parameters
    ----------
    begin, end
        To the station, at an instant.
    """

    begin: Deed
    end: Deed = _over_at_once


def _count_link(name: str) -> Behaviour:
    """Return a fault of the link that counts itself in a field, so that two of them may overlap."""

    def change(patient: Patient, by: int) -> None:
        setattr(patient.link, name, getattr(patient.link, name) + by)

    return Behaviour(lambda patient, *_: change(patient, 1), lambda patient, *_: change(patient, -1))


def _set_link(name: str) -> Behaviour:
    """Return a fault of the link that sets a field to its value, and to 0 when it ends."""
    return Behaviour(
        lambda patient, event, _: setattr(patient.link, name, event.value),
        lambda patient, *_: setattr(patient.link, name, 0.0),
    )


def _end_storm(patient: Patient, event: FaultEvent, now: datetime) -> None:
    del event, now
    patient.link.down -= 1
    patient.client.hurry()


def _lose_power(patient: Patient, event: FaultEvent, now: datetime) -> None:
    del event
    patient.link.down += 1
    patient.client.firmware.lose_power(now)
    patient.client.forget_boot()


def _regain_power(patient: Patient, event: FaultEvent, now: datetime) -> None:
    del event
    patient.link.down -= 1
    patient.client.firmware.rebooted(now)


def _freeze_meter(patient: Patient, event: FaultEvent, now: datetime) -> None:
    firmware = patient.client.firmware
    evse = firmware.evses[event.evse_id]
    evse.frozen = evse.read(firmware.second_of(now), now, Context.TRIGGER)


def _thaw_meter(patient: Patient, event: FaultEvent, now: datetime) -> None:
    del now
    patient.client.firmware.evses[event.evse_id].frozen = None


def _break_socket(make: Callable[[FaultEvent], Defect]) -> Behaviour:
    """Return a defect of a socket that is there until it ends."""

    def begin(patient: Patient, event: FaultEvent, now: datetime) -> None:
        patient.client.firmware.break_socket(event.evse_id, event.kind.value, make(event), now)

    def end(patient: Patient, event: FaultEvent, now: datetime) -> None:
        patient.client.firmware.mend_socket(event.evse_id, event.kind.value, now)

    return Behaviour(begin, end)


_DOWN = _count_link("down")
BEHAVIOURS: dict[FaultKind, Behaviour] = {
    FaultKind.LINK_DROP: _DOWN,
    FaultKind.RECONNECT_STORM: Behaviour(_DOWN.begin, _end_storm),
    FaultKind.LINK_HALF_OPEN: _count_link("half_open"),
    FaultKind.LINK_SLOW: _set_link("slow_s"),
    FaultKind.LINK_DUPLICATES: _set_link("duplicates_fraction"),
    FaultKind.LINK_REORDER: _set_link("reorder_s"),
    FaultKind.REBOOT: Behaviour(lambda patient, *_: patient.client.reboot()),
    FaultKind.POWER_LOSS: Behaviour(_lose_power, _regain_power),
    FaultKind.CABLE_PULLED: Behaviour(lambda patient, event, _: patient.pull(event.evse_id)),
    FaultKind.BLOCKED_BAY: Behaviour(
        lambda patient, event, _: patient.blocked.add(event.evse_id),
        lambda patient, event, _: patient.blocked.discard(event.evse_id),
    ),
    FaultKind.METER_FROZEN: Behaviour(_freeze_meter, _thaw_meter),
    FaultKind.OVER_TEMPERATURE: _break_socket(lambda event: Defect("HighTemperature", event.value)),
    FaultKind.LOCK_FAILURE: _break_socket(lambda _: Defect("ConnectorLockFailure")),
    FaultKind.RCD_TRIP: _break_socket(lambda _: Defect("GroundFailure", reason="GroundFault")),
    FaultKind.EMERGENCY_STOP: _break_socket(lambda _: Defect("OtherError", reason="EmergencyStop")),
}
