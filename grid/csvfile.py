"""CSV files of figures: read whole, refused with every malformed line at once."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from grid.errors import DocumentError, Problem

RowT = TypeVar("RowT")
# More of the same would only hide the first ones.
SHOWN_PROBLEMS = 20


class Row(NamedTuple):
    """A line of a file.

    Parameters
    ----------
    line
        Its number, from 1.
    cells
        Its values, stripped.
    """

    line: int
    cells: tuple[str, ...]


def read_csv(path: Path, *headers: Sequence[str]) -> tuple[tuple[str, ...], list[Row]]:
    """Read a file, without blank lines and lines that begin with ``#``.

    Parameters
    ----------
    path
        The file.
    headers
        The headers that it may have.

    Returns
    -------
    tuple of header and rows
        The header found, and all rows after it.

    Raises
    ------
    DocumentError
        When it cannot be read or has another header.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        problem = Problem("", f"cannot be read ({error}): give the path of a CSV file")
        raise DocumentError(str(path), [problem]) from error
    return split_csv(text, str(path), *headers)


def split_csv(text: str, source: str, *headers: Sequence[str]) -> tuple[tuple[str, ...], list[Row]]:
    """Split the text of a CSV file; as `read_csv`.

    Raises
    ------
    DocumentError
        When it has another header.
    """
    rows = [
        Row(number, tuple(cell.strip() for cell in next(csv.reader([line]))))
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.startswith("#")
    ]
    found = rows[0].cells if rows else ()
    if found not in [tuple(header) for header in headers]:
        wanted = " or ".join(",".join(header) for header in headers)
        place = f"line {rows[0].line}" if rows else "line 1"
        raise DocumentError(source, [Problem(place, f"the header must be {wanted}")])
    return found, rows[1:]


def parse_rows(
    rows: Sequence[Row], parse: Callable[[tuple[str, ...]], RowT], expected: str, problems: list[Problem]
) -> Iterator[tuple[int, RowT]]:
    """Yield line and value of each row that ``parse`` accepts, and note the others.

    Parameters
    ----------
    rows
        What was read.
    parse
        Turns cells into a value; raises ValueError when they are none.
    expected
        What a row must be, for the message.
    problems
        Where malformed rows are noted.
    """
    for row in rows:
        try:
            value = parse(row.cells)
        except ValueError:
            shown = ",".join(row.cells[:4]) + (",..." if len(row.cells) > 4 else "")  # noqa: PLR2004 - of a line
            problems.append(Problem(f"line {row.line}", f"{shown!r} must be {expected}"))
            continue
        yield row.line, value


def refuse(source: str, problems: Sequence[Problem]) -> None:
    """Refuse a file that has problems.

    Raises
    ------
    DocumentError
        With the first of them, when there are any.
    """
    if problems:
        rest = len(problems) - SHOWN_PROBLEMS
        more = [Problem("", f"and {rest} more like these")] if rest > 0 else []
        raise DocumentError(source, [*problems[:SHOWN_PROBLEMS], *more])
