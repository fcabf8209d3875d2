"""Runs migrations on the connection that `upgrade` hands in."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel

import csms.state.audit
import csms.state.models  # noqa: F401 - both fill the metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
