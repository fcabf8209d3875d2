"""From profiles to what each socket offers: every EVSE's composite, the station's maximum divided."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simulator.station.composite import (
    Allowance,
    CompositeRules,
    Transaction,
    allowance_at,
    change_instants,
    evse_allowance_at,
)
from simulator.station.profiles import Profile
from simulator.vehicle.charging import Offer

MIN_CURRENT_A = 6.0


@dataclass(frozen=True, slots=True)
class OfferStep:
    """What a socket offers from an instant on [s since 1970 UTC]."""

    start_s: float
    offer: Offer


def compute_offers(
    profiles: Sequence[Profile],
    transactions: Mapping[int, Transaction],
    max_current_a: float,
    from_s: float,
    duration_s: float,
    rules: CompositeRules,
    shared_current_a: float = math.inf,
) -> dict[int, list[OfferStep]]:
    """Compute what every EVSE with a transaction offers.

    Parameters
    ----------
    profiles
        Everything installed at the station.
    transactions
        What runs, by EVSE, first come first.
    max_current_a
        What the hardware of each socket carries [A].
    from_s, duration_s
        The window [s since 1970 UTC, s].
    rules
        Voltage and reading of the standard.
    shared_current_a
        What the hardware of all sockets together carries [A].

    Returns
    -------
    dict
        Steps by EVSE, the first at ``from_s``.
    """
    instants = {from_s}
    for transaction in transactions.values():
        instants.update(change_instants(profiles, transaction, from_s, from_s + duration_s))
    steps: dict[int, list[OfferStep]] = {evse_id: [] for evse_id in transactions}
    for instant in sorted(instants):
        offers = _offers_at(profiles, transactions, max_current_a, instant, rules, shared_current_a)
        for evse_id, offer in offers.items():
            own = steps[evse_id]
            if not own or own[-1].offer != offer:
                own.append(OfferStep(instant, offer))
    return steps


def _offers_at(
    profiles: Sequence[Profile],
    transactions: Mapping[int, Transaction],
    max_current_a: float,
    at_s: float,
    rules: CompositeRules,
    shared_current_a: float,
) -> dict[int, Offer]:
    station = min(allowance_at(profiles, 0, None, at_s, rules).current_a, shared_current_a)
    own = {
        evse_id: evse_allowance_at(profiles, evse_id, transaction, at_s, rules)
        for evse_id, transaction in transactions.items()
    }
    asked = {evse_id: _asked_current_a(allowance, max_current_a) for evse_id, allowance in own.items()}
    granted = divide_current(asked, station)
    return {evse_id: Offer(granted[evse_id], one.setpoint_kw, one.phases) for evse_id, one in own.items()}


def _asked_current_a(allowance: Allowance, max_current_a: float) -> float:
    if allowance.setpoint_kw is not None and allowance.setpoint_kw <= 0.0:
        return 0.0
    return min(allowance.current_a, max_current_a)


def divide_current(asked_a: Mapping[int, float], limit_a: float) -> dict[int, float]:
    """Divide a station's current among its sockets: equally, and below 6 A each in turn as far as it goes.

    Parameters
    ----------
    asked_a
        What each may draw by its own profiles [A], first come first.
    limit_a
        What they may draw together [A].
    """
    if sum(asked_a.values()) <= limit_a:
        return dict(asked_a)
    granted = dict.fromkeys(asked_a, 0.0)
    active = [one for one, amperes in asked_a.items() if amperes >= MIN_CURRENT_A]
    # Those that come last wait when not everyone can have the least current of the standard.
    active = active[: int(limit_a // MIN_CURRENT_A)]
    left = limit_a
    for position, one in enumerate(sorted(active, key=lambda evse_id: asked_a[evse_id])):
        granted[one] = min(asked_a[one], left / (len(active) - position))
        left -= granted[one]
    return granted
