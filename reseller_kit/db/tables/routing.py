"""Upstreams, public models and the routes between them: the operator's, and what is a tenant's own. Holds no query."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Table, Text, UniqueConstraint

from .base import BigInt, Document, at_column, id_column, metadata, tenant_column, text_column

upstream = Table(
    "upstream",
    metadata,
    id_column(),
    text_column("name", unique=True),
    text_column("dialect"),
    text_column("base_url"),
    Column("settings", Document, nullable=False),
    text_column("status", server_default="active"),
    at_column("created_at"),
)
"""A provider endpoint. `settings`: provider, api, timeouts, max_concurrency, headers as in tenants.toml."""

upstream_key = Table(
    "upstream_key",
    metadata,
    id_column(),
    Column("upstream_id", BigInt, ForeignKey("upstream.id"), nullable=False),
    text_column("reference"),
    text_column("secret_name"),
    text_column("fingerprint"),
    Column("position", Integer, nullable=False),
    UniqueConstraint("upstream_id", "position"),
)

upstream_key_state = Table(
    "upstream_key_state",
    metadata,
    Column("upstream", Text, primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    text_column("standing"),
    text_column("reason"),
    at_column("since"),
    at_column("until_at", nullable=True),
    at_column("checked_at"),
)
"""A key that is not simply used: parked, cooling or on trial. Named by its fingerprint, so a new secret begins anew.

`until_at`: when one that cools may be used again; `checked_at`: when a parked one was last looked at.
"""

model = Table(
    "model",
    metadata,
    id_column(),
    text_column("name", unique=True),
    Column("context", BigInteger, nullable=False),
    Column("max_output", BigInteger, nullable=False),
    Column("settings", Document, nullable=False),
    Column("cost_version", Text, ForeignKey("price_version.id"), nullable=False),
    text_column("status", server_default="active"),
    at_column("created_at"),
)
"""A public model. `settings`: the file's own fields; `cost_version`: what wholesale is derived from."""

route = Table(
    "route",
    metadata,
    id_column(),
    Column("model_id", BigInt, ForeignKey("model.id"), nullable=False),
    Column("upstream_id", BigInt, ForeignKey("upstream.id"), nullable=False),
    text_column("upstream_model"),
    Column("priority", Integer, nullable=False),
    Column("weight", Integer, nullable=False),
    Column("cost_version", Text, ForeignKey("price_version.id"), nullable=False),
    text_column("status", server_default="active"),
    UniqueConstraint("model_id", "upstream_id", "upstream_model"),
)

own_upstream = Table(
    "own_upstream",
    metadata,
    id_column(),
    tenant_column(),
    text_column("name"),
    Column("settings", Document, nullable=False),
    text_column("status", server_default="active"),
    at_column("created_at"),
    UniqueConstraint("tenant_id", "name"),
)
"""A provider endpoint that a reseller brings and pays itself. `settings`: its table of tenants.toml."""

tenant_route = Table(
    "tenant_route",
    metadata,
    id_column(),
    tenant_column(),
    text_column("model"),
    text_column("upstream"),
    text_column("upstream_model"),
    Column("priority", Integer, nullable=False),
    Column("weight", Integer, nullable=False),
    Column("cost_version", Text, ForeignKey("price_version.id"), nullable=False),
    text_column("status", server_default="active"),
    UniqueConstraint("tenant_id", "model", "upstream", "upstream_model"),
)
"""Routes of a public model for one tenant, instead of the model's. `upstream`: its full name (`core.route_sets`)."""

endpoint_state = Table(
    "endpoint_state",
    metadata,
    Column("upstream", Text, primary_key=True),
    Column("upstream_model", Text, primary_key=True),
    text_column("state"),
    Column("trips", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    text_column("reason"),
    at_column("until"),
    at_column("probe_until"),
    at_column("changed_at"),
)
"""The circuit of an upstream and its model, written when it changes. `state`: open | closed. `until`: when an open one
is due for a probe; `probe_until`: how long the one that was claimed by a process keeps others from claiming it."""
