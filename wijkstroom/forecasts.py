"""`wijkstroom forecast score`: base load and arrivals, by the same measures as the sun.

The truth is what the simulation draws from its seed, where that is no forecast's doing; and, where the
folder with real data is there, the Dutch standard profile of households.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from wijkstroom.console import print_json, reported_errors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.table import Table

    from grid.load import Quantiles
    from wijkstroom.street import Street

    Floats = NDArray[np.float64]

DUTCH_PROFILE: Final = "nl_standard_profiles_e1a_e4a_15min_2020-10_2021-01.csv"
BOUND_LEVELS: Final = (0.05, 0.5, 0.95)
# Quarters ahead for which the nowcast is judged: the running one and the one in an hour.
LEADS: Final = (0, 4)
_FIRST_DAY = date(2024, 1, 8)
_QUARTER_S, _QUARTERS, _HOURS, _SATURDAY = 900, 96, 24, 5

app = typer.Typer(help="Forecasts of base load and arrivals: their score.", no_args_is_help=True)


@app.callback()
def forecast() -> None:
    """Forecasts of base load and arrivals: their score."""


@app.command("score")
def score(
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Street file; default: lombok.toml.")
    ] = None,
    days: Annotated[int, typer.Option(min=2, max=366, help="How many days of 2024, spread evenly.")] = 26,
    seed: Annotated[int, typer.Option(min=0, help="Everything random follows from this number.")] = 1,
    data: Annotated[
        Path, typer.Option("--data", metavar="FOLDER", help=f"Folder with {DUTCH_PROFILE} (it may not ship).")
    ] = Path("../shared/data"),
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the figures as JSON and nothing else.")
    ] = False,
) -> None:
    """Score the forecasts of base load and arrivals on a street.

    Base load: day ahead and corrected by the meter, against households as
    the simulation draws them, and against the Dutch standard profile.
    Arrivals: ElaadNL's distribution against those that find a socket.

    [bold]Examples[/]

        wijkstroom forecast score
        wijkstroom forecast score --days 60 --seed 7 --json
    """
    from rich.console import Console  # noqa: PLC0415

    from wijkstroom.street import load_street  # noqa: PLC0415

    with reported_errors():
        street = load_street(config)
        rows = [*score_base_load(street, spread_days(days), seed), *score_profile(street, data)]
        rows += score_arrivals(street, spread_days(days), seed)
        if as_json:
            print_json({"street": street.grid.name, "days": days, "seed": seed, "scores": rows})
        else:
            Console().print(build_table(rows))


def spread_days(count: int) -> list[date]:
    """Return days of 2024, spread so that all days of the week and all seasons have their share."""
    return [_FIRST_DAY + timedelta(days=round(index * 358 / count)) for index in range(count)]


@dataclass(frozen=True, eq=False)
class Judged:
    """Forecasts beside what came, both of shape (steps,) and of one unit.

    Parameters
    ----------
    lower, median, upper
        5 %, 50 % and 95 % quantiles.
    seen
        What came.
    """

    lower: Floats
    median: Floats
    upper: Floats
    seen: Floats

    def describe(self, what: str, against: str) -> dict[str, Any]:
        """Return the scores; errors and losses are shares of the mean of what came."""
        import numpy as np  # noqa: PLC0415

        from grid.solar.score import coverage, pinball, rmse  # noqa: PLC0415

        mean = float(self.seen.mean())
        quantiles = np.column_stack([self.lower, self.median, self.upper])
        return {
            "what": what,
            "against": against,
            "steps": len(self.seen),
            "nrmse": round(rmse(self.median, self.seen) / mean, 4),
            "pinball": round(pinball(quantiles, self.seen, BOUND_LEVELS) / mean, 4),
            "coverage_90": round(coverage(self.lower, self.upper, self.seen), 4),
        }


def score_base_load(street: Street, days: Sequence[date], seed: int) -> list[dict[str, Any]]:
    """Score the households' forecast, and what one reading of the meter makes of it."""
    import numpy as np  # noqa: PLC0415

    from grid.timegrid import local_midnight  # noqa: PLC0415
    from simulator.noise import draw_uncontrolled, forecast_street  # noqa: PLC0415

    if street.simulation is None:
        return []
    ahead: list[tuple[Floats, ...]] = []
    nowcasts: dict[int, list[tuple[Floats, ...]]] = {lead: [] for lead in LEADS}
    for day in days:
        start = local_midnight(day, street.grid.tz)
        seconds = _QUARTERS * _QUARTER_S
        truth = draw_uncontrolled(street.simulation.noise, street.grid, start, seconds, seed)
        base = truth.base_kw.astype(np.float64).reshape(_QUARTERS, _QUARTER_S)
        forecast_kw = forecast_street(street.grid, start, seconds).base_kw
        seen = base.mean(axis=1)
        ahead.append((forecast_kw.lower, forecast_kw.median, forecast_kw.upper, seen))
        for lead, found in _nowcast(forecast_kw, base[:, 0], seen):
            nowcasts[lead].append(found)
    truth_name = "simulated households"
    rows = [Judged(*np.hstack(ahead)).describe("base load, day ahead", truth_name)]
    for lead, found_all in nowcasts.items():
        name = "base load, running quarter" if lead == 0 else f"base load, {15 * lead} minutes ahead"
        rows.append(Judged(*np.hstack(found_all)).describe(name, truth_name))
    return rows


