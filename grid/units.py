"""Conversions between kW, kVA and amperes of single- and three-phase connections."""

from __future__ import annotations

W_PER_KW = 1000.0


def current_to_power_kw(current_a: float, voltage_v: float, phases: int) -> float:
    """Return the active power of a current per phase.

    Parameters
    ----------
    current_a
        Current in each phase [A].
    voltage_v
        Voltage between phase and neutral [V].
    phases
        Number of phases that carry it, 1 to 3.
    """
    return current_a * voltage_v * _checked(phases) / W_PER_KW


def power_to_current_a(power_kw: float, voltage_v: float, phases: int) -> float:
    """Return the current in each phase [A] of a balanced power [kW]."""
    return power_kw * W_PER_KW / (voltage_v * _checked(phases))


def apparent_to_power_kw(apparent_kva: float, power_factor: float) -> float:
    """Return the active power [kW] that an apparent power [kVA] leaves room for.

    Raises
    ------
    ValueError
        When the power factor is not in (0, 1].
    """
    return apparent_kva * _checked_factor(power_factor)


def power_to_apparent_kva(power_kw: float, power_factor: float) -> float:
    """Return the apparent power [kVA] of an active power [kW]."""
    return power_kw / _checked_factor(power_factor)


def _checked(phases: int) -> int:
    if phases not in {1, 2, 3}:
        raise ValueError(f"phases must be 1, 2 or 3, not {phases}")
    return phases


def _checked_factor(power_factor: float) -> float:
    if not 0.0 < power_factor <= 1.0:
        raise ValueError(f"power_factor must be above 0 and at most 1, not {power_factor}")
    return power_factor
