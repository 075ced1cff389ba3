"""Telephone numbers, expand: a column for them in E.164.

Nullable, and it stays so: NOT NULL would rebuild the table. Releases that know ``phone`` only go on
writing it; later ones write both. What was there before: ``flask schema backfill phone_e164``.

Revises: 0003
Created: 2026-11-26 17:40:00
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.guard import forget_backfill

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("patient", sa.Column("phone_e164", sa.String(length=16), nullable=True))


def downgrade() -> None:
    # Nothing is lost: all releases until the contraction keep ``phone``.
    op.drop_column("patient", "phone_e164")
    forget_backfill("phone_e164")
