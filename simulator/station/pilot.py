"""The control pilot of IEC 61851-1: its states, and what its duty cycle offers. Pure."""

from __future__ import annotations

from enum import StrEnum

# Duty cycles between which current is offered by two straight lines [fraction].
LOWEST_DUTY, BEND_DUTY, HIGHEST_DUTY = 0.10, 0.85, 0.96
LEAST_CURRENT_A, BEND_CURRENT_A, MOST_CURRENT_A = 6.0, 51.0, 80.0
# Digital communication decides instead of the duty cycle (ISO 15118).
DIGITAL_DUTY, DIGITAL_MARGIN = 0.05, 0.02


class PilotState(StrEnum):
    """Voltage levels of the pilot."""

    A = "A"  # nothing is plugged in
    B = "B"  # a car is, and does not charge
    C = "C"  # it charges
    D = "D"  # it charges and wants ventilation
    E = "E"  # the pilot has no voltage
    F = "F"  # the station is not available


def duty_fraction(current_a: float) -> float:
    """Return the duty cycle that offers a current; 1 (a steady level, nothing is offered) below 6 A.

    Parameters
    ----------
    current_a
        Upper bound of the current on each phase [A].
    """
    if current_a < LEAST_CURRENT_A:
        return 1.0
    if current_a <= BEND_CURRENT_A:
        return current_a / 60.0
    return min(current_a, MOST_CURRENT_A) / 250.0 + 0.64


def offered_current_a(duty: float) -> float:
    """Return what a duty cycle offers a car on each phase [A]; 0 where the pilot alone offers nothing.

    Parameters
    ----------
    duty
        Part of the time in which the pilot is high [fraction].
    """
    if LOWEST_DUTY - DIGITAL_MARGIN <= duty < LOWEST_DUTY:
        return LEAST_CURRENT_A
    if LOWEST_DUTY <= duty <= BEND_DUTY:
        return duty * 60.0
    if BEND_DUTY < duty <= HIGHEST_DUTY:
        return (duty - 0.64) * 250.0
    if HIGHEST_DUTY < duty <= HIGHEST_DUTY + 0.01:
        return MOST_CURRENT_A
    return 0.0


def is_digital(duty: float) -> bool:
    """Say whether a duty cycle asks for digital communication."""
    return abs(duty - DIGITAL_DUTY) <= DIGITAL_MARGIN


def pilot_state(*, plugged: bool, draws: bool, faulted: bool, powered: bool) -> PilotState:
    """Return the state of a socket's pilot.

    Parameters
    ----------
    plugged
        Whether a car is.
    draws
        Whether it charges or discharges.
    faulted, powered
        Whether the socket is out of order, and the station has power at all.
    """
    if not powered:
        return PilotState.E
    if faulted:
        return PilotState.F
    if not plugged:
        return PilotState.A
    return PilotState.C if draws else PilotState.B
