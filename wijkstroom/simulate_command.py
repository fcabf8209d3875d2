"""`wijkstroom simulate`: the command; it imports what it runs."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from grid.errors import DocumentError, Problem
from wijkstroom.console import ConfigOption, SeedOption, reported_errors

LOCAL_CSMS = "ws://127.0.0.1:9000/ocpp"

Target = Annotated[
    str,
    typer.Argument(
        metavar="URL|FLEET.toml",
        help="A central system, for the street of --config; or a fleet file, for the system of --csms.",
    ),
]
Csms = Annotated[
    str, typer.Option(metavar="URL", help="Fleet file: central system, to which /STATION_ID is added.")
]
Day = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d"], help="Street: local day to simulate from 06:00; default: now, at speed 1."
    ),
]
Hours = Annotated[float, typer.Option(min=0.001, help="Length; of the wall for a fleet file.")]
Speed = Annotated[
    float,
    typer.Option(
        min=1.0,
        help="Street: simulated seconds per real second. Fleet file: how much faster people come and "
        "go, while clocks and power stay real.",
    ),
]
Stations = Annotated[
    int | None,
    typer.Option(min=1, help="How many stations: the first of the street, or of the fleet in proportion."),
]
Scenario = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Fleet file: faults and quirks to switch on.")
]
ControlPort = Annotated[
    int | None,
    typer.Option(min=0, max=65535, metavar="PORT", help="Fleet file: serve the control page; 0 is any port."),
]
Report = Annotated[
    Path | None, typer.Option(metavar="PATH", help="Fleet file: also write the report as JSON.")
]
Api = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Fleet file: API of our service, where people declare needs and book; the token comes from "
        "WIJKSTROOM_OPERATOR_TOKEN.",
    ),
]


def simulate(
    target: Target = LOCAL_CSMS,
    csms: Csms = LOCAL_CSMS,
    config: ConfigOption = None,
    date: Day = None,
    hours: Hours = 24.0,
    speed: Speed = 1.0,
    seed: SeedOption = 1,
    stations: Stations = None,
    scenario: Scenario = None,
    control: ControlPort = None,
    report: Report = None,
    api: Api = None,
) -> None:
    """Connect simulated stations to any central system: ours or another.

    With an address the default street (or that of --config) is simulated on
    it; with a fleet file as many stations as it names, with faults, quirks
    and a page to break things by hand.

    [bold]Examples[/]

        wijkstroom simulate ws://127.0.0.1:9000/ocpp --hours 1
        wijkstroom simulate ws://csms.example/steve/websocket/CentralSystemService --stations 4
        wijkstroom simulate utrecht.toml --csms ws://127.0.0.1:9000/ocpp --stations 50 --speed 60
        wijkstroom simulate utrecht.toml --scenario rough-day.toml --control 8099
    """
    with reported_errors():
        if target.endswith(".toml"):
            from wijkstroom.simulate_fleet import FleetOptions, run_fleet  # noqa: PLC0415

            run_fleet(
                FleetOptions(Path(target), csms, stations, hours, speed, seed, scenario, control, report, api)
            )
            return
        from wijkstroom.simulate import SimulateOptions, run_simulate  # noqa: PLC0415

        refuse_fleet_options(scenario=scenario, control=control, report=report, api=api)
        run_simulate(
            SimulateOptions(
                address=target,
                config=config,
                date=date.date() if date else None,
                hours=hours,
                speed=speed,
                seed=seed,
                stations=stations,
            )
        )


def refuse_fleet_options(**options: object) -> None:
    """Refuse options that only a fleet file has a use for.

    Raises
    ------
    DocumentError
        With every one that was given.
    """
    problems = [
        Problem(f"--{name}", "belongs to a fleet file: name one instead of an address, like utrecht.toml")
        for name, value in options.items()
        if value is not None
    ]
    if problems:
        raise DocumentError("simulate", problems)
