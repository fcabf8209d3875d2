from __future__ import annotations

from grid.errors import DocumentError, Problem, WijkstroomError


def test_a_document_error_shows_every_problem() -> None:
    error = DocumentError(
        "street.toml", [Problem("nodes[0].id", "is missing: add it"), Problem("", "is no TOML")]
    )
    assert str(error) == "street.toml: 2 error(s)\nnodes[0].id: is missing: add it\nis no TOML"
    assert isinstance(error, WijkstroomError)
    assert error.problems[0].path == "nodes[0].id"
