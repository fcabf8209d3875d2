"""`wijkstroom serve`: the central system for real stations."""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from csms.app import CentralSystem
from csms.state.leadership import leading
from grid.clock import SteadyClock
from grid.config import list_problems
from grid.errors import DocumentError, Problem
from grid.feeds.weather import check_feed
from wijkstroom.logs import LogFormat, start_logging
from wijkstroom.running import LOOPBACK, build_catalogue, opened_store, solving
from wijkstroom.street import Street, load_street

EVERYWHERE = "0.0.0.0"  # noqa: S104 - stations come from outside; --try stays on loopback
DEFAULT_DB = "sqlite:///wijkstroom.db"
_WORKERS = 2


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What the command line says.

    Parameters
    ----------
    config
        Street file, None for the shipped one.
    db
        Database URL, None for the default.
    ocpp_port, http_port
        0 picks free ones.
    try_out
        Loopback only, any station id, no passwords, a database that is thrown away.
    """

    config: Path | None
    db: str | None
    ocpp_port: int
    http_port: int
    try_out: bool


class ServeEnvironment(BaseSettings):
    """Secrets and addresses, from the environment.

    Parameters
    ----------
    operator_token
        ``WIJKSTROOM_OPERATOR_TOKEN``: what operators show; random when it is not set.
    pepper
        ``WIJKSTROOM_PEPPER``: mixed into the hashes of station passwords; keep it, or give new passwords.
    openadr_secrets
        By name of a VTN, the secret of our client id; JSON in ``WIJKSTROOM_OPENADR_SECRETS``.
    weather_key
        ``WIJKSTROOM_WEATHER_KEY``: shown to the source of the sun's forecast, for ``[sun.feed]``.
    entsoe_token
        ``WIJKSTROOM_ENTSOE_TOKEN``: shown to ENTSO-E, for ``[prices.feed]``.
    host
        ``WIJKSTROOM_HOST``: address of both ports, without ``--try``.
    log
        ``WIJKSTROOM_LOG``: ``text`` for people, ``json`` for machines.
    """

    model_config = SettingsConfigDict(env_prefix="WIJKSTROOM_")

    operator_token: Annotated[SecretStr | None, Field(min_length=16)] = None
    pepper: SecretStr = SecretStr("")
    openadr_secrets: dict[str, SecretStr] = Field(default_factory=dict)
    weather_key: SecretStr = SecretStr("")
    entsoe_token: SecretStr = SecretStr("")
    host: str = EVERYWHERE
    log: LogFormat = LogFormat.TEXT


def run_serve(options: ServeOptions) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises
    ------
    WijkstroomError
        When the street file, the database, the environment or a port is not as it should be.
    """
    environment = read_environment()
    start_logging(environment.log)
    street = load_street(options.config)
    refuse_feed(street, environment.weather_key.get_secret_value())
    with (
        database(options) as url,
        leading(url),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(_serve(street, options, environment, url))


def refuse_feed(street: Street, weather_key: str) -> None:
    """Refuse a street whose source of the sun's forecast cannot be asked.

    Raises
    ------
    DocumentError
        With everything that it lacks.
    """
    problems = [] if street.grid.weather_feed is None else check_feed(street.grid.weather_feed, weather_key)
    if problems:
        raise DocumentError(str(street.path), problems)


def read_environment() -> ServeEnvironment:
    """Return what the environment says.

    Raises
    ------
    DocumentError
        When a variable is not as it should be; its value is not told.
    """
    try:
        return ServeEnvironment()
    except SettingsError as error:
        message = f"{error}: write it as JSON"
        raise DocumentError("the environment", [Problem("WIJKSTROOM_OPENADR_SECRETS", message)]) from None
    except ValidationError as error:
        problems = [
            type(problem)(f"WIJKSTROOM_{problem.path.upper()}", problem.message.partition(", not ")[0])
            for problem in list_problems(error, ServeEnvironment)
        ]
        raise DocumentError("the environment", problems) from None


@contextmanager
def database(options: ServeOptions) -> Iterator[str]:
    """Give the URL of the database; one that nobody named is thrown away after ``--try``."""
    if options.db is not None or not options.try_out:
        yield options.db or DEFAULT_DB
        return
    with tempfile.TemporaryDirectory(prefix="wijkstroom-") as folder:
        yield f"sqlite:///{folder}/try.db"


async def _serve(street: Street, options: ServeOptions, environment: ServeEnvironment, url: str) -> None:
    given = environment.operator_token
    token = secrets.token_urlsafe(32) if given is None else given.get_secret_value()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    with solving(_WORKERS) as executor:
        async with opened_store(url) as store:
            system = CentralSystem(
                build_catalogue(street, open_door=options.try_out),
                street.grid,
                store,
                SteadyClock(),
                executor,
                operator_token=token,
                host=LOOPBACK if options.try_out else environment.host,
                ocpp_port=options.ocpp_port,
                http_port=options.http_port,
                new_id=lambda: str(uuid.uuid4()),
                live_page_open=options.try_out,
                pepper=environment.pepper.get_secret_value().encode(),
                weather_key=environment.weather_key.get_secret_value(),
                entsoe_token=environment.entsoe_token.get_secret_value(),
                openadr_secrets={
                    name: secret.get_secret_value() for name, secret in environment.openadr_secrets.items()
                },
            )
            async with system:
                _announce(system, token, told=given is None or options.try_out)
                await stopping.wait()


def _announce(system: CentralSystem, token: str, *, told: bool) -> None:
    host = system.host
    typer.echo(f"stations connect to ws://{host}:{system.ocpp_port}/ocpp/STATION_ID", err=True)
    typer.echo(
        f"live page http://{host}:{system.http_port}/  API http://{host}:{system.http_port}/docs", err=True
    )
    typer.echo(f"operator token: {token if told else 'as given in WIJKSTROOM_OPERATOR_TOKEN'}")
    sys.stdout.flush()
