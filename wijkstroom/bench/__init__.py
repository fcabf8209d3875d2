"""Benchmarks: what is claimed is measured here, against a reference of the same run."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Table

from grid.errors import DocumentError, Problem
from wijkstroom.bench.frame import keep, run

# Name, and what it measures; each is a module of this package with a function `measure() -> list[Figure]`.
BENCHES = {
    "city": "many sites under shared nodes: time, certified gap and overload, beside no coordination",
    "faults": "limits while everything fails: streets and days in virtual time, with and without the guard",
    "loop": "the whole loop: the default street for a day, over sockets, as fast as it goes",
    "plan": "one site: time and gap of cold, hot and shifted plans, and FlexMeasures on the same problem",
    "rollout": "rollout planning: the kernel beside EV2Gym and acnportal, Utrecht 2030, power flow, gap",
    "simulate": "5,000 stations in one process, a day in virtual time, fleets beside their data",
    "uncertainty": "a month planned hour by hour: on medians, on scenarios, with foresight, not at all",
}


# Those that can be run shorter or longer, and the option that says how long.
LENGTHS = {"faults": "--site-days", "uncertainty": "--days"}


def run_bench(name: str, *, as_json: bool, site_days: int | None = None, days: int | None = None) -> None:
    """Run one benchmark, keep its result and print it; list all of them without a name.

    Parameters
    ----------
    as_json
        Print the document on stdout and nothing else there.
    site_days, days
        How much of it, for the benchmarks of faults and of uncertainty.

    Raises
    ------
    DocumentError
        When there is no benchmark of this name.
    """
    if not name:
        _print_list()
        return
    given = {"--site-days": site_days, "--days": days}
    if name not in BENCHES:
        raise DocumentError(
            "bench", [Problem("NAME", f"{name!r} is unknown; there are: {', '.join(BENCHES)}")]
        )
    lengths = {option: length for option, length in given.items() if length is not None}
    problems = [
        Problem(option, f"{name} has none: leave it away")
        for option in lengths
        if option != LENGTHS.get(name)
    ]
    if problems:
        raise DocumentError("bench", problems)
    with stdout_to_stderr():
        module = importlib.import_module(f"wijkstroom.bench.{name}")
        measure = partial(module.measure, *lengths.values())
        document = run(name, measure)
        kept = keep(document)
    if as_json:
        sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")
    else:
        _print_figures(document)
    if kept is not None:
        Console(stderr=True).print(f"kept in {kept}", style="dim", highlight=False)


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Send everything written to stdout to stderr, also what libraries write past Python."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _print_list() -> None:
    table = Table("name", "what it measures")
    for name, text in BENCHES.items():
        table.add_row(name, text)
    Console().print(table)


def _print_figures(document: dict[str, Any]) -> None:
    table = Table("figure", "value", "unit", "target", "met", "measured against")
    for figure in document["figures"]:
        value = "-" if figure["value"] is None else f"{figure['value']:g}"
        met = "" if figure["met"] is None else "yes" if figure["met"] else "NO"
        table.add_row(figure["name"], value, figure["unit"], figure["target"] or "", met, figure["reference"])
    Console().print(table)
