"""Threads that the bot takes part in."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "threads",
        *(
            sa.Column(name, sa.String(), primary_key=True)
            for name in ("platform", "server", "channel", "thread")
        ),
        sa.Column("since", sa.String(), nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
    )
