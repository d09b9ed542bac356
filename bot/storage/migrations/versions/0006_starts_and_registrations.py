"""Starts of conversations and registered commands in tables of their own, out of settings."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    starts = op.create_table(
        "conversation_starts",
        sa.Column("platform", sa.String(), primary_key=True),
        sa.Column("scope_kind", sa.String(), primary_key=True),
        sa.Column("scope_id", sa.String(), primary_key=True),
        sa.Column("after", sa.String(), nullable=False),
    )
    registered = op.create_table(
        "registered_commands",
        sa.Column("platform", sa.String(), primary_key=True),
        sa.Column("application", sa.String(), primary_key=True),
        sa.Column("fingerprint", sa.String(), nullable=False),
    )
    connection = op.get_bind()
    settings = sa.Table("settings", sa.MetaData(), autoload_with=connection)
    forgotten = settings.c.key == "forgotten_until"
    # An application's commands stood under a server that was called after it.
    application = "application-"
    commands = sa.and_(settings.c.key == "commands", settings.c.scope_id.startswith(application))
    rows = connection.execute(sa.select(settings).where(sa.or_(forgotten, commands))).mappings()
    for row in rows.all():
        if row["key"] == "commands":
            moved = registered.insert().values(
                platform=row["platform"],
                application=row["scope_id"].removeprefix(application),
                fingerprint=row["value"],
            )
        else:
            moved = starts.insert().values(
                platform=row["platform"],
                scope_kind=row["scope_kind"],
                scope_id=row["scope_id"],
                after=str(row["value"]),
            )
        connection.execute(moved)
    connection.execute(sa.delete(settings).where(sa.or_(forgotten, commands)))
