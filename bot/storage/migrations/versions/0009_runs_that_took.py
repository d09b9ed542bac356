"""The run that took a question, so that another finds what it took and did not get to admit."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("taken", sa.Column("run", sa.String()))
