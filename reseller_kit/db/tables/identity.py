"""How customers prove who they are: log-ins, sessions, second factors, throttles. Holds no query and no secret.

Passwords are argon2 hashes under the pepper, TOTP secrets are sealed, and of every token only the keyed hash is kept.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from .base import BigInt, at_column, metadata, tenant_column, text_column


def passkey_table(name: str, holder: Column[Any]) -> Table:
    """Passkeys of the holders that one column names; each credential once in a tenant.

    `host`: where it was made, which is the only place that it works at.
    """
    return Table(
        name,
        metadata,
        text_column("id"),
        tenant_column(),
        holder,
        text_column("host"),
        Column("credential_id", LargeBinary, nullable=False),
        Column("public_key", LargeBinary, nullable=False),
        Column("sign_count", BigInt, nullable=False),
        text_column("name"),
        at_column("created_at"),
        at_column("used_at", nullable=True),
        PrimaryKeyConstraint("id"),
        Index(f"uq_{name}_tenant_id_credential_id", "tenant_id", "credential_id", unique=True),
        Index(None, "tenant_id", holder.name),
    )


def _customer_column(*, primary_key: bool = False) -> Column[str]:
    return Column("customer_id", Text, ForeignKey("customer.id"), nullable=False, primary_key=primary_key)


customer_login = Table(
    "customer_login",
    metadata,
    _customer_column(primary_key=True),
    tenant_column(),
    Column("password_hash", Text, nullable=True),
    at_column("password_at", nullable=True),
    Column("totp_key_id", Text, nullable=True),
    Column("totp_sealed", LargeBinary, nullable=True),
    at_column("totp_at", nullable=True),
    Column("totp_step", BigInt, nullable=False, server_default=text("0")),
)
"""`totp_at`: since when codes are asked for; None while the secret waits for its first code.

`totp_step`: the latest time step whose code was used, so that none is used twice."""

customer_session = Table(
    "customer_session",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    tenant_column(),
    _customer_column(),
    text_column("id", unique=True),
    text_column("agent"),
    text_column("place"),
    at_column("created_at"),
    at_column("seen_at"),
    at_column("expires_at"),
    Index(None, "tenant_id", "customer_id"),
    Index(None, "expires_at"),
)
"""`digest`: of the token in the cookie. `agent`: the browser as people call it; `place`: the network it came from."""

passkey = passkey_table("passkey", _customer_column())

recovery_code = Table(
    "recovery_code",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    tenant_column(),
    _customer_column(),
    Index(None, "tenant_id", "customer_id"),
)
"""Each works once: it is deleted with its use."""

challenge = Table(
    "challenge",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    tenant_column(),
    Column("customer_id", Text, ForeignKey("customer.id"), nullable=True),
    text_column("purpose"),
    at_column("expires_at"),
    Index(None, "expires_at"),
)
"""What was asked of a browser and waits for its answer: a second factor, or a passkey's signature. Taken once."""

known_device = Table(
    "known_device",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    tenant_column(),
    _customer_column(),
    at_column("seen_at"),
    Index(None, "tenant_id", "customer_id"),
    Index(None, "seen_at"),
)
"""Browsers that a customer has logged in with: they are not announced again and not held up by others' guesses."""

throttle = Table(
    "throttle",
    metadata,
    tenant_column(),
    text_column("kind"),
    Column("digest", LargeBinary, nullable=False),
    Column("attempts", Integer, nullable=False),
    at_column("next_at"),
    at_column("last_at"),
    PrimaryKeyConstraint("tenant_id", "kind", "digest"),
    Index(None, "last_at"),
)
"""Attempts without a success, by the keyed hash of an address or account (`core.throttle`)."""

terms_acceptance = Table(
    "terms_acceptance",
    metadata,
    _customer_column(),
    text_column("version"),
    tenant_column(),
    at_column("accepted_at"),
    PrimaryKeyConstraint("customer_id", "version"),
)
"""`version`: hash of the legal text that the customer was shown."""
