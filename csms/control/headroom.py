"""What the street has left at this moment: every bound, and the worst that every socket may do."""

from __future__ import annotations

from collections.abc import Collection

from csms.control.bounds import Surroundings, build_bounds
from csms.control.guard import Headroom, Worst, compute_worst
from csms.control.ledger import EvseKey, Ledger
from csms.state.station_state import StreetState


def find_free(state: StreetState, keys: Collection[EvseKey], ledger: Ledger) -> frozenset[EvseKey]:
    """Return the sockets without a session whose stations answer and confirmed their fallback.

    A station that was never heard of is not there yet: its sockets are free.

    Parameters
    ----------
    state
        The street.
    keys
        All sockets.
    ledger
        What they confirmed.
    """
    return frozenset(key for key in keys if _is_free(state, key, ledger))


def _is_free(state: StreetState, key: EvseKey, ledger: Ledger) -> bool:
    station = state.stations.get(key.station_id)
    if station is None or not (station.connected or station.booted_at):
        return True
    evse = station.evses.get(key.evse_id)
    return station.connected and ledger.is_guarded(key) and (evse is None or evse.session is None)


def build_headroom(
    around: Surroundings,
    keys: Collection[EvseKey],
    ledger: Ledger,
    ignoring: Collection[EvseKey] = (),
) -> Headroom:
    """Build the headroom of this moment.

    Parameters
    ----------
    around
        Limits, base load and sun; its free sockets are reserved for, all others count with their worst.
    keys
        All sockets.
    ledger
        What they were told.
    ignoring
        Sockets that were caught not doing what they confirmed: they count with their hardware.
    """
    edges = around.edges
    worst: dict[EvseKey, Worst] = {}
    for key in keys:
        if key in around.free:
            continue
        car = around.cars.get(key)
        if key in ignoring:
            worst[key] = compute_worst([ledger.hardware(key)], edges)
        elif car is None:
            worst[key] = compute_worst(ledger.curves(key, None), edges)
        else:
            curves = ledger.curves(key, car.session.id, car.phases / car.model.phases)
            worst[key] = compute_worst(curves, edges, max(-car.session.power_kw, 0.0))
    return Headroom(build_bounds(around), edges, worst)
