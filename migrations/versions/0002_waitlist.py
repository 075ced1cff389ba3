"""Waiting list: who wants a time of a specialty when one becomes free.

Revises: 0001
Created: 2026-11-26 17:20:00
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "waitlist",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("patient_id", sa.BigInteger(), nullable=False),
        sa.Column("specialty", sa.String(length=60), nullable=False),
        sa.Column(
            "joined_at",
            mysql.DATETIME(fsp=6),
            server_default=sa.text("CURRENT_TIMESTAMP(6)"),
            nullable=False,
        ),
        sa.CheckConstraint("specialty <> ''", name=op.f("ck_waitlist_specialty_given")),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_waitlist_patient_id_patient")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waitlist")),
        sa.UniqueConstraint(
            "patient_id", "specialty", name=op.f("uq_waitlist_patient_id_specialty")
        ),
        sa.Index(op.f("ix_waitlist_specialty_id"), "specialty", "id"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_520_ci",
    )


def downgrade() -> None:
    op.drop_table("waitlist")
