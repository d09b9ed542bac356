"""What the status page shows: the bot's work by the hour, and who changed what."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "answers_by_hour",
        sa.Column("hour", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("platform", sa.String(), primary_key=True),
        sa.Column("server", sa.String(), primary_key=True),
        sa.Column("persona", sa.String(), primary_key=True),
        sa.Column("answers", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("cached_tokens", sa.Integer(), nullable=False),
        sa.Column("completion_tokens", sa.Integer(), nullable=False),
        sa.Column("first_texts", sa.Integer(), nullable=False),
        sa.Column("first_text_seconds", sa.Double(), nullable=False),
        sa.Column("writing_tokens", sa.Integer(), nullable=False),
        sa.Column("writing_seconds", sa.Double(), nullable=False),
    )
    op.create_table(
        "load_by_hour",
        sa.Column("hour", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.Column("running", sa.Integer(), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("most_waiting", sa.Integer(), nullable=False),
        sa.Column("most_tokens_per_second", sa.Double(), nullable=False),
    )
    op.create_table(
        "changes",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("scope_kind", sa.String(), nullable=False),
        sa.Column("scope_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("before", sa.JSON()),
        sa.Column("after", sa.JSON()),
    )
