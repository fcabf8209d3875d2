"""How a station model is told a power: amperes or watts, and its way of being told to discharge.

Pure arithmetic between the planner's signed kilowatts and the periods of a charging schedule. Nothing here
rounds up.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from csms.ocpp.errors import CommandError
from csms.ocpp.fields import floor_tenth
from csms.ocpp.vocabulary import Period, RateUnit

# 6 A x 0.23 kV is not the double that is nearest to 1.38.
ROUNDING_KW = 1e-9


class DischargeDialect(StrEnum):
    """How a model is told to discharge. The default is not at all.

    A dialect is added when a model that speaks it is: other ways (negative limits, configuration keys, data
    transfers) mean "no limit" to firmware that does not know them.
    """

    NONE = "none"
    OCPP21_SETPOINT = "ocpp21_setpoint"


@dataclass(frozen=True, slots=True)
class Steering:
    """What an EVSE understands.

    Parameters
    ----------
    unit
        Unit of its limits.
    phases
        Phases that the vehicle charges on; a limit in A holds for each.
    min_current_a
        Lowest current of the standard for charging [A per phase]; below it the vehicle pauses.
    voltage_v
        Nominal voltage against neutral [V].
    dialect
        Its way of discharging.
    """

    unit: RateUnit
    phases: int = 3
    min_current_a: float = 6.0
    voltage_v: float = 230.0
    dialect: DischargeDialect = DischargeDialect.NONE

    @property
    def kw_per_a(self) -> float:
        """Power of one ampere on every phase [kW]."""
        return self.voltage_v * self.phases / 1000


def limit_period(start_s: int, power_kw: float, steering: Steering) -> Period:
    """Bound charging to ``power_kw`` [kW, >= 0] from ``start_s`` [s] on: never above it, 0 below the minimum.

    ``P = U I n``: amperes are per phase and count the phases that the vehicle uses, watts are for all.
    """
    if power_kw < 0:
        raise CommandError("a charging limit is 0 or more: discharge is commanded by a setpoint")
    current_a = floor_tenth(power_kw / steering.kw_per_a)
    if current_a < steering.min_current_a:
        return Period(start_s, limit=0.0, phases=steering.phases)
    limit = current_a if steering.unit is RateUnit.AMPERE else floor_tenth(power_kw * 1000)
    return Period(start_s, limit=limit, phases=steering.phases)


def power_period(start_s: int, power_kw: float, steering: Steering) -> Period:
    """Command ``power_kw`` [kW, < 0 discharges] in the model's dialect.

    A model without a dialect gets a charging limit.

    Raises
    ------
    CommandError
        When discharge is asked of a model that cannot be told to.
    """
    match steering.dialect:
        case DischargeDialect.NONE:
            if power_kw < 0:
                raise CommandError("this model has no discharge dialect: plan 0 kW for it")
            return limit_period(start_s, power_kw, steering)
        case DischargeDialect.OCPP21_SETPOINT:
            if 0 < power_kw < steering.min_current_a * steering.kw_per_a - ROUNDING_KW:
                return Period(start_s, setpoint=0.0)
            return Period(start_s, setpoint=floor_tenth(power_kw * 1000))


def read_power_kw(period: Period, unit: RateUnit, steering: Steering) -> float | None:
    """Return the power that a period stands for [kW], as an upper bound; None when it bounds nothing."""
    if period.setpoint is not None:
        return period.setpoint / 1000
    if period.limit is None:
        return None
    if unit is RateUnit.WATT:
        return period.limit / 1000
    return period.limit * steering.voltage_v * (period.phases or 3) / 1000
