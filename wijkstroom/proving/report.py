"""`wijkstroom prove`: one seed, in words."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from rich.console import Console

from grid.errors import DocumentError, Problem
from wijkstroom.proving.faults import KINDS, Fault
from wijkstroom.proving.prove import Trial, Verdict, run_trial


def find_kinds(names: Sequence[str]) -> tuple[type[Fault], ...]:
    """Return classes of faults by their names, all without a name.

    Parameters
    ----------
    names
        As on the command line.

    Raises
    ------
    DocumentError
        When there is no class of a name; lists those that there are.
    """
    known = {kind.__name__: kind for kind in KINDS}
    unknown = [name for name in names if name not in known]
    if unknown:
        text = f"{', '.join(unknown)} unknown; there are: {', '.join(known)}"
        raise DocumentError("prove", [Problem("--kind", text)])
    return tuple(known[name] for name in names) or KINDS


def prove_seed(
    seed: int,
    faults: int,
    hours: float,
    kinds: Sequence[str],
    *,
    guarded: bool,
    quirks_from: int | None = None,
) -> bool:
    """Run one seed and print what came of it; say whether every limit was kept.

    Parameters
    ----------
    seed, faults, hours, kinds, guarded, quirks_from
        As `Trial` has them.
    """
    logging.basicConfig(level=logging.CRITICAL)  # the service is made to fail: its complaints are no news
    trial = Trial(seed, faults, find_kinds(kinds), guarded, hours, quirks_from=quirks_from)
    verdict = run_trial(trial)
    Console().print("\n".join(describe(verdict)), highlight=False)
    return not verdict.violations


def describe(verdict: Verdict) -> list[str]:
    """Return a verdict line by line."""
    trial = verdict.trial
    lines = [
        f"seed {trial.seed}: {verdict.stations} stations, {trial.hours:g} hours, {verdict.faults} faults",
        f"delivered {verdict.delivered_kwh:.1f} kWh; {verdict.writes} profiles sent",
        f"{verdict.reversions} leases lapsed, back within {verdict.lease_reversion_max_s:.0f} s of their end",
    ]
    for one in verdict.violations:
        how = "in a second" if one.any_second else "as a quarter's mean"
        lines.append(f"NOT KEPT {one.place}: {one.source}, {one.exceeded_kwh:.3f} kWh above {how}")
    lines.append("every limit was kept" if not verdict.violations else f"again: {trial.command}")
    return lines
