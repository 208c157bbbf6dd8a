"""The schema, on SQLite and PostgreSQL alike. Holds no query.

Conventions: amounts are `*_nano` (nano-USD) and prices JSON integers (pico-USD); times are `*_at` in integer
microseconds since 1970 UTC; every table of tenant data has `tenant_id`; nothing with history is ever deleted.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
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


def _id() -> Column[int]:
    return Column("id", BigInt, primary_key=True, autoincrement=True)


def _tenant(*, nullable: bool = False) -> Column[int]:
    return Column("tenant_id", BigInt, ForeignKey("tenant.id"), nullable=nullable)


def _hot_tenant() -> Column[int]:
    """Without a foreign key: rows that every call writes are checked by `ledger audit`, not one by one."""
    return Column("tenant_id", BigInt, nullable=False)


def _at(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInt, nullable=nullable)


def _nano(name: str) -> Column[int]:
    return Column(name, BigInt, nullable=False, server_default=text("0"))


def _text(name: str, **options: Any) -> Column[str]:
    return Column(name, Text, nullable=False, **options)


# --- The platform: what apply writes, what the operator owns ---------------------------------------------------

platform = Table(
    "platform",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="single"), primary_key=True),
    Column("settings", Document, nullable=False),
    _at("updated_at"),
)
"""One row: `[platform]` and the default `[wholesale]` of tenants.toml."""

applied_manifest = Table(
    "applied_manifest",
    metadata,
    _id(),
    Column("resources", Document, nullable=False),
    _at("applied_at"),
)
"""The desired state of each apply, newest last: the base of the three-way merge."""

secret = Table(
    "secret",
    metadata,
    Column("name", Text, primary_key=True),
    Column("key_id", Text, nullable=True),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("fingerprint", Text, nullable=False),
    _at("updated_at"),
)
"""Encrypted values: `data_key:<id>`, `pepper`, and what apply resolved from env: and file: references."""

revision = Table(
    "revision",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="single"), primary_key=True),
    Column("number", BigInteger, nullable=False),
)
"""One row, raised by every write of routing, key, price or state data; its lock orders the writers."""

revision_change = Table(
    "revision_change",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    _text("kind"),
    _text("ref", server_default=""),
)
"""What each revision changed, so that a running process refreshes no more than that."""

lease = Table(
    "lease",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    _at("renewed_at"),
    Column("schema", Text, nullable=False, server_default=""),
)
"""One row a serving process, renewed each second; holds belong to (owner, epoch)."""

audit_log = Table(
    "audit_log",
    metadata,
    _id(),
    _tenant(nullable=True),
    _text("actor"),
    _text("action"),
    _text("kind"),
    _text("ref"),
    Column("before", Document, nullable=True),
    Column("after", Document, nullable=True),
    _at("created_at"),
    Index(None, "tenant_id", "id"),
)

upstream = Table(
    "upstream",
    metadata,
    _id(),
    _text("name", unique=True),
    _text("dialect"),
    _text("base_url"),
    Column("settings", Document, nullable=False),
    _text("status", server_default="active"),
    _at("created_at"),
)
"""A provider endpoint. `settings`: provider, api, timeouts, max_concurrency, headers as in tenants.toml."""

upstream_key = Table(
    "upstream_key",
    metadata,
    _id(),
    Column("upstream_id", BigInt, ForeignKey("upstream.id"), nullable=False),
    _text("reference"),
    _text("secret_name"),
    _text("fingerprint"),
    Column("position", Integer, nullable=False),
    UniqueConstraint("upstream_id", "position"),
)

model = Table(
    "model",
    metadata,
    _id(),
    _text("name", unique=True),
    Column("context", BigInteger, nullable=False),
    Column("max_output", BigInteger, nullable=False),
    Column("settings", Document, nullable=False),
    Column("cost_version", Text, ForeignKey("price_version.id"), nullable=False),
    _text("status", server_default="active"),
    _at("created_at"),
)
"""A public model. `settings`: the file's own fields; `cost_version`: what wholesale is derived from."""

route = Table(
    "route",
    metadata,
    _id(),
    Column("model_id", BigInt, ForeignKey("model.id"), nullable=False),
    Column("upstream_id", BigInt, ForeignKey("upstream.id"), nullable=False),
    _text("upstream_model"),
    Column("priority", Integer, nullable=False),
    Column("weight", Integer, nullable=False),
    Column("cost_version", Text, ForeignKey("price_version.id"), nullable=False),
    _text("status", server_default="active"),
    UniqueConstraint("model_id", "upstream_id", "upstream_model"),
)

# --- Tenants ---------------------------------------------------------------------------------------------------

tenant = Table(
    "tenant",
    metadata,
    _id(),
    _text("slug", unique=True),
    _text("name"),
    _text("status"),
    _at("suspended_at", nullable=True),
    Column("suspend_reason", Text, nullable=True),
    _text("theme"),
    _text("timezone"),
    Column("settings", Document, nullable=False),
    _at("created_at"),
)
"""`settings`: brand, signup, wholesale, pricing, catalog, payments, email, limits as in tenants.toml."""

