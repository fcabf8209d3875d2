"""`wijkstroom token`: the commands; they import what they run."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from wijkstroom.console import print_json, reported_errors

RoleName = Literal["operator", "grid", "planner", "city", "driver", "viewer"]
DbOption = Annotated[
    str, typer.Option(metavar="URL", help="Database of the service, for example sqlite:///wijkstroom.db.")
]
NameArgument = Annotated[str, typer.Argument(help="Whose token: the name that the audit keeps.")]
DEFAULT_DB = "sqlite:///wijkstroom.db"

app = typer.Typer(help="Tokens of the API, each in a role.", no_args_is_help=True)


@app.command("add")
def add(
    name: NameArgument,
    role: Annotated[RoleName, typer.Option(help="What its owner may do.")],
    days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="Valid for so long; without an end by default.")
    ] = None,
    db: DbOption = DEFAULT_DB,
) -> None:
    """Make a token and print it: the only time that anybody sees it.

    A running service knows it at once. WIJKSTROOM_PEPPER must be that of
    the service.

    [bold]Examples[/]

        wijkstroom token add Stedin --role grid
        wijkstroom token add dashboard --role city --days 365 --db sqlite:///street.db
    """
    from wijkstroom.tokens import make_token  # noqa: PLC0415

    with reported_errors():
        typer.echo(make_token(db, name, role, days))


@app.command("list")
def list_all(
    db: DbOption = DEFAULT_DB,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """List all tokens that were ever given, without their secrets."""
    from wijkstroom.tokens import describe_tokens, print_tokens  # noqa: PLC0415

    with reported_errors():
        if as_json:
            print_json(describe_tokens(db))
        else:
            print_tokens(db)


@app.command("revoke")
def revoke(name: NameArgument, db: DbOption = DEFAULT_DB) -> None:
    """End a token at once; its name stays taken."""
    from wijkstroom.tokens import end_token  # noqa: PLC0415

    with reported_errors():
        end_token(db, name)
