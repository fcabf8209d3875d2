"""Whatever stations answer and in whatever order: what they may do together never exceeds both plans' limit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from csms.control.curve import PowerCurve, curve_of, worst_export_kw, worst_import_kw
from csms.control.dispatch import CallStation, Dispatched, dispatch
from csms.control.ledger import EvseKey, Ledger, Order
from csms.ocpp.dialects import DischargeDialect, Steering
from csms.ocpp.vocabulary import (
    Accepted,
    ChargingProfile,
    Command,
    Failed,
    Offline,
    Outcome,
    Period,
    Priority,
    ProfilePurpose,
    RateUnit,
    Refused,
    SetProfile,
    TimedOut,
)

NOW = datetime(2024, 6, 11, 16, tzinfo=UTC)
END = NOW + timedelta(minutes=15)
STEERING = Steering(RateUnit.WATT, dialect=DischargeDialect.OCPP21_SETPOINT)
OUTCOMES: list[Outcome] = [
    Accepted({}),
    Accepted({}),
    Refused("Rejected", {}),
    Failed("InternalError", ""),
    TimedOut(1.0),
    Offline(),
]
POWERS = st.floats(-11.0, 11.0).map(lambda power: round(power, 3))


def order_for(number: int, power_kw: float) -> Order:
    profile = ChargingProfile(
        number + 1, 1, ProfilePurpose.TX, RateUnit.WATT, NOW, (Period(0, setpoint=power_kw * 1000),)
    )
    return Order(
        NOW, EvseKey("S", number + 1), f"session-{number}", profile, curve_of(profile, STEERING, 0.0)
    )


def ledger_for(before_kw: list[float]) -> Ledger:
    ledger = Ledger({EvseKey("S", number + 1): 11.0 for number in range(len(before_kw))})
    for number, power_kw in enumerate(before_kw):
        ledger.send(order := order_for(number, power_kw))
        ledger.confirm(order)
    return ledger


def worst_kw(ledger: Ledger, count: int) -> tuple[float, float]:
    """Return the most that the sockets may draw and give back together."""
    curves = [ledger.curves(EvseKey("S", n + 1), f"session-{n}") for n in range(count)]
    return (
        sum(worst_import_kw(each, NOW, END) for each in curves),
        sum(worst_export_kw(each, NOW, END) for each in curves),
    )


class Street:
    """Answers calls as it is told, and looks at the ledger at every turn."""

    def __init__(self, ledger: Ledger, count: int, outcomes: list[Outcome]) -> None:
        self.ledger = ledger
        self.count = count
        self.outcomes = iter(outcomes)
        self.seen: list[tuple[float, float]] = []
        self.told: list[float] = []

    async def call(
        self, station_id: str, command: Command, *, priority: Priority = Priority.CONTROL
    ) -> Outcome:
        del station_id, priority
        assert isinstance(command, SetProfile)
        setpoint = command.profile.periods[0].setpoint
        assert setpoint is not None
        self.told.append(setpoint / 1000)
        self.seen.append(worst_kw(self.ledger, self.count))
        await asyncio.sleep(0)
        return next(self.outcomes, Accepted({}))


def run(
    before: list[float], after: list[float], outcomes: list[Outcome]
) -> tuple[Street, Dispatched, Ledger]:
    ledger = ledger_for(before)
    street = Street(ledger, len(before), outcomes)
    call: CallStation = street.call
    orders = [order_for(number, power) for number, power in enumerate(after)]
    return street, asyncio.run(dispatch(orders, ledger, call, NOW)), ledger


@given(
    st.lists(st.tuples(POWERS, POWERS), min_size=1, max_size=6),
    st.lists(st.sampled_from(OUTCOMES), max_size=12),
)
def test_what_the_sockets_may_do_together_stays_under_the_higher_plan(
    pairs: list[tuple[float, float]], outcomes: list[Outcome]
) -> None:
    before, after = [b for b, _ in pairs], [a for _, a in pairs]
    street, report, ledger = run(before, after, outcomes)
    most: Callable[[list[float]], float] = lambda powers: sum(max(power, 0.0) for power in powers)  # noqa: E731
    import_kw = max(most(before), most(after)) + 1e-3
    export_kw = max(most([-b for b in before]), most([-a for a in after])) + 1e-3
    for seen_import_kw, seen_export_kw in [*street.seen, worst_kw(ledger, len(pairs))]:
        assert seen_import_kw <= import_kw
        assert seen_export_kw <= export_kw
    told = {order.key for kind in (report.confirmed, report.refused, report.doubtful) for order in kind}
    assert {EvseKey("S", n + 1) for n in range(len(pairs))} == told | {o.key for o in report.withheld}


def test_nothing_rises_while_a_reduction_is_in_doubt() -> None:
    street, report, _ = run([10.0, 0.0], [2.0, 8.0], [TimedOut(1.0)])
    assert street.told == [2.0]
    assert [order.key.evse_id for order in report.withheld] == [2]
    assert not report.complete


def test_from_charging_to_discharging_goes_through_a_pause() -> None:
    street, report, _ = run([7.0, -7.0], [-7.0, 7.0], [])
    assert street.told[:2] == [0.0, 0.0]
    assert street.told[2:] == [-7.0, 7.0]
    assert report.complete


def test_a_new_session_counts_with_its_hardware_until_its_fallback_is_confirmed() -> None:
    key = EvseKey("S", 1)
    ledger = Ledger({key: 11.0})
    assert worst_import_kw(ledger.curves(key, "new"), NOW, END) == 11.0
    ledger.guard(key, 4.14)
    assert worst_import_kw(ledger.curves(key, "new"), NOW, END) == 4.14
    ledger.send(order := order_for(0, 9.0))
    assert worst_import_kw(ledger.curves(key, "session-0"), NOW, END) == 9.0
    ledger.confirm(order)
    ledger.reset("S")
    assert ledger.curves(key, "session-0")[0] == PowerCurve(ledger.curves(key, "x")[0].starts, (11.0,))