domain = Table(
    "domain",
    metadata,
    _id(),
    _tenant(),
    _text("host", unique=True),
    _text("role"),
    Column("is_primary", Boolean, nullable=False),
    _text("state"),
    _at("created_at"),
    Index(None, "tenant_id"),
)
"""`state`: live | detached | tombstone. A host has one row for ever, so it never revives another tenant's data."""

member = Table(
    "member",
    metadata,
    _id(),
    _tenant(),
    _text("email"),
    _text("role"),
    _text("status"),
    _at("created_at"),
    UniqueConstraint("tenant_id", "email"),
)

package = Table(
    "package",
    metadata,
    _id(),
    _tenant(),
    _text("code"),
    Column("version", Integer, nullable=False),
    Column("terms", Document, nullable=False),
    _text("status"),
    _at("created_at"),
    UniqueConstraint("tenant_id", "code", "version"),
)
"""Immutable versions of what can be bought; the newest version of a code with status `offered` is on the page."""

price_version = Table(
    "price_version",
    metadata,
    Column("id", Text, primary_key=True),
    _tenant(nullable=True),
    _text("level"),
    _text("model"),
    Column("prices", Document, nullable=False),
    _at("effective_from"),
    _at("created_at"),
    Index(None, "tenant_id", "model", "level", "effective_from"),
)
"""Immutable, dated price lists. `level`: cost (tenant_id null) | wholesale | retail. Integers in pico-USD per unit."""

customer = Table(
    "customer",
    metadata,
    Column("id", Text, primary_key=True),
    _tenant(),
    _text("email"),
    _text("name", server_default=""),
    _text("status"),
    Column("suspend_reason", Text, nullable=True),
    _at("verified_at", nullable=True),
    Column("wallet_id", BigInt, ForeignKey("account.id"), nullable=False),
    _at("created_at"),
    UniqueConstraint("tenant_id", "email"),
)
"""`email` is stored case-folded; `status`: active | suspended."""

customer_link = Table(
    "customer_link",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    _tenant(),
    Column("customer_id", Text, ForeignKey("customer.id"), nullable=False),
    _text("purpose"),
    _at("expires_at"),
    _at("used_at", nullable=True),
    _at("created_at"),
)
"""One-time links such as the one that sets a password; only the keyed hash of the token is kept."""

