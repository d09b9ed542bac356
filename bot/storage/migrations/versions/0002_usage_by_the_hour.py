"""Usage by the hour, so that quotas can have windows shorter than a day."""

from datetime import UTC, datetime, time

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    by_day = sa.Table("usage", sa.MetaData(), autoload_with=op.get_bind())
    usage = [dict(row) for row in op.get_bind().execute(sa.select(by_day)).mappings()]
    for row in usage:
        row["hour"] = datetime.combine(row.pop("day"), time(), UTC)
    op.drop_table("usage")
    by_hour = op.create_table(
        "usage",
        sa.Column("platform", sa.String(), primary_key=True),
        sa.Column("server", sa.String(), primary_key=True),
        sa.Column("user_id", sa.String(), primary_key=True),
        sa.Column("hour", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("completion_tokens", sa.Integer(), nullable=False),
    )
    op.bulk_insert(by_hour, usage)
