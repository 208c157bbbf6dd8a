"""What every table shares: the metadata, column kinds and their names. Defines no table."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Integer, MetaData, Text, text
from sqlalchemy.dialects.postgresql import JSONB

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Document: Final = JSON().with_variant(JSONB(), "postgresql")
BigInt: Final = BigInteger().with_variant(Integer(), "sqlite")
IdText: Final = Text().with_variant(Text(collation="C"), "postgresql")
"""A time-ordered id, compared byte by byte on every database: months are ranges of it."""


def id_column() -> Column[int]:
    """A numbered primary key."""
    return Column("id", BigInt, primary_key=True, autoincrement=True)


def tenant_column(*, nullable: bool = False) -> Column[int]:
    """Whose row it is."""
    return Column("tenant_id", BigInt, ForeignKey("tenant.id"), nullable=nullable)


def hot_tenant_column() -> Column[int]:
    """Without a foreign key: rows that every call writes are checked by `ledger audit`, not one by one."""
    return Column("tenant_id", BigInt, nullable=False)


def at_column(name: str, *, nullable: bool = False) -> Column[int]:
    """A moment, in µs since 1970 UTC."""
    return Column(name, BigInt, nullable=nullable)


def nano_column(name: str) -> Column[int]:
    """An amount in nano-USD that begins at 0."""
    return Column(name, BigInt, nullable=False, server_default=text("0"))


def text_column(name: str, **options: Any) -> Column[str]:
    """A text that is never null."""
    return Column(name, Text, nullable=False, **options)
