"""What the state refuses, as answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from csms.api.problems import ApiError, not_found, refused_fields
from csms.state.errors import ConflictError, NotFoundError, RejectedError
from grid.errors import Problem


@contextmanager
def told_refusals(what: str, name: str, where: str) -> Iterator[None]:
    """Turn refusals of the block into 404, 409 or 422.

    Parameters
    ----------
    what, name
        The kind of thing that is asked for, and its name.
    where
        The path that lists those that there are.
    """
    try:
        yield
    except NotFoundError as error:
        raise not_found(what, name, where) from error
    except ConflictError as error:
        problem = Problem(error.field, error.message)
        raise ApiError(HTTPStatus.CONFLICT, str(error), [problem]) from error
    except RejectedError as error:
        raise refused_fields([Problem(error.field, error.message)]) from error
