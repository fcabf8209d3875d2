"""Errors that name the place and the remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a document.

    Parameters
    ----------
    path
        Where it stands, as a JSON path without the leading ``$.`` (``stations[3].evses[0].id``).
    message
        What is wrong and what to do, one sentence.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class WijkstroomError(Exception):
    """Base of all errors that a user can mend."""


class DocumentError(WijkstroomError):
    """A document (configuration, problem, signal, price file) is refused whole.

    Parameters
    ----------
    source
        File name or other name of the document.
    problems
        Everything that is wrong with it, in the order of the document.
    """

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__("\n".join([f"{source}: {len(self.problems)} error(s)", *map(str, self.problems)]))
