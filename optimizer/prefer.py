"""The second stage: among plans that cost the same, one that charges sooner, is fairer and discharges less.

The first objective is held by a row that is its own cost vector, so nothing that it counts can get worse.
Where preferences cannot be met within the rules of the sockets, the cheapest plan is kept as it is.
"""

from __future__ import annotations

import numpy as np

from optimizer.coefficients import Coefficients, Floats
from optimizer.compiled import Program, compile_preferences
from optimizer.dive import PAUSE_KW, Diver, Fixed
from optimizer.evaluate import ROUNDING_EUR, Powers
from optimizer.solve import Solution, Solver

# What holding the cost may lose to rounding, of the cost or of 1 EUR when it is less.
HELD_FRACTION = 1e-9
# In larger sites some slot nearly always ends below its least, and lifting it would cost.
MOST_SESSIONS_THAT_MOVE = 10


def prefer(
    diver: Diver, solver: Solver, data: Coefficients, powers: Powers, fixed: Fixed | None, total_eur: float
) -> Solution | None:
    """Return the preferred plan of the same cost, None when there is none to be found.

    Parameters
    ----------
    diver, solver
        Hold the relaxation of ``data``.
    powers, total_eur
        The cheapest plan and what the model says that it costs.
    fixed
        Slots that a dive fixed on the way to it; other slots may move where that keeps the rules of the
        sockets, which is tried on small sites. Else every slot stays on or off, and powers move only.
    """
    ceiling_eur = total_eur + HELD_FRACTION * max(1.0, abs(total_eur))
    with solver.preferring(compile_preferences(data, solver.program.layout), ceiling_eur):
        small = fixed is not None and data.sessions <= MOST_SESSIONS_THAT_MOVE
        for start in (fixed, on_and_off(data, powers)) if small else (on_and_off(data, powers),):
            found = diver.dive(None, 0.0, start).solution
            if found.found and own_cost_eur(solver.program, found.values) <= ceiling_eur + ROUNDING_EUR:
                return found
    return None


def on_and_off(data: Coefficients, powers: Powers) -> Fixed:
    """Fix every slot to what it is in a plan: on at any power from its least, or off."""
    charges, discharges = powers.charge_kw > PAUSE_KW, powers.discharge_kw > PAUSE_KW
    return Fixed(
        charge_lifted=charges,
        charge_paused=~charges & (data.charge_most_kw > 0.0),
        discharge_lifted=discharges,
        discharge_paused=~discharges & (data.discharge_most_kw > 0.0),
    )


def own_cost_eur(program: Program, values: Floats) -> float:
    """Return the first objective of a solution [EUR]."""
    return float(np.dot(program.cost, values)) + program.offset
