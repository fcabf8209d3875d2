"""`wijkstroom solar`: how good the forecasts of the sun are, and the table of fitted figures they use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from wijkstroom.console import print_json, reported_errors

if TYPE_CHECKING:
    from rich.table import Table

    from grid.solar.backtest import Backtest, Judged, References

OBSERVATIONS: Final = "knmi_de_bilt_260_hourly_2023_2024.csv"
FIT_YEAR, SCORE_YEAR = 2023, 2024
# De Bilt; a roof of the street's tilt, facing south.
LATITUDE, LONGITUDE, TILT_DEGREES, AZIMUTH_DEGREES = 52.10, 5.18, 15.0, 180.0
# What the project asks of itself.
MOST_ABOVE_MIX, LEAST_PINBALL_GAIN, MOST_NOWCAST, LEAST_SKILL = 0.002, 0.10, 0.084, 0.2
COVERED = (0.74, 0.86)
# The mix at De Bilt in 2024 as it was stated before anything was built.
STATED_MIX = 0.14
_HOURS_OF_YEAR = 8760
COMMENTS = (
    "Quantiles of the clear-sky index of an array at De Bilt, as linear functions of what is known before.",
    f"Made by `wijkstroom solar fit`, fitted on {FIT_YEAR}: statistics derived from hourly observations of",
    "KNMI station 260 (KNMI, CC-BY-4.0), which are not shipped. The rows of `weather` rest on a synthetic",
    "error of the weather forecast: see docs/solar.md.",
)

app = typer.Typer(help="Forecasts of the sun: their score, and their fitted figures.", no_args_is_help=True)

DataOption = Annotated[
    Path, typer.Option("--data", metavar="FOLDER", help=f"Folder with {OBSERVATIONS} (it may not ship).")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the figures as JSON and nothing else.")]


@app.command("score")
def score(data: DataOption = Path("../shared/data"), *, as_json: JsonOption = False) -> None:
    """Score the forecasts of the sun at De Bilt: fitted on 2023, judged on 2024.

    Only hours with the sun above the horizon count, as fractions of the
    array's peak. Day-ahead forecasts are made at 00:00 UTC for the whole day.

    [bold]Examples[/]

        wijkstroom solar score
        wijkstroom solar score --data ../shared/data --json
    """
    from rich.console import Console  # noqa: PLC0415

    with reported_errors():
        document = build_document(run(data))
        if as_json:
            print_json(document)
        else:
            for table in (build_table(document), build_targets_table(document)):
                Console().print(table)


@app.command("fit")
def fit(data: DataOption = Path("../shared/data")) -> None:
    """Fit the forecasts on 2023 and print the table that the service reads.

    [bold]Examples[/]

        wijkstroom solar fit > configs/data/clearness_models_de_bilt.csv
    """
    from grid.solar.model_file import render_models  # noqa: PLC0415

    with reported_errors():
        found = run(data)
    typer.echo(render_models(found.models, COMMENTS), nl=False)


def run(data: Path) -> Backtest:
    """Fit and judge.

    Raises
    ------
    DocumentError
        With every mistake of the observations.
    """
    from grid.solar.backtest import WeatherError, run_backtest  # noqa: PLC0415 - scipy is slow to import
    from grid.solar.history import build_history  # noqa: PLC0415
    from grid.solar.model import PvArray  # noqa: PLC0415
    from grid.solar.observations import Observations  # noqa: PLC0415

    array = PvArray(LATITUDE, LONGITUDE, 1.0, TILT_DEGREES, AZIMUTH_DEGREES)
    history = build_history(Observations.from_csv(data / OBSERVATIONS), array, slice(0, _HOURS_OF_YEAR))
    return run_backtest(history, FIT_YEAR, SCORE_YEAR, WeatherError())


def build_document(found: Backtest) -> dict[str, Any]:
    """Return the scores and what was asked for as plain data, rounded."""
    from dataclasses import asdict  # noqa: PLC0415

    from grid.solar.backtest import WeatherError  # noqa: PLC0415
    from grid.solar.clearness import LEVELS  # noqa: PLC0415

    document = {
        "place": {"latitude": LATITUDE, "longitude": LONGITUDE, "tilt_degrees": TILT_DEGREES},
        "fit_year": FIT_YEAR,
        "score_year": SCORE_YEAR,
        "hours": found.hours,
        "unit": "fraction of the array's peak; hours with the sun above the horizon in their middle",
        "levels": list(LEVELS),
        "references": asdict(found.references),
        "day_ahead": {
            knowledge.value: _describe(judged, found.references)
            for knowledge, judged in found.forecasts.items()
        },
        "weather_error": {**asdict(WeatherError()), "nrmse": found.weather_nrmse},
        "nowcast": asdict(found.nowcasts),
        "targets": list_targets(found),
    }
    rounded = _rounded(document)
    assert isinstance(rounded, dict), "a mapping stays one"
    return rounded


def _describe(judged: Judged, references: References) -> dict[str, Any]:
    from dataclasses import asdict  # noqa: PLC0415

    from grid.solar.score import skill  # noqa: PLC0415

    return {
        **asdict(judged),
        "skill": skill(judged.nrmse, references.mix),
        "pinball_gain": skill(judged.pinball, references.pinball),
        "pinball_gain_over_smooth": skill(judged.pinball, references.smooth_pinball),
    }


def list_targets(found: Backtest) -> list[dict[str, Any]]:
    """Return what the project asks of itself, and whether it is met."""
    from grid.solar.clearness import Knowledge  # noqa: PLC0415
    from grid.solar.score import skill  # noqa: PLC0415

    station = found.forecasts[Knowledge.STATION]
    least, most = COVERED
    rows: list[tuple[str, float, float, bool]] = [
        ("day-ahead nRMSE, no weather forecast", station.nrmse, STATED_MIX + MOST_ABOVE_MIX, False),
        (
            "pinball loss under climatological quantiles",
            skill(station.pinball, found.references.pinball),
            LEAST_PINBALL_GAIN,
            True,
        ),
        ("one-hour nowcast nRMSE", found.nowcasts.nrmse[1], MOST_NOWCAST, False),
        ("skill with a weather forecast", found.skill(Knowledge.WEATHER), LEAST_SKILL, True),
    ]
    for knowledge, judged in found.forecasts.items():
        shares = {**judged.by_third, **judged.by_season}.values()
        rows += [
            (f"least coverage of a third or season, {knowledge.value}", min(shares), least, True),
            (f"most coverage of a third or season, {knowledge.value}", max(shares), most, False),
        ]
    return [
        {"what": what, "found": value, "bound": bound, "met": value >= bound if at_least else value <= bound}
        for what, value, bound, at_least in rows
    ]


def build_table(document: dict[str, Any]) -> Table:
    """Return the scores for people."""
    from rich.table import Table  # noqa: PLC0415

    title = f"Sun at De Bilt, fitted on {FIT_YEAR}, {document['hours']} daylight hours of {SCORE_YEAR}"
    table = Table(title=title, title_justify="left")
    for name in ("forecast", "nRMSE", "skill", "pinball", "80 %", "thirds", "seasons"):
        table.add_column(name, justify="left" if name == "forecast" else "right", no_wrap=True)
    for name, one in document["day_ahead"].items():
        table.add_row(
            f"day ahead, {name}",
            f"{one['nrmse']:.2%}",
            f"{one['skill']:.3f}",
            f"{one['pinball']:.3%}",
            f"{one['coverage']:.0%}",
            _shares(one["by_third"]),
            _shares(one["by_season"]),
        )
    references, nowcast = document["references"], document["nowcast"]
    for name in ("persistence", "climatology", "mix"):
        loss = f"{references['pinball']:.3%}" if name == "climatology" else ""
        table.add_row(name, f"{references[name]:.2%}", "", loss)
    table.add_section()
    for lead, value in nowcast["nrmse"].items():
        table.add_row(f"nowcast, {lead} h", f"{value:.2%}")
        table.add_row("clear-sky index kept", f"{nowcast['clearness_persistence'][lead]:.2%}")
    return table


def build_targets_table(document: dict[str, Any]) -> Table:
    """Return what was asked for, for people."""
    from rich.table import Table  # noqa: PLC0415

    table = Table("target", "found", "bound", "", title="What is asked for", title_justify="left")
    for one in document["targets"]:
        table.add_row(
            one["what"], f"{one['found']:.3f}", f"{one['bound']:g}", "met" if one["met"] else "missed"
        )
    return table


def _shares(shares: dict[str, float]) -> str:
    return "/".join(f"{100 * share:.0f}" for share in shares.values())


def _rounded(value: Any) -> Any:
    """Round every number of a document to five decimals: the rest is noise."""
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, dict):
        return {str(key): _rounded(each) for key, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list | tuple) else value
