"""The migrations make exactly the tables that the code knows."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlmodel import SQLModel

import csms.state.models  # noqa: F401 - fills the metadata
from csms.state.migrations import build_config, upgrade


def test_from_empty_to_what_the_code_knows(database_url: str) -> None:
    engine = create_engine(database_url)
    upgrade(engine)
    upgrade(engine)  # a second start finds nothing to do
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []
    engine.dispose()


def test_every_step_of_the_way_can_be_the_start(database_url: str) -> None:
    script = ScriptDirectory.from_config(build_config())
    revisions = [revision.revision for revision in script.walk_revisions()][::-1]
    engine = create_engine(database_url)
    for revision in revisions:
        upgrade(engine, revision)
        with engine.connect() as connection:
            assert MigrationContext.configure(connection).get_current_revision() == revision
    assert len(script.get_heads()) == 1
    engine.dispose()
