"""Encrypted tokens are longer than slack_sdk's columns; SQLite doesn't limit them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

SECRETS = {
    "slack_bots": ("bot_token", "bot_refresh_token"),
    "slack_installations": (
        "bot_token",
        "bot_refresh_token",
        "user_token",
        "user_refresh_token",
        "incoming_webhook_url",
    ),
}


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    for table, columns in SECRETS.items():
        for column in columns:
            op.alter_column(table, column, type_=sa.Text())
