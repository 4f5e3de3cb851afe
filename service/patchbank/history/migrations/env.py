"""Run by Alembic: applies the steps on the connection that it is given."""

from __future__ import annotations

from alembic import context

from patchbank.history.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite changes a column by copying the table
)
context.run_migrations()
