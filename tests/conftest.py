"""How all tests run, and the databases that some run on."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from tests import logs, postgres

if "PYTEST_XDIST_WORKER" in os.environ:
    # Each worker has a core: threads of torch's on all of them would wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# Triton's kernels run on the CPU; the choice is made when Triton is first imported.
os.environ.setdefault("TRITON_INTERPRET", "1")
# Shared machines pause: how long an example takes says nothing about the code.
# The same examples everywhere: a change is judged by what it changes. `make fuzz` tries others.
settings.register_profile("shared", deadline=None, derandomize=True)
settings.register_profile(
    "fuzz",  # `make fuzz`
    deadline=None,
    max_examples=100_000,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "shared"))


@pytest.fixture(scope="session", autouse=True)
def _logs_go_through_logging() -> None:
    """Whichever test comes first, pytest's caplog sees what the bot logs."""
    logs.handler()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a PostgreSQL server."""
    if (programs := postgres.programs()) is None:
        pytest.skip("this machine has no PostgreSQL: Debian's package postgresql brings it")
    with postgres.running(programs) as address:
        yield address


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The address of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'data' / 'bot.db'}"
        return
    server = request.getfixturevalue("postgresql")
    name = f"bot_{uuid4().hex}"
    engine = create_async_engine(server, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
        address = make_url(server).set(database=name)
        yield address.render_as_string(hide_password=False)
        await connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    await engine.dispose()
