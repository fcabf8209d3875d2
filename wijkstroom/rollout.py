"""`wijkstroom rollout`: years of public charging in a city, with queues, transformers and intervals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from grid.errors import DocumentError, Problem
from wijkstroom.console import print_json, reported_errors
from wijkstroom.resources import configs_directory

if TYPE_CHECKING:
    from simulator.rollout.scenario import Scenario

RUN = "run"


class RunByDefault(TyperGroup):
    """A group whose first word may be a scenario: `rollout SCENARIO` is `rollout run SCENARIO`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Take what is no command for the scenario of `run`."""
        if args and self.get_command(ctx, args[0]) is None:
            args = [RUN, *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=RunByDefault,
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="""Plan a city's charging points: queues, transformers, policies, confidence intervals.

    [bold]Examples[/]

        wijkstroom rollout lombok-145 --out lombok
        wijkstroom rollout utrecht-2030 --out utrecht --workers 2 --policy uncontrolled --policy smart
        wijkstroom rollout my-city.toml --out city --sweep poles.reach_m=150,300,450
        wijkstroom rollout compare lombok utrecht
        wijkstroom rollout propose sessions.csv --out proposals
    """,
)

OutOption = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Where results go; a killed study goes on there.")
]
WorkersOption = Annotated[int, typer.Option(min=1, help="Processes on this machine.")]
DaskOption = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Scheduler of a Dask cluster, instead of own processes.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the summary as JSON and nothing else.")]


@app.command(RUN)
def run(
    scenario: Annotated[
        str, typer.Argument(metavar="SCENARIO", help="A TOML file, or a shipped one by name.")
    ],
    out: OutOption,
    replicates: Annotated[int | None, typer.Option(min=1, help="Instead of the scenario's.")] = None,
    workers: WorkersOption = 1,
    dask: DaskOption = None,
    years: Annotated[
        list[int] | None,
        typer.Option("--years", metavar="YEAR", help="Instead of the scenario's; repeatable."),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            "--policy", help="uncontrolled, static_limit, smart or v2g instead of the scenario's; repeatable."
        ),
    ] = None,
    months: Annotated[
        int | None, typer.Option(min=1, max=12, help="Only so many months of each year, for a quick look.")
    ] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep", metavar="TABLE.KEY=A,B,C", help="Repeat the study per value; repeatable, all combined."
        ),
    ] = None,
    as_json: JsonOption = False,  # noqa: FBT002 - a flag of a command line
) -> None:
    """Run a study and write report.html, summary.json and Parquet tables.

    The same seed gives the same summary for any number of workers. Policies
    and swept values see the same drivers, weather and households.

    [bold]Examples[/]

        wijkstroom rollout lombok-145 --out lombok
        wijkstroom rollout utrecht-growth --out growth --workers 2 --replicates 2
        wijkstroom rollout utrecht-2030 --out u30 --dask tcp://planner:8786
    """
    changes = {"replicates": replicates, "years": years or None, "months": months, "policies": policy or None}
    with reported_errors():
        _run(
            scenario,
            out,
            {key: value for key, value in changes.items() if value is not None},
            workers,
            dask,
            sweep or [],
            as_json=as_json,
        )


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="Folder of a finished study.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Folder of another.")],
    as_json: JsonOption = False,  # noqa: FBT002 - a flag of a command line
) -> None:
    """Compare two studies figure by figure; common seeds make the differences sharp.

    [bold]Examples[/]

        wijkstroom rollout compare lombok kanaleneiland
    """
    with reported_errors():
        _compare(first, second, as_json=as_json)


@app.command()
def propose(
    sessions: Annotated[
        Path, typer.Argument(metavar="SESSIONS", help="CSV or Parquet of sessions; columns: docs/rollout.md.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Also write the document as JSON.")
    ] = None,
    poles: Annotated[int, typer.Option(min=1, help="Poles to place at the most.")] = 10,
    reach_m: Annotated[float, typer.Option("--reach", min=1.0, help="Metres that drivers walk.")] = 250.0,
    largest: Annotated[int, typer.Option(min=1, help="New poles at one place at the most.")] = 2,
    promised: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Free share that the concession guarantees.")
    ] = 0.95,
    as_json: JsonOption = False,  # noqa: FBT002 - a flag of a command line
) -> None:
    """Propose where the next poles go, from real sessions, and track a concession month by month.

    [bold]Examples[/]

        wijkstroom rollout propose sessions.csv --poles 20
        wijkstroom rollout propose sessions.parquet --promised 0.98 --json
    """
    with reported_errors():
        _propose(
            sessions,
            out,
            {"poles": poles, "reach_m": reach_m, "largest_poles": largest, "promised_fraction": promised},
            as_json=as_json,
        )


def find_scenario(name: str) -> Path:
    """Return the path of a scenario: a user's file, or a shipped one by its name.

    Raises
    ------
    DocumentError
        When there is neither.
    """
    path = Path(name)
    if path.is_file():
        return path
    folder = configs_directory() / "rollout"
    shipped = folder / f"{path.stem if path.suffix == '.toml' else path.name}.toml"
    if shipped.is_file():
        return shipped
    names = ", ".join(sorted(each.stem for each in folder.glob("*.toml")))
    raise DocumentError(
        "rollout", [Problem("SCENARIO", f"{name} is no file and not shipped; shipped are: {names}")]
    )


def _run(
    name: str,
    out: Path,
    changes: dict[str, Any],
    workers: int,
    dask: str | None,
    sweep: list[str],
    *,
    as_json: bool,
) -> None:
    from simulator.rollout.executors import make_executor  # noqa: PLC0415
    from simulator.rollout.sweep import read_variants  # noqa: PLC0415

    path = find_scenario(name)
    variants = read_variants(path, changes, sweep)
    executor = make_executor(workers, dask)
    try:
        summaries = {
            label: _study(scenario, path.parent, out / label if label else out, executor)
            for label, scenario in variants.items()
        }
    finally:
        executor.close()
    _finish(summaries, out, as_json=as_json)


def _study(scenario: Scenario, beside: Path, directory: Path, executor: Any) -> dict[str, Any]:
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    from simulator.rollout.results import prepare, write_results  # noqa: PLC0415
    from simulator.rollout.study import Study  # noqa: PLC0415

    data = configs_directory() / "data"
    scenario, flow = prepare(scenario, data, beside, directory)
    study = Study(scenario, data, directory)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task(scenario.study.name, total=study.total)
        tables = study.run(
            executor, lambda name, count, _: progress.update(bar, completed=count, description=name)
        )
        progress.update(bar, completed=study.total, description="report")
        return write_results(study, tables, flow)


def _finish(summaries: dict[str, dict[str, Any]], out: Path, *, as_json: bool) -> None:
    from simulator.rollout.study import write_json  # noqa: PLC0415
    from wijkstroom.rollout_tables import print_summary, print_sweep  # noqa: PLC0415

    document = next(iter(summaries.values())) if list(summaries) == [""] else {"sweep": summaries}
    if "sweep" in document:
        write_json(out / "sweep.json", document)
    if as_json:
        print_json(document)
    elif "sweep" in document:
        print_sweep(summaries)
    else:
        print_summary(document, out)


def _compare(first: Path, second: Path, *, as_json: bool) -> None:
    from simulator.rollout.compare import compare_studies  # noqa: PLC0415
    from wijkstroom.rollout_tables import print_comparison  # noqa: PLC0415

    document = compare_studies(first, second)
    if as_json:
        print_json(document)
    else:
        print_comparison(document)


def _propose(sessions: Path, out: Path | None, wish: dict[str, Any], *, as_json: bool) -> None:
    from simulator.rollout.proposals import Wish, propose, track_concession  # noqa: PLC0415
    from simulator.rollout.sessions import read_sessions  # noqa: PLC0415
    from simulator.rollout.study import write_json  # noqa: PLC0415
    from wijkstroom.rollout_tables import print_proposals  # noqa: PLC0415

    asked, observed = Wish(**wish), read_sessions(sessions)
    document = {**propose(observed, asked), "concession": track_concession(observed, asked)}
    if out:
        write_json(out, document)
    if as_json:
        print_json(document)
    else:
        print_proposals(document)
