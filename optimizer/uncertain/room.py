"""Whether one more power fits beside those that are fixed: the bounds of rows, kept up to date."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from optimizer.coefficients import Floats
from optimizer.compiled import Program

# What rounding may add to a row.
TOLERANCE = 1e-7


class Room:
    """The least and the most that each row of a program can come to within the bounds of its columns.

    A row whose least is above its upper bound, or whose most is below its lower one, cannot be kept any more.

    Parameters
    ----------
    program
        The rows.
    lower, upper
        Bounds of the columns; copied.
    """

    def __init__(self, program: Program, lower: Floats, upper: Floats) -> None:
        self._program, self._columns = program, program.matrix.tocsc()
        self.lower, self.upper = lower.copy(), upper.copy()
        matrix = program.matrix
        rising, falling = csr_array(matrix.maximum(0.0)), csr_array(matrix.minimum(0.0))
        self._least, self._endless_least = _add_up(rising, lower, falling, upper)
        self._most, self._endless_most = _add_up(rising, upper, falling, lower)

    def tighten(self, column: int, lower: float, upper: float) -> bool:
        """Set finite bounds of a column when every row can still be kept; say whether they are set."""
        begin, end = self._columns.indptr[column : column + 2]
        rows, values = self._columns.indices[begin:end], self._columns.data[begin:end]
        old = self.lower[column], self.upper[column]
        risen, sunk = lower - old[0], upper - old[1]
        least = self._least[rows] + np.where(values > 0.0, values * risen, values * sunk)
        most = self._most[rows] + np.where(values > 0.0, values * sunk, values * risen)
        over = (least > self._program.row_upper[rows] + TOLERANCE) & (self._endless_least[rows] == 0.0)
        under = (most < self._program.row_lower[rows] - TOLERANCE) & (self._endless_most[rows] == 0.0)
        if over.any() or under.any():
            return False
        self._least[rows], self._most[rows] = least, most
        self.lower[column], self.upper[column] = lower, upper
        return True


def _add_up(rising: csr_array, first: Floats, falling: csr_array, second: Floats) -> tuple[Floats, Floats]:
    """Return the finite part of each row, and how much of it is endless."""
    finite, endless = np.zeros(rising.shape[0]), np.zeros(rising.shape[0])
    for matrix, bound in ((rising, first), (falling, second)):
        ends = np.isfinite(bound)
        finite += matrix @ np.where(ends, bound, 0.0)
        endless += abs(matrix) @ np.where(ends, 0.0, 1.0)
    return finite, endless
