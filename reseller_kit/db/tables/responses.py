"""Responses that are kept for their customer. Holds no query."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, Table, Text

from .base import BigInt, IdText, at_column, hot_tenant_column, metadata, text_column

stored_response = Table(
    "stored_response",
    metadata,
    Column("id", IdText, primary_key=True),
    hot_tenant_column(),
    text_column("customer_id"),
    Column("previous_id", Text, nullable=True),
    text_column("key_id"),
    Column("sealed", LargeBinary, nullable=False),
    Column("size", Integer, nullable=False),
    Column("running_size", BigInt, nullable=False),
    at_column("created_at"),
    at_column("expires_at"),
    Index(None, "expires_at"),
    Index(None, "tenant_id", "customer_id", "running_size"),
)
"""`sealed` under the data key `key_id`: input, output and all that the customer saw; `size` in bytes before that.
`running_size`: the sizes of all that the customer had written when this one was, with its own.

No part of the books: a row is deleted when it expires, when its customer says so, or behind too many newer ones.
"""
