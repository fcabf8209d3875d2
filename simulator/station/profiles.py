"""Charging profiles as firmware keeps them: what may be installed, what replaces what, what a reboot loses.

Limits are amperes per phase or watts in all; a setpoint is watts and commands instead of bounding. Instants
are seconds since 1970 UTC (``_s``), as in the station's own clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

SECONDS_PER_DAY = 86_400
DEFAULT_PHASES = 3


class Purpose(StrEnum):
    """What a profile is for, in the words of OCPP 2.x."""

    STATION_MAX = "ChargingStationMaxProfile"
    TX_DEFAULT = "TxDefaultProfile"
    TX = "TxProfile"
    EXTERNAL = "ChargingStationExternalConstraints"


class Kind(StrEnum):
    """When the schedule of a profile begins."""

    ABSOLUTE = "Absolute"
    RECURRING = "Recurring"
    RELATIVE = "Relative"
    DYNAMIC = "Dynamic"


@dataclass(frozen=True, slots=True)
class SchedulePeriod:
    """One period of a schedule.

    Parameters
    ----------
    start_s
        Seconds after the schedule's begin.
    limit
        Upper bound in the schedule's unit, None when it sets none.
    setpoint_w
        Power that is commanded, > 0 charges [W]; None when it commands none.
    phases
        Phases that a limit in W counts.
    """

    start_s: float
    limit: float | None = None
    setpoint_w: float | None = None
    phases: int = DEFAULT_PHASES


@dataclass(frozen=True, slots=True)
class Profile:
    """An installed charging profile with its one schedule.

    Parameters
    ----------
    id, stack_level, purpose, kind
        As on the wire.
    evse_id
        Where it holds; 0 is the station or, for TxDefault, every EVSE.
    unit
        ``A`` or ``W``.
    periods
        Ascending, the first at 0.
    start_s
        Begin of the schedule; None for relative ones.
    duration_s
        Length of the schedule, None for no end.
    valid_from_s, valid_to_s
        Validity of the profile, None for open ends.
    transaction_id
        The transaction that it is for, in the station's own numbering.
    recurrence_s
        Period of a recurring schedule.
    max_offline_s
        How long it holds without a connection, None for ever.
    """

    id: int
    stack_level: int
    purpose: Purpose
    kind: Kind
    evse_id: int
    unit: str
    periods: tuple[SchedulePeriod, ...]
    start_s: float | None = None
    duration_s: float | None = None
    valid_from_s: float | None = None
    valid_to_s: float | None = None
    transaction_id: str | None = None
    recurrence_s: float | None = None
    max_offline_s: float | None = None


@dataclass(frozen=True, slots=True)
class ProfileRules:
    """How a firmware treats profiles.

    Parameters
    ----------
    max_periods, max_stack_level
        What it can hold.
    same_level_replaces
        1.6: a profile of the same purpose and level on the same connector is replaced. 2.x: only one of the
        same id; another id on the same level with overlapping validity is refused.
    needs_period
        2.x: a profile counts only while it has a period. 1.6: while it is valid.
    keeps_tx_profiles
        1.6: a TxProfile outlives a reboot. 2.x: it does not.
    """

    max_periods: int = 24
    max_stack_level: int = 10
    same_level_replaces: bool = True
    needs_period: bool = False
    keeps_tx_profiles: bool = True


class ProfileRefusedError(Exception):
    """A profile cannot be installed; the message says why.

    Parameters
    ----------
    reason
        One of the standard's short reasons.
    message
        A sentence.
    """

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class ProfileStore:
    """The profiles of one station.

    Parameters
    ----------
    rules
        How its firmware treats them.
    """

    def __init__(self, rules: ProfileRules) -> None:
        self.rules = rules
        self._profiles: list[Profile] = []

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """Everything installed."""
        return tuple(self._profiles)

    def install(self, profile: Profile, running_transactions: Iterable[str]) -> None:
        """Install a profile, replacing what the rules say.

        Raises
        ------
        ProfileRefusedError
            When it breaks a rule; nothing changed then.
        """
        self._check(profile, set(running_transactions))
        if self.rules.same_level_replaces:
            kept = [one for one in self._profiles if not _same_place(one, profile) and one.id != profile.id]
        else:
            kept = [one for one in self._profiles if one.id != profile.id]
            if any(_same_place(one, profile) and _validity_overlaps(one, profile) for one in kept):
                message = (
                    "another profile of this purpose, level and EVSE is valid at the same time: clear it"
                )
                raise ProfileRefusedError("DuplicateProfile", message)
        self._profiles = [*kept, profile]

    def clear(
        self,
        *,
        profile_id: int | None = None,
        evse_id: int | None = None,
        purpose: Purpose | None = None,
        stack_level: int | None = None,
    ) -> int:
        """Remove what matches all given criteria, or by id alone; return how many went."""
        before = len(self._profiles)
        if profile_id is not None:
            self._profiles = [one for one in self._profiles if one.id != profile_id]
        else:
            self._profiles = [
                one
                for one in self._profiles
                if (evse_id is not None and one.evse_id != evse_id)
                or (purpose is not None and one.purpose is not purpose)
                or (stack_level is not None and one.stack_level != stack_level)
                or one.purpose is Purpose.EXTERNAL
            ]
        return before - len(self._profiles)

    def update(self, profile_id: int, period: SchedulePeriod, at_s: float) -> bool:
        """Replace the one period of a dynamic profile and let it begin anew; False when there is none."""
        for index, one in enumerate(self._profiles):
            if one.id == profile_id and one.kind is Kind.DYNAMIC:
                self._profiles[index] = replace(one, periods=(period,), start_s=at_s)
                return True
        return False

    def end_transaction(self, transaction_id: str) -> None:
        """Forget the profiles of a transaction."""
        self._profiles = [one for one in self._profiles if one.transaction_id != transaction_id]

    def reboot(self) -> None:
        """Forget what lives in memory only."""
        if not self.rules.keeps_tx_profiles:
            self._profiles = [one for one in self._profiles if one.purpose is not Purpose.TX]

    def _check(self, profile: Profile, running: set[str]) -> None:
        rules = self.rules
        if len(profile.periods) > rules.max_periods:
            raise ProfileRefusedError("TooManyPeriods", f"at the most {rules.max_periods} periods fit")
        if not 0 <= profile.stack_level <= rules.max_stack_level:
            raise ProfileRefusedError("InvalidStackLevel", f"levels are 0 to {rules.max_stack_level}")
        _check_periods(profile.periods)
        if profile.purpose is Purpose.EXTERNAL:
            raise ProfileRefusedError(
                "InvalidProfile", "external constraints are not set by a central system"
            )
        if profile.purpose is Purpose.TX:
            if profile.transaction_id not in running:
                raise ProfileRefusedError("TxNotFound", "there is no such transaction: start it first")
        elif profile.transaction_id is not None:
            raise ProfileRefusedError("InvalidProfile", "only a TxProfile names a transaction")
        if profile.purpose is Purpose.STATION_MAX and profile.evse_id != 0:
            raise ProfileRefusedError("InvalidProfile", "the station's maximum is set at EVSE 0")
        if (profile.start_s is None) != (profile.kind is Kind.RELATIVE):
            raise ProfileRefusedError(
                "InvalidSchedule", "startSchedule belongs to every kind but Relative, and not to that"
            )


def _check_periods(periods: tuple[SchedulePeriod, ...]) -> None:
    starts = [period.start_s for period in periods]
    if not starts or starts[0] != 0 or any(b <= a for a, b in pairwise(starts)):
        raise ProfileRefusedError("InvalidSchedule", "periods begin at 0 and ascend")
    if any(period.limit is not None and period.limit < 0.0 for period in periods):
        raise ProfileRefusedError("InvalidValue", "a limit is 0 or more")


def _same_place(one: Profile, other: Profile) -> bool:
    return (one.purpose, one.stack_level, one.evse_id, one.transaction_id) == (
        other.purpose,
        other.stack_level,
        other.evse_id,
        other.transaction_id,
    )


def _validity_overlaps(one: Profile, other: Profile) -> bool:
    def from_s(profile: Profile) -> float:
        return float("-inf") if profile.valid_from_s is None else profile.valid_from_s

    def to_s(profile: Profile) -> float:
        return float("inf") if profile.valid_to_s is None else profile.valid_to_s

    return from_s(one) < to_s(other) and from_s(other) < to_s(one)
