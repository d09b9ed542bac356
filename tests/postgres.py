"""A PostgreSQL server of the tests' own, where the machine has its programs."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DEBIANS = "/usr/lib/postgresql/*/bin"
"""Where Debian keeps the server's programs, outside of PATH."""
OWNER = "postgres"
"""Whom it runs as where the tests run as root, which it refuses."""


def programs() -> Path | None:
    """The folder of `initdb` and `pg_ctl`; None where there are none."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    return max(Path("/").glob(DEBIANS.lstrip("/")), default=None)


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Start an empty server with the programs in `folder`; its address, for SQLAlchemy."""
    owner = OWNER if os.geteuid() == 0 else None
    place = tempfile.mkdtemp(prefix="bot-postgresql-")  # short: it holds a socket
    if owner:
        shutil.chown(place, owner)
    options = f"-c listen_addresses='' -c fsync=off -k {place}"
    control = [folder / "pg_ctl", "--pgdata", f"{place}/data", "--silent", "--wait"]

    def run(*command: str | Path) -> None:
        subprocess.run(command, user=owner, cwd=place, stdout=subprocess.DEVNULL, check=True)

    try:
        account = ("--username", OWNER, "--auth", "trust")
        run(folder / "initdb", "--pgdata", f"{place}/data", *account, "--no-sync")
        run(*control, "--options", options, "--log", f"{place}/log", "start")
        try:
            yield f"postgresql+asyncpg://{OWNER}@/postgres?host={place}"
        finally:
            run(*control, "--mode", "immediate", "stop")
    finally:
        shutil.rmtree(place, ignore_errors=True)
