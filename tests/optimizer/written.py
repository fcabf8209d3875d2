"""The optimum of a model as Pyomo writes it to a file: no code of the fast path takes part."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import highspy
import pyomo.environ as pyo


def optimum_as_written(model: pyo.ConcreteModel) -> float:
    """Return the optimal objective [EUR].

    Pyomo's own interface to the solver captures output through threads, which once waited for each other.
    """
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    options = {"output_flag": False, "mip_rel_gap": 0.0, "mip_abs_gap": 1e-9, "threads": 1}
    for name, value in options.items():
        solver.setOptionValue(name, value)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.lp"
        model.write(str(path))
        solver.readModel(str(path))
    solver.run()
    assert solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return float(solver.getInfo().objective_function_value)
