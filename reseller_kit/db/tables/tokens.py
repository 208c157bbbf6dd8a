"""Tokens of the management API, and the answers that were given under an idempotency key. Holds no query.

Of a token only the keyed hash is kept. Answers may hold a key that is shown once, so they are sealed.
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from .base import BigInt, Document, at_column, metadata, tenant_column, text_column

api_token = Table(
    "api_token",
    metadata,
    Column("id", Text, primary_key=True),
    tenant_column(),
    Column("member_id", BigInt, ForeignKey("member.id"), nullable=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    text_column("prefix"),
    text_column("name"),
    Column("scopes", Document, nullable=False),
    text_column("made_by"),
    at_column("expires_at", nullable=True),
    at_column("revoked_at", nullable=True),
    at_column("last_used_at", nullable=True),
    at_column("created_at"),
    Index(None, "tenant_id", "member_id"),
)
"""`member_id`: who made it; null for the operator. `made_by`: the same as people read it."""

token_answer = Table(
    "token_answer",
    metadata,
    Column("token_id", Text, ForeignKey("api_token.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    tenant_column(),
    Column("asked", LargeBinary, nullable=False),
    Column("status", Integer, nullable=True),
    Column("sealed_by", Text, nullable=True),
    Column("sealed", LargeBinary, nullable=True),
    at_column("created_at"),
    Index(None, "tenant_id", "created_at"),
)
"""`asked`: a hash of the request. Without a `status` the request is still being worked on."""
