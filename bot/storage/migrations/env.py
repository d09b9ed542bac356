"""Run by Alembic; `open_database` hands over the connection."""

from alembic import context

from bot.storage.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite can't alter tables in place
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