api_key = Table(
    "api_key",
    metadata,
    Column("id", Text, primary_key=True),
    _tenant(),
    Column("customer_id", Text, ForeignKey("customer.id"), nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    _text("prefix"),
    _text("name", server_default=""),
    Column("limit_nano", BigInteger, nullable=True),
    Column("limit_reset", Text, nullable=True),
    Column("models", Document, nullable=False),
    Column("requests_per_minute", Integer, nullable=True),
    _at("expires_at", nullable=True),
    _at("revoked_at", nullable=True),
    _at("created_at"),
    Index(None, "tenant_id", "customer_id"),
)

# --- The ledger ------------------------------------------------------------------------------------------------

account = Table(
    "account",
    metadata,
    _id(),
    _tenant(),
    _text("kind"),
    _text("owner", server_default=""),
    _text("currency", server_default="USD"),
    _nano("balance_nano"),
    _nano("reserved_nano"),
    _nano("debt_nano"),
    UniqueConstraint("tenant_id", "kind", "owner"),
    CheckConstraint("reserved_nano >= 0 AND debt_nano >= 0", name="not_negative"),
)
"""Balances are stored for wallets only; a sink's balance is the sum of its entries. `owner`: customer id or ""."""

txn = Table(
    "txn",
    metadata,
    Column("id", Text, primary_key=True),
    _hot_tenant(),
    Column("wallet_id", BigInt, nullable=True),
    _text("code"),
    _text("ref"),
    Column("balance_after_nano", BigInteger, nullable=True),
    Column("reverses", Text, nullable=True),
    _at("created_at"),
    Index(None, "wallet_id", "created_at", "id"),
    Index(
        "ix_txn_reverses",
        "reverses",
        unique=True,
        postgresql_where=text("reverses IS NOT NULL"),
        sqlite_where=text("reverses IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)
"""`wallet_id`: whose history shows it; `balance_after_nano`: that wallet's balance behind it."""

entry = Table(
    "entry",
    metadata,
    Column("txn_id", Text, nullable=False),
    Column("line", Integer, nullable=False),
    _hot_tenant(),
    Column("account_id", BigInt, nullable=False),
    Column("amount_nano", BigInteger, nullable=False),
    PrimaryKeyConstraint("txn_id", "line"),
    sqlite_with_rowid=False,
)

lot = Table(
    "lot",
    metadata,
    Column("id", Text, primary_key=True),
    _tenant(),
    Column("wallet_id", BigInt, ForeignKey("account.id"), nullable=False),
    _text("kind"),
    Column("amount_nano", BigInteger, nullable=False),
    Column("remaining_nano", BigInteger, nullable=False),
    _nano("reserved_nano"),
    _nano("consumed_nano"),
    _nano("expired_nano"),
    _nano("clawed_back_nano"),
    _nano("cash_nano"),
    Column("priority", Integer, nullable=False, server_default=text("0")),
    Column("models", Document, nullable=False),
    _at("expires_at", nullable=True),
    _text("ref", server_default=""),
    _at("created_at"),
    CheckConstraint(
        "0 <= reserved_nano AND reserved_nano <= remaining_nano AND remaining_nano <= amount_nano", name="bounds"
    ),
    CheckConstraint("amount_nano = remaining_nano + consumed_nano + expired_nano + clawed_back_nano", name="whole"),
    Index(
        "ix_lot_spendable",
        "wallet_id",
        postgresql_where=text("remaining_nano > 0"),
        sqlite_where=text("remaining_nano > 0"),
    ),
    Index(
        "ix_lot_expiring",
        "expires_at",
        postgresql_where=text("remaining_nano > 0"),
        sqlite_where=text("remaining_nano > 0"),
    ),
    Index(None, "wallet_id", "id"),
)

key_window = Table(
    "key_window",
    metadata,
    Column("key_id", Text, nullable=False),
    _at("started_at"),
    _hot_tenant(),
    _nano("spent_nano"),
    _nano("reserved_nano"),
    PrimaryKeyConstraint("key_id", "started_at"),
    CheckConstraint("reserved_nano >= 0", name="not_negative"),
    sqlite_with_rowid=False,
)
"""What a key with a limit has spent and reserved in one period of its limit."""

hold = Table(
    "hold",
    metadata,
    Column("request_id", Text, primary_key=True),
    _hot_tenant(),
    _text("kind", server_default="call"),
    _text("state"),
    Column("customer_id", Text, nullable=False),
    Column("wallet_id", BigInt, nullable=False),
    Column("reseller_wallet_id", BigInt, nullable=False),
    _text("key_id"),
    _at("window_started_at"),
    _text("model"),
    _text("retail_version"),
    _text("wholesale_version"),
    Column("output_limit", BigInteger, nullable=False),
    Column("retail_nano", BigInteger, nullable=False),
    Column("wholesale_nano", BigInteger, nullable=False),
    _text("allocations"),
    _text("owner"),
    Column("epoch", BigInteger, nullable=False),
    Column("call", Text, nullable=True),
    Column("checkpoint", Text, nullable=True),
    _at("created_at"),
    _at("resolved_at", nullable=True),
    Index("ix_hold_open", "owner", postgresql_where=text("state = 'open'"), sqlite_where=text("state = 'open'")),
    sqlite_with_rowid=False,
)
"""`state`: open | captured | voided | expired. `allocations`: JSON pairs of lot id and nano-USD.

`call`: what a usage record needs should the process die; `checkpoint`: what was delivered so far.
"""

operation = Table(
    "operation",
    metadata,
    _tenant(),
    _text("operation"),
    _text("key"),
    _text("request_hash"),
    Column("outcome", Document, nullable=False),
    _at("created_at"),
    PrimaryKeyConstraint("tenant_id", "operation", "key"),
)
"""Idempotency: the same key and request give the same outcome; another request is a conflict."""

usage_record = Table(
    "usage_record",
    metadata,
    Column("id", Text, primary_key=True),
    _hot_tenant(),
    Column("customer_id", Text, nullable=False),
    _text("key_id"),
    _text("model"),
    _text("public_model"),
    Column("upstream", Text, nullable=True),
    Column("upstream_model", Text, nullable=True),
    _text("dialect"),
    Column("stream", Boolean, nullable=False),
    _text("status"),
    Column("http_status", Integer, nullable=False),
    _text("quantities"),
    Column("reasoning_tokens", BigInteger, nullable=False, server_default=text("0")),
    _text("usage_source"),
    Column("usage_capped", Boolean, nullable=False, server_default=text("false")),
    Column("retail_nano", BigInteger, nullable=False),
    Column("wholesale_nano", BigInteger, nullable=False),
    Column("cost_nano", BigInteger, nullable=False),
    _text("retail_version"),
    _text("wholesale_version"),
    Column("cost_version", Text, nullable=True),
    Column("attempts", Integer, nullable=False),
    Column("latency_ms", Integer, nullable=False),
    Column("first_byte_ms", Integer, nullable=True),
    Column("delivered_characters", BigInteger, nullable=True),
    Column("tokenizer", Text, nullable=True),
    _at("created_at"),
    Index(None, "tenant_id", "customer_id", "id"),
    sqlite_with_rowid=False,
)
"""One row a call that reached the hold.

`model`: as asked for; `public_model`: what it stands for; `quantities`: JSON, usage class → integer.
"""

UNSCOPED: Final = frozenset(
    {
        "platform",
        "applied_manifest",
        "secret",
        "revision",
        "revision_change",
        "lease",
        "upstream",
        "upstream_key",
        "model",
        "route",
        "tenant",
    }
)
"""Tables without tenant data: every other one has `tenant_id`, and every query of it names its tenant."""
