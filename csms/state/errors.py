"""What a driver, a fleet owner or an operator can ask wrongly."""

from __future__ import annotations

from grid.errors import WijkstroomError


class NotFoundError(WijkstroomError):
    """What was named is not there."""


class RejectedError(WijkstroomError):
    """A wish that cannot be recorded.

    Parameters
    ----------
    field
        Which field is wrong.
    message
        What is wrong with it and what to do.
    """

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        self.message = message
        super().__init__(f"{field}: {message}")


class ConflictError(RejectedError):
    """A wish that is at odds with what is recorded already."""


class StoreError(WijkstroomError):
    """The database cannot be used."""


class LeadershipError(WijkstroomError):
    """Another service leads on the same database."""
