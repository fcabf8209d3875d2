"""The tables' history, applied by the service itself at start."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, func, select

# Their tables belong to the metadata.
import csms.state.access
import csms.state.audit
import csms.state.news  # noqa: F401

_DIRECTORY = Path(__file__).parent
# Two services that start at once take turns; any number that nobody else takes.
_LOCK = 0x77696A6B


def build_config() -> Config:
    """Return Alembic's configuration for the migrations beside this file."""
    config = Config()
    config.set_main_option("script_location", str(_DIRECTORY).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring a database to a revision, from nothing or from any older one, in one transaction."""
    config = build_config()
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":  # SQLite has one writer anyway
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
