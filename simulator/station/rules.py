"""Small rules of a firmware that need nothing of its state. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from simulator.setup import Protocol, StationSetup
from simulator.station.messages import TransactionRecord
from simulator.station.profiles import Profile, ProfileRules
from simulator.station.quirks import Quirk
from simulator.vehicle.charging import Offer


def profile_rules(setup: StationSetup) -> ProfileRules:
    """Return how a station treats profiles, by its version and quirks."""
    old, quirks = setup.protocol is Protocol.V16, setup.quirks
    return ProfileRules(
        max_periods=setup.max_periods,
        max_stack_level=setup.max_stack_level,
        same_level_replaces=old,
        needs_period=not old,
        keeps_tx_profiles=(old or Quirk.KEEPS_TX_PROFILES in quirks)
        and Quirk.FORGETS_TX_PROFILES not in quirks,
    )


def hold_until(profile: Profile, offline_since_s: float) -> Profile:
    """Return a profile as it holds without a connection since an instant [s since 1970 UTC]."""
    if profile.max_offline_s is None:
        return profile
    end_s = offline_since_s + profile.max_offline_s
    valid_to_s = end_s if profile.valid_to_s is None else min(end_s, profile.valid_to_s)
    return replace(profile, valid_to_s=valid_to_s)


def next_sequence(record: TransactionRecord) -> int:
    """Return the number of a transaction's next event, and count it."""
    sequence, record.sequence = record.sequence, record.sequence + 1
    return sequence


def next_multiple(begin: datetime, interval_s: int, instant: datetime) -> datetime:
    """Return the first instant after ``instant`` that lies whole intervals after ``begin``."""
    interval = timedelta(seconds=interval_s)
    return begin + ((instant - begin) // interval + 1) * interval


def last_per_second(offers: list[tuple[int, Offer]]) -> list[tuple[int, Offer]]:
    """Return of the offers that begin in the same second the last one."""
    return list(dict(offers).items())
