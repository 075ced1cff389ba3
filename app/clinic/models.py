"""The tables. What they are for and why they are so is in ``docs/schema.md``."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.mysql import DATETIME
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

COLLATION = "utf8mb4_unicode_520_ci"  # known to MySQL and MariaDB
BINARY_COLLATION = "utf8mb4_bin"

CONSTRAINT_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
TABLE_OPTIONS = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": COLLATION,
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": COLLATION,
}


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored in UTC. *precision* is the number of decimals of its seconds."""

    impl = DateTime
    cache_ok = True

    def __init__(self, precision: int = 0) -> None:
        super().__init__()
        self.precision = precision

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """MySQL's DATETIME, which is seconds only unless told otherwise."""
        return dialect.type_descriptor(DATETIME(fsp=self.precision or None))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store UTC without its name; a naive value would be a guess."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What is stored is UTC."""
        return value.replace(tzinfo=UTC) if value else None


class Base(DeclarativeBase):
    """What all tables share: names for every constraint, and character set and collation."""

    metadata = MetaData(naming_convention=CONSTRAINT_NAMES)
    __table_args__: Any = TABLE_OPTIONS


class Clinician(Base):
    """Somebody who offers slots."""

    __tablename__ = "clinician"
    __table_args__ = (
        UniqueConstraint("id", "specialty"),  # what slots refer to
        Index(None, "specialty", "id"),
        CheckConstraint("name <> ''", name="name_given"),
        TABLE_OPTIONS,
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    specialty: Mapped[str] = mapped_column(String(60))


class Patient(Base):
    """Somebody who books appointments. Synthetic."""

    __tablename__ = "patient"
    __table_args__ = (
        UniqueConstraint("email"),
        CheckConstraint("name <> ''", name="name_given"),
        TABLE_OPTIONS,
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    email: Mapped[str] = mapped_column(String(190))
    phone_e164: Mapped[str | None] = mapped_column(String(16))
    phone_archive: Mapped[str | None] = mapped_column(String(32))  # for one release
    born: Mapped[date]


class Slot(Base):
    """A time that a clinician offers.

    ``is_free`` repeats what the appointments say and changes in the booking's own transaction;
    ``specialty`` repeats the clinician's, which the foreign key enforces. They are here so that
    free slots, all or of a clinician or a specialty, are read in order from an index that begins
    where the page begins. ``free_at`` is the start while the slot is free, otherwise NULL: MariaDB
    would read an index on ``is_free`` and ``starts_at`` from its first free slot, however old.
    """

    __tablename__ = "slot"
    __table_args__ = (
        ForeignKeyConstraint(
            ["clinician_id", "specialty"],
            ["clinician.id", "clinician.specialty"],
            onupdate="CASCADE",
        ),
        # The specialty follows from the clinician; within this key it serves the foreign key too.
        UniqueConstraint("clinician_id", "specialty", "starts_at"),
        Index(None, "free_at", "id"),
        Index(None, "clinician_id", "free_at", "id"),
        Index(None, "specialty", "free_at", "id"),
        CheckConstraint("ends_at > starts_at", name="ends_after_start"),
        TABLE_OPTIONS,
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    clinician_id: Mapped[int] = mapped_column(BigInteger)
    specialty: Mapped[str] = mapped_column(String(60))
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime())
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime())
    is_free: Mapped[bool] = mapped_column(server_default=text("1"))
    free_at: Mapped[datetime | None] = mapped_column(
        UtcDateTime(), Computed("if(is_free = 1, starts_at, NULL)", persisted=True)
    )


class Appointment(Base):
    """A slot that a patient has booked, or had booked and cancelled.

    ``booked_slot_id`` is the slot while the appointment stands and NULL once it is cancelled; its
    unique key is what makes a second booking of a slot impossible.
    """

    __tablename__ = "appointment"
    __table_args__ = (
        UniqueConstraint("booked_slot_id"),
        Index(None, "patient_id", "id"),
        Index(None, "slot_id"),
        CheckConstraint("char_length(reason) > 0", name="reason_given"),
        TABLE_OPTIONS,
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    slot_id: Mapped[int] = mapped_column(ForeignKey("slot.id"))
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"))
    reason: Mapped[str | None] = mapped_column(String(200))
    telehealth: Mapped[bool] = mapped_column(server_default=text("0"))
    booked_at: Mapped[datetime] = mapped_column(
        UtcDateTime(6), server_default=text("CURRENT_TIMESTAMP(6)")
    )
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcDateTime(6))
    booked_slot_id: Mapped[int | None] = mapped_column(
        BigInteger, Computed("if(cancelled_at is null, slot_id, NULL)", persisted=False)
    )


class WaitlistEntry(Base):
    """A patient who wants a time of a specialty that has none free; first come, first asked."""

    __tablename__ = "waitlist"
    __table_args__ = (
        UniqueConstraint("patient_id", "specialty"),
        Index(None, "specialty", "id"),
        CheckConstraint("specialty <> ''", name="specialty_given"),
        TABLE_OPTIONS,
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"))
    specialty: Mapped[str] = mapped_column(String(60))
    joined_at: Mapped[datetime] = mapped_column(
        UtcDateTime(6), server_default=text("CURRENT_TIMESTAMP(6)")
    )


class IdempotencyKey(Base):
    """A client's key, the request it came with, and the answer that was given."""

    __tablename__ = "idempotency_key"
    __table_args__ = (Index(None, "created_at"), TABLE_OPTIONS)

    key: Mapped[str] = mapped_column(String(64, collation=BINARY_COLLATION), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    answer: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(
        UtcDateTime(6), server_default=text("CURRENT_TIMESTAMP(6)")
    )
