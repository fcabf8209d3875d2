"""How sessions and runs are counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.fleet.draw import draw_fleet
from simulator.fleet.sessions import Fleet, InformationClass, Session
from simulator.fleet.setup import FleetSetup
from simulator.result import (
    MeterRecord,
    RunRecord,
    SessionOutcome,
    compute_figures,
    is_satisfied,
    read_meters,
    shortfall_kwh,
)
from simulator.truth import SocketPlace, Truth, TruthFigures

START = datetime(2024, 6, 11, 4, tzinfo=UTC)


@pytest.fixture(scope="module")
def fleet(fleet_setup: FleetSetup) -> Fleet:
    return draw_fleet(fleet_setup, date(2024, 6, 11), 1)


def pick(fleet: Fleet, information: InformationClass) -> Session:
    return max((one for one in fleet.sessions if one.information is information), key=fleet.need_kwh)


def ended(fleet: Fleet, session: Session, served_fraction: float) -> SessionOutcome:
    """An outcome that got a part of its need."""
    gained_kwh = served_fraction * (session.target_energy_kwh - session.start_energy_kwh)
    start_kwh = session.start_energy_kwh
    meter_kwh = served_fraction * fleet.need_kwh(session)
    return SessionOutcome(session.id, start_kwh, start_kwh + gained_kwh, meter_kwh, 0.0, ended=True)


@pytest.mark.parametrize("information", list(InformationClass))
def test_a_session_is_short_of_what_is_missing(fleet: Fleet, information: InformationClass) -> None:
    session = pick(fleet, information)
    need_kwh = fleet.need_kwh(session)
    assert need_kwh > 5.0
    assert shortfall_kwh(fleet, session, ended(fleet, session, 0.6)) == pytest.approx(0.4 * need_kwh)
    assert shortfall_kwh(fleet, session, ended(fleet, session, 1.2)) == 0.0


@pytest.mark.parametrize("information", list(InformationClass))
def test_satisfied_is_need_or_what_was_possible_less_a_tolerance(
    fleet: Fleet, information: InformationClass
) -> None:
    session = pick(fleet, information)
    need_kwh = fleet.need_kwh(session)
    tolerance = max(0.1, 0.01 * need_kwh) / need_kwh
    good, bad = (ended(fleet, session, 1.0 - factor * tolerance) for factor in (0.99, 1.01))
    assert is_satisfied(fleet, session, good, 1e3)
    assert not is_satisfied(fleet, session, bad, 1e3)
    half = ended(fleet, session, 0.5)
    assert not is_satisfied(fleet, session, half, need_kwh)
    assert is_satisfied(fleet, session, half, 0.5 * need_kwh)


def test_a_car_that_is_discharged_below_its_target_is_not_satisfied(fleet: Fleet) -> None:
    session = pick(fleet, InformationClass.BOOKING)
    full_kwh = session.target_energy_kwh + 10.0
    outcome = SessionOutcome(session.id, full_kwh, session.target_energy_kwh - 1.0, 0.0, 10.0, ended=True)
    assert not is_satisfied(fleet, session, outcome, 0.0)
    assert is_satisfied(fleet, session, replace(outcome, left_kwh=session.target_energy_kwh), 0.0)


def test_only_ended_sessions_count_and_the_others_hold_what_is_stored(fleet: Fleet) -> None:
    silent, telling = pick(fleet, InformationClass.NONE), pick(fleet, InformationClass.DRIVER)
    staying = pick(fleet, InformationClass.BOOKING)
    outcomes = (
        ended(fleet, silent, 0.5),
        ended(fleet, telling, 1.0),
        replace(ended(fleet, staying, 0.0), ended=False),
    )
    meters = MeterRecord((START,), np.ones(1), np.zeros(1), np.full(1, 2.0), {}, {})
    record = RunRecord(outcomes, meters, TruthFigures(1.5, 0.5, ()))
    figures = compute_figures(fleet, record, {silent.id: 1e3, telling.id: 1e3})
    assert figures.sessions == 2
    assert figures.sessions_satisfied_fraction == 1.0
    assert figures.sessions_satisfied_fraction_none == 0.0
    assert figures.energy_required_kwh == pytest.approx(fleet.need_kwh(silent) + fleet.need_kwh(telling))
    assert figures.energy_shortfall_kwh == pytest.approx(0.5 * fleet.need_kwh(silent))
    assert figures.limit_exceeded_kwh == 1.5
    assert figures.uncontrollable_kwh == 0.5
    assert figures.pv_generated_kwh == 2.0
    assert record.stored_kwh == staying.start_energy_kwh


def test_without_sessions_there_is_no_fraction(fleet: Fleet) -> None:
    meters = MeterRecord((START,), np.ones(1), np.zeros(1), np.zeros(1), {}, {})
    figures = compute_figures(fleet, RunRecord((), meters, TruthFigures(0.0, 0.0, ())), {})
    assert figures.sessions == 0
    assert figures.sessions_satisfied_fraction is None
    assert figures.sessions_satisfied_fraction_none is None


@given(
    charge_kw=st.floats(-11.0, 11.0),
    base_kw=st.floats(0.0, 80.0),
    pv_kw=st.floats(0.0, 120.0),
    seconds=st.integers(901, 4000),
)
def test_meters_count_what_flows(charge_kw: float, base_kw: float, pv_kw: float, seconds: int) -> None:
    place = SocketPlace("A", 1, "pole", (0, 1, 2))
    truth = Truth(
        START,
        seconds,
        (place,),
        np.full(seconds, base_kw, dtype=np.float32),
        np.full(seconds, pv_kw, dtype=np.float32),
    )
    truth.write(0, 0, np.full(seconds, charge_kw))
    meters = read_meters(truth)
    hours = seconds / 3600.0
    assert len(meters.starts) == len(meters.import_kwh) == -(-seconds // 900)
    pole_kwh = meters.connection_import_kwh["pole"].sum() - meters.connection_export_kwh["pole"].sum()
    assert pole_kwh == pytest.approx(charge_kw * hours, abs=2e-3)
    street_kwh = meters.import_kwh.sum() - meters.export_kwh.sum()
    assert street_kwh == pytest.approx((charge_kw + base_kw - pv_kw) * hours, abs=3e-3)
    assert meters.pv_kwh.sum() == pytest.approx(pv_kw * hours, abs=2e-3)
    assert (np.minimum(meters.import_kwh, meters.export_kwh) <= 1e-3).all()
