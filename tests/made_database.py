"""A new database with its tables: migrations take a tenth of a second, Alembic a quarter more."""

import os
import tempfile
from functools import cache
from pathlib import Path

from sqlalchemy import create_engine

from bot.storage.database import MIGRATIONS
from bot.storage.upgrading import upgrade


def make_database(path: Path) -> str:
    """Write a SQLite database as the bot makes it, unless there is a file; its address."""
    if not path.exists():
        os.close(os.open(path, os.O_CREAT, 0o600))
        path.write_bytes(_new())
    return f"sqlite+aiosqlite:///{path}"


@cache
def _new() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bot.db"
        engine = create_engine(f"sqlite:///{path}")
        with engine.begin() as connection:
            upgrade(connection, MIGRATIONS)
        engine.dispose()
        return path.read_bytes()
