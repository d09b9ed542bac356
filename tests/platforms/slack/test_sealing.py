"""The tokens of installations are encrypted in the database, whoever stored them when."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.oauth.installation_store.sqlalchemy import AsyncSQLAlchemyInstallationStore
from sqlalchemy import text

from bot.config import fernet_keys
from bot.platforms.base import PlatformUnusable
from bot.platforms.slack.sealing import SECRETS, SealedInstallationStore
from bot.storage import Store

OLD, NEW = (base64.b64encode(bytes([n]) * 32).decode() for n in (250, 251))
LONGEST = "xoxe.xoxb-1-" + "s" * 188
"""As long as slack_sdk's own column allows."""


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    async with Store.open(database) as store:
        yield store


def sealed(store: Store, keys: str) -> SealedInstallationStore:
    return SealedInstallationStore("1.1", store.engine, fernet_keys(keys))


def installation(team: str) -> Installation:
    return Installation(
        app_id="A1",
        team_id=team,
        user_id="U1",
        bot_token=LONGEST,
        bot_refresh_token="xoxe-1-refresh-secret",
        user_token="xoxp-user-secret",
        user_refresh_token="xoxe-1-user-refresh-secret",
        incoming_webhook_url="https://hooks.slack.com/services/secret",
    )


async def found(store: SealedInstallationStore, team: str) -> Installation:
    read = await store.async_find_installation(enterprise_id=None, team_id=team)
    assert read is not None
    bot = await store.async_find_bot(enterprise_id=None, team_id=team)
    assert bot is not None
    assert bot.bot_token == LONGEST
    return read


async def stored(store: Store) -> list[dict[str, Any]]:
    """Every row as it is in the database."""
    rows: list[dict[str, Any]] = []
    async with store.engine.begin() as connection:
        for table in ("slack_bots", "slack_installations"):
            found = await connection.execute(text(f"SELECT * FROM {table} ORDER BY id"))
            rows += [dict(row) for row in found.mappings()]
    return rows


async def test_what_is_stored_is_encrypted_and_read_as_it_was(store: Store) -> None:
    slack = sealed(store, OLD)
    await slack.async_save(installation("T1"))
    rows = await stored(store)
    assert len(rows) == 2
    assert not any("secret" in str(value) or LONGEST in str(value) for value in rows)
    read, given = await found(slack, "T1"), installation("T1")
    assert [getattr(read, name) for name in SECRETS] == [getattr(given, name) for name in SECRETS]


async def test_what_an_earlier_version_stored_is_encrypted_at_the_start(store: Store) -> None:
    plain = AsyncSQLAlchemyInstallationStore("1.1", store.engine)
    await plain.async_save(installation("T1"))
    assert "xoxp-user-secret" in str(await stored(store))
    slack = sealed(store, OLD)
    await slack.seal()
    assert "secret" not in str(await stored(store))
    assert (await found(slack, "T1")).user_token == "xoxp-user-secret"
    before = await stored(store)
    await slack.seal()
    assert await stored(store) == before


async def test_a_key_is_replaced_by_one_start_with_both(store: Store) -> None:
    await sealed(store, OLD).async_save(installation("T1"))
    both = sealed(store, f"{NEW},{OLD}")
    await found(both, "T1")
    await both.seal()
    new = sealed(store, NEW)
    await new.seal()
    await found(new, "T1")


async def test_a_wrong_key_is_one_line_and_changes_nothing(store: Store) -> None:
    await sealed(store, OLD).async_save(installation("T1"))
    before = await stored(store)
    with pytest.raises(PlatformUnusable, match=r"slack\.token_key: .* with another key; add"):
        await sealed(store, NEW).seal()
    assert await stored(store) == before
