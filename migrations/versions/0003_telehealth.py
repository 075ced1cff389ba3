"""Telehealth: appointments by video call.

Revises: 0002
Created: 2026-11-26 17:25:00
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "appointment",
        sa.Column("telehealth", sa.Boolean(), server_default=sa.text("0"), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("appointment", "telehealth")