def _nowcast(
    forecast_kw: Quantiles, readings_kw: Floats, seen: Floats
) -> Iterator[tuple[int, tuple[Floats, ...]]]:
    """Yield by lead the corrected quantiles and what came: a reading at the start of each quarter."""
    import numpy as np  # noqa: PLC0415

    from csms.control.nowcast import BASE_READING_SPREAD_FRACTION, correct  # noqa: PLC0415

    for lead in LEADS:
        reading = readings_kw[: _QUARTERS - lead]
        error = reading - forecast_kw.median[: _QUARTERS - lead]
        own = type(forecast_kw)(*(each[lead:] for each in _parts(forecast_kw)))
        age_h = np.full(len(reading), (lead + 0.5) / 4.0)
        found = correct(own, error, BASE_READING_SPREAD_FRACTION * reading, age_h)
        yield lead, (*_parts(found), seen[lead:])


def _parts(quantiles: Quantiles) -> tuple[Floats, Floats, Floats]:
    return quantiles.lower, quantiles.median, quantiles.upper


def score_profile(street: Street, data: Path) -> list[dict[str, Any]]:
    """Score the households' forecast against the Dutch standard profile E1A, where that is there."""
    import numpy as np  # noqa: PLC0415

    from grid.csvfile import read_csv  # noqa: PLC0415
    from grid.load import forecast_base_load_kw  # noqa: PLC0415

    path = data / DUTCH_PROFILE
    if not path.exists():
        return []
    header = path.read_text(encoding="utf-8").splitlines()[0].split(",")
    _, rows = read_csv(path, header)
    starts = [datetime.fromisoformat(row.cells[0]) for row in rows]
    share = np.array([float(row.cells[header.index("sjv_E1A")]) for row in rows])
    judged = []
    for node in street.grid.topology.nodes:
        if node.households:
            annual_kwh = node.households * node.annual_kwh_per_household
            found = forecast_base_load_kw(node, starts, street.grid.tz)
            seen = share * annual_kwh * 4.0
            judged.append(Judged(*_parts(found), seen).describe("base load, day ahead", "Dutch profile E1A"))
    return judged


def score_arrivals(street: Street, days: Sequence[date], seed: int) -> list[dict[str, Any]]:
    """Score how many visitors come in each hour, and how much they need, by the shipped distributions."""
    import numpy as np  # noqa: PLC0415
    from scipy.stats import poisson  # noqa: PLC0415

    from simulator.fleet.joint import Place, load_session_tables  # noqa: PLC0415
    from wijkstroom.resources import configs_directory  # noqa: PLC0415
    from wijkstroom.scene import draw_scene  # noqa: PLC0415

    if street.simulation is None:
        return []
    tables = load_session_tables(configs_directory() / "data")[Place.PUBLIC]
    expected, came, needs = [], [], []
    for day in days:
        scene = draw_scene(street, day, float(_HOURS), seed)
        for hour in range(_HOURS):
            local = (scene.start + timedelta(hours=hour)).astimezone(street.grid.tz)
            shares = tables.weekend_arrivals if local.weekday() >= _SATURDAY else tables.weekday_arrivals
            expected.append(shares[4 * local.hour : 4 * local.hour + 4].sum())
        shared = {car.token for car in scene.simulation.shared_cars}
        visitors = [each for each in scene.fleet.sessions if each.token not in shared]
        hours = [int((each.arrival - scene.start) / timedelta(hours=1)) for each in visitors]
        came.append(np.bincount(hours, minlength=_HOURS)[:_HOURS])
        needs += [each.target_energy_kwh - each.start_energy_kwh for each in visitors]
    mean = np.array(expected) * street.simulation.sessions_per_day
    lower, median, upper = (poisson.ppf(level, mean) for level in BOUND_LEVELS)
    arrivals = Judged(lower, median, upper, np.concatenate(came).astype(np.float64))
    energy = np.array(needs)
    known = np.array(street.service.unknown_session.energy_quantiles_kwh)
    least, usual, most = (
        np.full(len(energy), np.interp(level, np.linspace(0.0, 1.0, len(known)), known))
        for level in BOUND_LEVELS
    )
    need = Judged(least, usual, most, energy)
    return [
        arrivals.describe("arrivals in an hour", "simulated visitors"),
        need.describe("energy of an unknown session", "simulated visitors, in the battery"),
    ]


def build_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return the scores for people."""
    from rich.table import Table  # noqa: PLC0415

    table = Table(title="Forecasts, errors as shares of the mean", title_justify="left")
    for name in ("forecast", "against"):
        table.add_column(name)
    for name in ("steps", "nRMSE", "pinball", "in 90 %"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        figures = (f"{row[key]:.1%}" for key in ("nrmse", "pinball", "coverage_90"))
        table.add_row(row["what"], row["against"], str(row["steps"]), *figures)
    return table
