"""The tokens of Slack's installations are encrypted where they are stored.

https://cryptography.io/en/latest/fernet/
"""

from typing import Any

import sqlalchemy
import structlog
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from slack_sdk.oauth.installation_store.sqlalchemy import AsyncSQLAlchemyInstallationStore
from sqlalchemy import MetaData, Table, Text, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.platforms.base import PlatformUnusable

log = structlog.get_logger()

SECRETS = (
    "bot_token",
    "bot_refresh_token",
    "user_token",
    "user_refresh_token",
    "incoming_webhook_url",
)
"""Columns of slack_sdk's tables that let their reader act for the bot or a person."""
FERNET = "gAAAA"
"""How every Fernet token begins: version 0x80, and a time before the year 2106."""


class SealedInstallationStore(AsyncSQLAlchemyInstallationStore):
    """slack_sdk's store, whose secrets are encrypted with the first of `keys`.

    All of `keys` decrypt, so that a key can be replaced: the new one first, then the old one.
    """

    def __init__(self, client_id: str, engine: AsyncEngine, keys: list[str]) -> None:
        super().__init__(client_id, engine)
        self._newest = Fernet(keys[0])
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        for table in (self.bots, self.installations):
            for column in _secrets_of(table):
                column.type = _Sealed(self._fernet)

    async def seal(self) -> None:
        """Encrypt with the newest key whatever isn't: rows of earlier versions, or of old keys.

        Raises PlatformUnusable when something was encrypted with a key that is not among `keys`.
        """
        async with self.engine.begin() as connection:
            changed = 0
            for table in (self.bots, self.installations):
                changed += await self._seal_rows(connection, table)
        if changed:
            log.info("slack: stored tokens were encrypted with the newest key", rows=changed)

    async def _seal_rows(self, connection: AsyncConnection, table: Table) -> int:
        plain = MetaData()
        names = [column.name for column in _secrets_of(table)]
        rows = Table(
            table.name,
            plain,
            sqlalchemy.Column("id", sqlalchemy.Integer, primary_key=True),
            *(sqlalchemy.Column(name, Text) for name in names),
        )
        changed = 0
        for row in (await connection.execute(rows.select())).mappings().all():
            values = {n: self._sealed(row[n]) for n in names if row[n] is not None}
            if changes := {n: value for n, value in values.items() if value != row[n]}:
                changed += 1
                here = rows.update().where(rows.c.id == row["id"]).values(changes)
                await connection.execute(here)
        return changed

    def _sealed(self, stored: str) -> str:
        if not stored.startswith(FERNET):
            return self._newest.encrypt(stored.encode()).decode()
        try:
            self._newest.decrypt(stored)
            return stored
        except InvalidToken:
            pass
        try:
            return self._fernet.rotate(stored).decode()
        except InvalidToken as error:
            raise PlatformUnusable(
                "slack.token_key: the stored tokens were encrypted with another key;"
                " add that key after a comma, or let the workspaces install the app again with"
                " another database"
            ) from error


class _Sealed(TypeDecorator[str]):
    """A text that is encrypted in the database."""

    impl = Text
    cache_ok = False

    def __init__(self, fernet: MultiFernet) -> None:
        super().__init__()
        self._fernet = fernet

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else self._fernet.encrypt(value.encode()).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else self._fernet.decrypt(value).decode()


def _secrets_of(table: Table) -> list[sqlalchemy.Column[Any]]:
    return [column for column in table.columns if column.name in SECRETS]
