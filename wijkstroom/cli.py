"""The command line: `wijkstroom --help` teaches what there is.

Commands import what they need when they run, so that help and version answer at once.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

import wijkstroom
from wijkstroom import access, forecasts, market, rollout, solar, tariff_commands
from wijkstroom.console import ConfigOption, SeedOption, print_json, reported_errors
from wijkstroom.simulate_command import simulate

EXAMPLES = """Open smart-charging and vehicle-to-grid control for a neighbourhood.

[bold]A first look[/]  one street for a day: real stations on real sockets, a plan every quarter of an hour

    wijkstroom demo

[bold]Your own stations[/]  connect them to ws://HOST:9000/ocpp/STATION_ID

    wijkstroom serve --try

[bold]Your own planning problem[/]  one JSON document in, one checked plan out

    wijkstroom plan problem.json --json

[bold]Your city in ten years[/]  queues, transformers and policies with confidence intervals

    wijkstroom rollout lombok-145 --out lombok --months 1

[bold]Simulated stations[/]  on any central system, ours or another

    wijkstroom simulate ws://127.0.0.1:9000/ocpp --hours 2
"""

app = typer.Typer(
    name="wijkstroom",
    help=EXAMPLES,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(rollout.app, name="rollout")
app.add_typer(solar.app, name="solar")
app.add_typer(forecasts.app, name="forecast")
app.add_typer(access.app, name="token")
app.add_typer(market.prices_app, name="prices")
app.add_typer(tariff_commands.tariffs_app, name="tariffs")
fleet_app = typer.Typer(help="Fleets of electric cars, as the simulator draws them.", no_args_is_help=True)
app.add_typer(fleet_app, name="fleet")
app.command()(simulate)


@app.command()
def demo(
    config: ConfigOption = None,
    date: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="Local day; the run begins at 06:00.")
    ] = "2024-06-11",  # type: ignore[assignment]  # parsed by the option itself
    hours: Annotated[float, typer.Option(min=0.25, max=168.0, help="Simulated hours.")] = 24.0,
    speed: Annotated[
        float, typer.Option(min=1.0, help="Simulated seconds per real second, at the most.")
    ] = 600.0,
    seed: SeedOption = 1,
    json_path: Annotated[
        Path | None,
        typer.Option("--json", metavar="PATH", help="Also write the figures as JSON; - is stdout."),
    ] = None,
    picture_path: Annotated[
        Path | None, typer.Option("--picture", metavar="PATH", help="Also draw the day as an SVG picture.")
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Afterwards keep stations and service connected, at speed 1.")
    ] = False,
    http_port: Annotated[
        int, typer.Option(min=0, max=65535, help="API and live page; 0 is any free port.")
    ] = 0,
    quirks: Annotated[
        bool, typer.Option("--quirks", help="Every station does one thing otherwise than its standard says.")
    ] = False,
) -> None:
    """Run one street for a day and say what planning was worth.

    Charging stations (simulated hardware, real OCPP over real sockets) are
    charged and discharged by a plan against sun, prices and a transformer
    limit. The same sessions are then replayed uncontrolled, by equal share
    and by earliest deadline, and one table compares them.

    [bold]Examples[/]

        wijkstroom demo
        wijkstroom demo --hours 2 --json figures.json
        wijkstroom demo --date 2024-01-16 --seed 7
        wijkstroom demo --serve     (then open the live page that it prints)
    """
    from wijkstroom.demo import DemoOptions, run_demo  # noqa: PLC0415

    options = DemoOptions(
        config=config,
        date=date.date(),
        hours=hours,
        speed=speed,
        seed=seed,
        json_path=json_path,
        picture_path=picture_path,
        serve=serve,
        http_port=http_port,
        quirks=quirks,
    )
    with reported_errors():
        run_demo(options)


@app.command()
def serve(
    config: ConfigOption = None,
    db: Annotated[
        str | None, typer.Option(metavar="URL", help="Database, for example sqlite:///wijkstroom.db.")
    ] = None,
    ocpp_port: Annotated[int, typer.Option(min=0, max=65535, help="Port for charging stations.")] = 9000,
    http_port: Annotated[int, typer.Option(min=0, max=65535, help="Port for API and live page.")] = 8080,
    try_out: Annotated[
        bool,
        typer.Option(
            "--try", help="Loopback only, any station id, no passwords, a database that is thrown away."
        ),
    ] = False,
) -> None:
    """Run the central system for real stations.

    Stations connect to ws://HOST:9000/ocpp/STATION_ID (OCPP 1.6, 2.0.1, 2.1),
    the API is under http://HOST:8080/api/v1 with `Authorization: Bearer TOKEN`;
    the token is printed when both ports accept.

    [bold]Examples[/]

        wijkstroom serve --try
        wijkstroom serve --config my-street.toml --db sqlite:////var/lib/wijkstroom/street.db
    """
    from wijkstroom.serve import ServeOptions, run_serve  # noqa: PLC0415

    options = ServeOptions(config=config, db=db, ocpp_port=ocpp_port, http_port=http_port, try_out=try_out)
    with reported_errors():
        run_serve(options)


@app.command()
def plan(
    problem: Annotated[Path, typer.Argument(metavar="PROBLEM.json", help="The problem; - reads stdin.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole plan as JSON and nothing else.")
    ] = False,
) -> None:
    """Plan one site: a JSON document in, a checked plan out.

    Prices, base load, sun, limits and vehicles go in; power per vehicle and
    step, costs, a proven bound and an explanation come out. A document with
    mistakes ends with exit code 2 and a list of all of them.

    [bold]Examples[/]

        wijkstroom plan problem.json
        wijkstroom plan problem.json --json > plan.json
    """
    from wijkstroom.plan import run_plan  # noqa: PLC0415

    with reported_errors():
        run_plan(problem, as_json=as_json)


@fleet_app.command("describe")
def fleet_describe(
    draws: Annotated[int, typer.Option(min=1000, help="Plug-ins drawn of each place.")] = 50_000,
    year: Annotated[float, typer.Option(min=2010, max=2100, help="Year of the mix of cars.")] = 2025,
    seed: SeedOption = 1,
    workplace: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Real workplace sessions (Asensio et al.) to compare with."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the figures as JSON and nothing else.")
    ] = False,
) -> None:
    """Draw home, public and work plug-ins and say how they compare with the data.

    [bold]Examples[/]

        wijkstroom fleet describe
        wijkstroom fleet describe --year 2030 --json
    """
    from wijkstroom.fleet import DescribeOptions, describe, print_description  # noqa: PLC0415

    with reported_errors():
        document = describe(DescribeOptions(draws, year, seed, workplace=workplace))
        if as_json:
            print_json(document)
        else:
            print_description(document)


@app.command()
def settle(
    meter: Annotated[
        Path, typer.Argument(metavar="METER.csv", help="Quarters: utc_start,import_kwh,export_kwh.")
    ],
    tariff: Annotated[Path, typer.Option(help="Tariff sheet, like configs/tariffs/stedin-2026.toml.")],
    contract: Annotated[Path, typer.Option(help="Contract, like configs/contracts/ms-ls-100kw.toml.")],
    statement: Annotated[
        bool, typer.Option("--statement", help="Also say what the operator rewards and why.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the bill as JSON and nothing else.")] = False,
) -> None:
    """Settle a meter under a tariff and a contract: a bill line by line.

    Names of shipped files work without a path. A fourth column baseline_kwh
    gives the import that was expected without steering, for rewards.

    [bold]Examples[/]

        wijkstroom settle year.csv --tariff stedin-2026.toml --contract ms-ls-100kw.toml
        wijkstroom settle year.csv --tariff my-tariff.toml --contract my-contract.toml --statement --json
    """
    from wijkstroom.resources import find_config  # noqa: PLC0415
    from wijkstroom.settle import run_settle  # noqa: PLC0415

    with reported_errors():
        run_settle(
            meter,
            find_config("tariffs", tariff),
            find_config("contracts", contract),
            statement=statement,
            as_json=as_json,
        )


@app.command()
def compliance(
    month: Annotated[str, typer.Option(help="A month of local time, like 2024-06.")],
    db: Annotated[
        str, typer.Option(metavar="URL", help="Database of the service, for example sqlite:///wijkstroom.db.")
    ] = "sqlite:///wijkstroom.db",
    config: ConfigOption = None,
    node: Annotated[str | None, typer.Option(help="Only this node.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON and nothing else.")
    ] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print every metered quarter as CSV and nothing else.")
    ] = False,
) -> None:
    """Say what was kept of limits and capacity signals in a month.

    Every metered quarter of an hour is judged by what was in force then and
    known when it began; what came later counts apart.

    [bold]Examples[/]

        wijkstroom compliance --db sqlite:///street.db --month 2024-06
        wijkstroom compliance --month 2024-06 --node lombok-transformer --json
    """
    from wijkstroom.compliance import run_compliance  # noqa: PLC0415

    with reported_errors():
        run_compliance(config, db, month, node, as_json=as_json, as_csv=as_csv)


@app.command()
def bench(
    name: Annotated[str, typer.Argument(help="Which one; without a name all are listed.")] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the document as JSON and nothing else.")
    ] = False,
    site_days: Annotated[
        int | None, typer.Option("--site-days", min=1, help="For faults: how many streets and days.")
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", min=1, max=90, help="For uncertainty: how many days.")
    ] = None,
) -> None:
    """Measure, against what was measured in the same run; results are kept in docs/results.

    [bold]Examples[/]

        wijkstroom bench
        wijkstroom bench loop --json
        wijkstroom bench faults --site-days 20 --json
        wijkstroom bench uncertainty --days 7
    """
    from wijkstroom.bench import run_bench  # noqa: PLC0415

    with reported_errors():
        run_bench(name, as_json=as_json, site_days=site_days, days=days)


@app.command()
def prove(
    seed: SeedOption = 1,
    faults: Annotated[int, typer.Option(min=0, help="How many faults happen.")] = 100,
    hours: Annotated[float, typer.Option(min=0.25, max=24.0, help="Length, from 06:00 local time.")] = 24.0,
    kind: Annotated[
        list[str] | None, typer.Option("--kind", help="Only faults of this class; may be repeated.")
    ] = None,
    guard_off: Annotated[bool, typer.Option("--guard-off", help="Without the guard: should fail.")] = False,
    quirks_from: Annotated[
        int | None,
        typer.Option(min=0, help="Every station has a quirk, the first one that of this number."),
    ] = None,
) -> None:
    """Run one small street for a day in virtual time while everything fails, and judge its limits.

    Street, day, people and faults follow from the seed: a failing one is
    seen again by the same command. Exit status 1 when a limit was not kept.

    [bold]Examples[/]

        wijkstroom prove --seed 7
        wijkstroom prove --seed 7 --kind LinkDown --kind ServiceDies --hours 6
        wijkstroom prove --seed 7 --guard-off
    """
    from wijkstroom.proving.report import prove_seed  # noqa: PLC0415

    with reported_errors():
        kept = prove_seed(seed, faults, hours, kind or [], guarded=not guard_off, quirks_from=quirks_from)
    raise typer.Exit(0 if kept else 1)


@app.command()
def configuration() -> None:
    """Print the reference of all configuration files as Markdown."""
    from wijkstroom.configuration import render_configuration  # noqa: PLC0415

    typer.echo(render_configuration(), nl=False)


@app.command()
def version(
    as_json: Annotated[
        bool, typer.Option("--json", help="Also the packages that figures depend on.")
    ] = False,
) -> None:
    """Print the version."""
    if as_json:
        from wijkstroom.bench.frame import versions  # noqa: PLC0415

        print_json(versions())
    else:
        typer.echo(wijkstroom.__version__)


def main() -> None:
    """Entry point of the `wijkstroom` command."""
    app()
