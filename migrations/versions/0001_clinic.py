"""Clinic: clinicians, patients, slots, appointments and idempotency keys.

Revises: nothing
Created: 2026-11-23 08:23:56
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLE_OPTIONS = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_unicode_520_ci",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_unicode_520_ci",
}


def upgrade() -> None:
    op.create_table(
        "clinician",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("specialty", sa.String(length=60), nullable=False),
        sa.CheckConstraint("name <> ''", name=op.f("ck_clinician_name_given")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clinician")),
        sa.UniqueConstraint("id", "specialty", name=op.f("uq_clinician_id_specialty")),
        **TABLE_OPTIONS,
    )
    op.create_index(
        op.f("ix_clinician_specialty_id"), "clinician", ["specialty", "id"], unique=False
    )
    op.create_table(
        "idempotency_key",
        sa.Column("key", sa.String(length=64, collation="utf8mb4_bin"), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            mysql.DATETIME(fsp=6),
            server_default=sa.text("CURRENT_TIMESTAMP(6)"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_idempotency_key")),
        **TABLE_OPTIONS,
    )
    op.create_index(
        op.f("ix_idempotency_key_created_at"), "idempotency_key", ["created_at"], unique=False
    )
    op.create_table(
        "patient",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("email", sa.String(length=190), nullable=False),
        sa.Column("phone", sa.String(length=32), nullable=True),
        sa.Column("born", sa.Date(), nullable=False),
        sa.CheckConstraint("name <> ''", name=op.f("ck_patient_name_given")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient")),
        sa.UniqueConstraint("email", name=op.f("uq_patient_email")),
        **TABLE_OPTIONS,
    )
    op.create_table(
        "slot",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("clinician_id", sa.BigInteger(), nullable=False),
        sa.Column("specialty", sa.String(length=60), nullable=False),
        sa.Column("starts_at", mysql.DATETIME(), nullable=False),
        sa.Column("ends_at", mysql.DATETIME(), nullable=False),
        sa.Column("is_free", sa.Boolean(), server_default=sa.text("1"), nullable=False),
        sa.Column(
            "free_at",
            mysql.DATETIME(),
            sa.Computed("if(is_free = 1, starts_at, NULL)", persisted=True),
            nullable=True,
        ),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_slot_ends_after_start")),
        sa.ForeignKeyConstraint(
            ["clinician_id", "specialty"],
            ["clinician.id", "clinician.specialty"],
            name=op.f("fk_slot_clinician_id_specialty_clinician"),
            onupdate="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slot")),
        sa.UniqueConstraint(
            "clinician_id",
            "specialty",
            "starts_at",
            name=op.f("uq_slot_clinician_id_specialty_starts_at"),
        ),
        **TABLE_OPTIONS,
    )
    op.create_index(op.f("ix_slot_free_at_id"), "slot", ["free_at", "id"], unique=False)
    op.create_index(
        op.f("ix_slot_clinician_id_free_at_id"),
        "slot",
        ["clinician_id", "free_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_slot_specialty_free_at_id"),
        "slot",
        ["specialty", "free_at", "id"],
        unique=False,
    )
    op.create_table(
        "appointment",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("slot_id", sa.BigInteger(), nullable=False),
        sa.Column("patient_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column(
            "booked_at",
            mysql.DATETIME(fsp=6),
            server_default=sa.text("CURRENT_TIMESTAMP(6)"),
            nullable=False,
        ),
        sa.Column("cancelled_at", mysql.DATETIME(fsp=6), nullable=True),
        sa.Column(
            "booked_slot_id",
            sa.BigInteger(),
            sa.Computed("if(cancelled_at is null, slot_id, NULL)", persisted=False),
            nullable=True,
        ),
        sa.CheckConstraint("char_length(reason) > 0", name=op.f("ck_appointment_reason_given")),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_appointment_patient_id_patient")
        ),
        sa.ForeignKeyConstraint(["slot_id"], ["slot.id"], name=op.f("fk_appointment_slot_id_slot")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appointment")),
        sa.UniqueConstraint("booked_slot_id", name=op.f("uq_appointment_booked_slot_id")),
        **TABLE_OPTIONS,
    )
    op.create_index(
        op.f("ix_appointment_patient_id_id"), "appointment", ["patient_id", "id"], unique=False
    )
    op.create_index(op.f("ix_appointment_slot_id"), "appointment", ["slot_id"], unique=False)


def downgrade() -> None:
    for table in ("appointment", "slot", "patient", "clinician", "idempotency_key"):
        op.drop_table(table)
