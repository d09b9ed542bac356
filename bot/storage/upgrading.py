"""The database's schema, taken to this version's; apart, because Alembic is slow to import."""

from pathlib import Path

import alembic.command
import alembic.config
import alembic.util
from sqlalchemy.engine import Connection


class TooNew(Exception):
    """The database has a revision that this version doesn't know; one line that says so."""


def upgrade(connection: Connection, migrations: Path) -> None:
    """Run the `migrations` that the database has not seen. Raises TooNew."""
    config = alembic.config.Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        alembic.command.upgrade(config, "head")
    except alembic.util.CommandError as error:
        raise TooNew(str(error)) from error
