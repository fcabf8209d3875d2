"""The composite schedule: what all profiles together allow one EVSE, as a step function of time. Pure.

Per purpose the valid profile of the highest stack level counts. A transaction's own profile replaces the
default; the result is the lowest of it, the station's maximum and external constraints, and never more than
the hardware.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from simulator.station.profiles import Kind, Profile, Purpose, SchedulePeriod

W_PER_KW = 1000.0


@dataclass(frozen=True, slots=True)
class Transaction:
    """What of a running transaction matters here.

    Parameters
    ----------
    id
        In the station's own numbering.
    started_s
        When it began: relative schedules begin then.
    """

    id: str
    started_s: float


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is allowed at one time.

    Parameters
    ----------
    current_a
        Upper bound per phase [A], infinite where nothing bounds it.
    setpoint_kw
        Commanded power, > 0 charges [kW]; None where nothing is commanded.
    phases
        Phases to feed; None where nothing says so or the station cannot choose.
    """

    current_a: float
    setpoint_kw: float | None = None
    phases: int | None = None


UNBOUNDED = Allowance(math.inf)


@dataclass(frozen=True, slots=True)
class Step:
    """An allowance from an instant on."""

    start_s: float
    allowance: Allowance


@dataclass(frozen=True, slots=True)
class CompositeRules:
    """What turns profiles into amperes.

    Parameters
    ----------
    voltage_v
        Voltage between phase and neutral [V].
    needs_period
        Whether a profile without a period at a time is passed over (2.x) or hides those below it (1.6).
    switches_phases
        Whether the station can feed fewer phases than it has.
    """

    voltage_v: float = 230.0
    needs_period: bool = True
    switches_phases: bool = False


def allowance_at(
    profiles: Sequence[Profile],
    evse_id: int,
    transaction: Transaction | None,
    at_s: float,
    rules: CompositeRules,
) -> Allowance:
    """Return what the profiles allow an EVSE at one time; for EVSE 0 the station's maximum.

    Parameters
    ----------
    profiles
        Everything installed.
    evse_id
        Which EVSE.
    transaction
        What runs on it.
    at_s
        When, in seconds since 1970 UTC.
    rules
        Voltage and reading of the standard.
    """
    station = _leading(profiles, Purpose.STATION_MAX, 0, None, at_s, rules)
    external = _leading(profiles, Purpose.EXTERNAL, 0, None, at_s, rules)
    own = UNBOUNDED
    if evse_id != 0:
        own = evse_allowance_at(profiles, evse_id, transaction, at_s, rules)
    bound = min(own.current_a, station.current_a, external.current_a)
    return Allowance(bound, own.setpoint_kw, own.phases)


def evse_allowance_at(
    profiles: Sequence[Profile],
    evse_id: int,
    transaction: Transaction | None,
    at_s: float,
    rules: CompositeRules,
) -> Allowance:
    """Return what an EVSE's own profiles allow: the transaction's, else the default."""
    if transaction is not None:
        tx = _leading_or_none(profiles, Purpose.TX, evse_id, transaction, at_s, rules)
        if tx is not None:
            return tx
    return _leading(profiles, Purpose.TX_DEFAULT, evse_id, transaction, at_s, rules)


def change_instants(
    profiles: Iterable[Profile], transaction: Transaction | None, from_s: float, to_s: float
) -> list[float]:
    """Return the instants in ``(from_s, to_s)`` at which an allowance may change, ascending."""
    found: set[float] = set()
    for profile in profiles:
        found.update(_instants(profile, transaction, from_s, to_s))
    return sorted(instant for instant in found if from_s < instant < to_s)


def compute_composite(
    profiles: Sequence[Profile],
    evse_id: int,
    transaction: Transaction | None,
    from_s: float,
    duration_s: float,
    rules: CompositeRules,
) -> list[Step]:
    """Compute the composite schedule of an EVSE, equal neighbours merged.

    Parameters
    ----------
    profiles
        Everything installed.
    evse_id
        Which EVSE; 0 for the station's maximum.
    transaction
        What runs on it.
    from_s, duration_s
        The window [s since 1970 UTC, s].
    rules
        Voltage and reading of the standard.
    """
    instants = [from_s, *change_instants(profiles, transaction, from_s, from_s + duration_s)]
    steps: list[Step] = []
    for instant in instants:
        allowance = allowance_at(profiles, evse_id, transaction, instant, rules)
        if not steps or steps[-1].allowance != allowance:
            steps.append(Step(instant, allowance))
    return steps


