"""Members of resellers' teams and of the operator's, and what they log in with. Holds no query and no secret.

As with customers, passwords are argon2 hashes, TOTP secrets are sealed, and of every token only the keyed hash is kept.
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, Table, Text, UniqueConstraint, text

from .base import BigInt, at_column, id_column, metadata, tenant_column, text_column
from .identity import passkey_table

member = Table(
    "member",
    metadata,
    id_column(),
    tenant_column(),
    text_column("email"),
    text_column("role"),
    text_column("status"),
    at_column("created_at"),
    text_column("name", server_default=text("''")),
    Column("password_hash", Text, nullable=True),
    at_column("password_at", nullable=True),
    Column("totp_key_id", Text, nullable=True),
    Column("totp_sealed", LargeBinary, nullable=True),
    at_column("totp_at", nullable=True),
    Column("totp_step", BigInt, nullable=False, server_default=text("0")),
    at_column("invited_at", nullable=True),
    at_column("accepted_at", nullable=True),
    at_column("seen_at", nullable=True),
    UniqueConstraint("tenant_id", "email"),
)
"""`status`: invited | active | removed; a member's row stays for ever. `invited_at`: when the latest invitation was
mailed. `totp_at` and `totp_step` are as in `customer_login`."""


def _member_column() -> Column[int]:
    return Column("member_id", BigInt, ForeignKey("member.id"), nullable=False)


member_session = Table(
    "member_session",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    tenant_column(),
    _member_column(),
    text_column("id", unique=True),
    text_column("agent"),
    text_column("place"),
    at_column("created_at"),
    at_column("seen_at"),
    at_column("expires_at"),
    Index(None, "tenant_id", "member_id"),
    Index(None, "expires_at"),
)

member_link = Table(
    "member_link",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    tenant_column(),
    _member_column(),
    text_column("purpose"),
    at_column("expires_at"),
    Index(None, "tenant_id", "member_id"),
    Index(None, "expires_at"),
)
"""What a member may show, most of it once: `purpose` is invite | reset (mailed links), code (a log-in that waits for
its second factor), recovery (a recovery code) or device (a browser that has logged in before)."""

member_passkey = passkey_table("member_passkey", _member_column())
