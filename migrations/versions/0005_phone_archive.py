"""Telephone numbers, contract: ``phone_e164`` is read, the old column is an archive.

The archive holds what people had typed, and the numbers that could not be parsed, for one release.
A number that is changed from now on is written to both columns, in E.164: on the way back the
archive is right the moment it is called ``phone`` again. Rows that a later release wrote are filled
in after that.

Revises: 0004
Created: 2026-11-26 17:45:00
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.guard import in_batches

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

contract = "Every release since 0004 reads phone_e164 once phone is gone; none before it may run."
needs_backfills = ("phone_e164",)


def upgrade() -> None:
    _rename("phone", "phone_archive")


def downgrade() -> None:
    _rename("phone_archive", "phone")
    in_batches(
        "UPDATE patient SET phone = phone_e164 WHERE id BETWEEN :first AND :last "
        "AND phone IS NULL AND phone_e164 IS NOT NULL",
        "patient",
    )


def _rename(old: str, new: str) -> None:
    op.alter_column(
        "patient",
        old,
        new_column_name=new,
        existing_type=sa.String(length=32),
        existing_nullable=True,
    )