def _leading(
    profiles: Sequence[Profile],
    purpose: Purpose,
    evse_id: int,
    transaction: Transaction | None,
    at_s: float,
    rules: CompositeRules,
) -> Allowance:
    return _leading_or_none(profiles, purpose, evse_id, transaction, at_s, rules) or UNBOUNDED


def _leading_or_none(
    profiles: Sequence[Profile],
    purpose: Purpose,
    evse_id: int,
    transaction: Transaction | None,
    at_s: float,
    rules: CompositeRules,
) -> Allowance | None:
    candidates = [one for one in profiles if _applies(one, purpose, evse_id, transaction, at_s)]
    # On one level the EVSE's own default goes before the one for all.
    candidates.sort(key=lambda one: (one.stack_level, one.evse_id), reverse=True)
    for profile in candidates:
        period = period_at(profile, transaction, at_s)
        if period is not None:
            return _to_allowance(profile, period, rules)
        if not rules.needs_period:
            return None
    return None


def _applies(
    profile: Profile, purpose: Purpose, evse_id: int, transaction: Transaction | None, at_s: float
) -> bool:
    if profile.purpose is not purpose or profile.evse_id not in {0, evse_id}:
        return False
    if purpose is Purpose.TX and (transaction is None or profile.transaction_id != transaction.id):
        return False
    return (profile.valid_from_s is None or profile.valid_from_s <= at_s) and (
        profile.valid_to_s is None or at_s < profile.valid_to_s
    )


def _begin(profile: Profile, transaction: Transaction | None, at_s: float) -> float | None:
    """Return when the run of the schedule that covers ``at_s`` began."""
    if profile.kind is Kind.RELATIVE:
        return None if transaction is None else transaction.started_s
    assert profile.start_s is not None, "checked when installed"
    if profile.kind is Kind.RECURRING and profile.recurrence_s is not None and at_s >= profile.start_s:
        turns = (at_s - profile.start_s) // profile.recurrence_s
        return profile.start_s + turns * profile.recurrence_s
    return profile.start_s


def period_at(profile: Profile, transaction: Transaction | None, at_s: float) -> SchedulePeriod | None:
    """Return the period of a profile's schedule at a time, None before its begin and after its end."""
    begin_s = _begin(profile, transaction, at_s)
    if begin_s is None or at_s < begin_s:
        return None
    since_s = at_s - begin_s
    if profile.duration_s is not None and since_s >= profile.duration_s:
        return None
    index = bisect.bisect_right(profile.periods, since_s, key=lambda period: period.start_s)
    return profile.periods[index - 1]


def _to_allowance(profile: Profile, period: SchedulePeriod, rules: CompositeRules) -> Allowance:
    setpoint_kw = None if period.setpoint_w is None else period.setpoint_w / W_PER_KW
    phases = period.phases if rules.switches_phases else None
    if period.limit is None:
        return Allowance(math.inf, setpoint_kw, phases)
    if profile.unit == "A":
        return Allowance(max(0.0, period.limit), setpoint_kw, phases)
    return Allowance(max(0.0, period.limit) / (rules.voltage_v * period.phases), setpoint_kw, phases)


def _instants(
    profile: Profile, transaction: Transaction | None, from_s: float, to_s: float
) -> Iterator[float]:
    yield from (edge for edge in (profile.valid_from_s, profile.valid_to_s) if edge is not None)
    begin_s = _begin(profile, transaction, from_s)
    while begin_s is not None and begin_s < to_s:
        yield begin_s
        yield from (begin_s + period.start_s for period in profile.periods)
        if profile.duration_s is not None:
            yield begin_s + profile.duration_s
        if profile.kind is not Kind.RECURRING or profile.recurrence_s is None:
            return
        begin_s += profile.recurrence_s
