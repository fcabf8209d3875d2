"""What the commands share: options, JSON on stdout, errors as a list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from grid.errors import DocumentError, WijkstroomError

BAD_INPUT = 2
errors = Console(stderr=True)

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="Street file (TOML); default: configs/lombok.toml as shipped."
    ),
]
SeedOption = Annotated[int, typer.Option(min=0, help="Everything random follows from this number.")]


def print_json(document: Any) -> None:
    """Print a document as JSON on stdout, undecorated."""
    typer.echo(json.dumps(document, indent=2, allow_nan=False))


@contextmanager
def reported_errors() -> Iterator[None]:
    """Print errors that a user can mend as a list, and end with exit code 2."""
    try:
        yield
    except DocumentError as error:
        errors.print(
            f"[bold red]{error.source}[/] is refused, {len(error.problems)} error(s):",
            highlight=False,
            soft_wrap=True,
        )
        for problem in error.problems:
            errors.print(f"  - {problem}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(BAD_INPUT) from error
    except WijkstroomError as error:
        errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(BAD_INPUT) from error
