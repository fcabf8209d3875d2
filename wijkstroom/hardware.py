"""From a street's station table to simulated hardware: the two sides share the file, not the code."""

from __future__ import annotations

from csms.ocpp.dialects import DischargeDialect
from csms.settings import EvseConfig, PhaseRotation, StationConfig, StationModel
from simulator.setup import EvseSetup, Protocol, StationSetup
from wijkstroom.street import Street


def list_setups(street: Street) -> tuple[StationSetup, ...]:
    """Return the simulated stations of a street, in the order of its file."""
    return tuple(_build_setup(station, street.models[station.model]) for station in street.stations)


def _build_setup(station: StationConfig, model: StationModel) -> StationSetup:
    return StationSetup(
        id=station.id,
        connection_id=station.connection,
        protocol=Protocol(model.protocol.value),
        evses=tuple(_build_evse(evse) for evse in station.evses),
        vendor=model.vendor,
        model=model.model,
        phases=model.phases,
        max_current_a=model.max_current_a,
        rate_unit=model.rate_unit.value,
        max_periods=model.max_periods,
        max_stack_level=model.max_stack_level,
        bidirectional=model.discharge_dialect is not DischargeDialect.NONE,
    )


def _build_evse(evse: EvseConfig) -> EvseSetup:
    # What nobody has recorded is straight in the simulated world: something has to be true there.
    known = evse.phase_rotation is not PhaseRotation.UNKNOWN
    return EvseSetup(evse.id, evse.phase_rotation.value if known else PhaseRotation.RST.value)
