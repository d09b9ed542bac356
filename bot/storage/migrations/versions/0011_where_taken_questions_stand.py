"""Where a question that was taken stands, so that the next run finds it."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    for name in ("server", "channel", "thread"):
        op.add_column("taken", sa.Column(name, sa.String()))
