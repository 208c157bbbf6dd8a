"""Calls, their totals and what they earn as JSON documents. Pure.

A reseller's document is made by itself and the operator's from it, so that what is added for the operator stays there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from ..core.catalog import USAGE_CLASSES
from ..core.money import format_amount
from ..core.times import format_time
from ..db.margins import Margin
from ..db.rollups import Sums
from ..db.usage import UsageRecord
from . import documents as doc
from .shapes import Document
from .usage_summary import By, Summary


def resellers_usage(row: UsageRecord) -> doc.Call:
    """One call as its reseller sees it: nothing of what the operator pays, and to whom."""
    used = row.quantities
    return {
        "id": row.id,
        "created_at": format_time(row.created_at),
        "customer": row.customer,
        "customer_id": row.customer_id,
        "key": row.key_id,
        "key_prefix": row.key_prefix,
        "model": row.public_model,
        "dialect": row.dialect,
        "stream": row.stream,
        "status": row.status,
        "http_status": row.http_status,
        "input_tokens": used.get("input", 0),
        "cached_input_tokens": used.get("cached_input", 0),
        "cache_write_tokens": used.get("cache_write", 0),
        "cache_write_1h_tokens": used.get("cache_write_1h", 0),
        "output_tokens": used.get("output", 0),
        "reasoning_tokens": row.reasoning_tokens,
        "quantities": used,
        "usage_source": row.usage_source,
        "usage_capped": row.usage_capped,
        "retail": format_amount(row.retail_nano),
        "wholesale": format_amount(row.wholesale_nano),
        "latency_ms": row.latency_ms,
        "first_byte_ms": row.first_byte_ms,
    }


def usage(row: UsageRecord) -> Document:
    """One call as the operator sees it."""
    return {
        **resellers_usage(row),
        "tenant": row.tenant,
        "model": row.model,
        "public_model": row.public_model,
        "upstream": row.upstream,
        "upstream_model": row.upstream_model,
        "cost": format_amount(row.cost_nano),
        "attempts": row.attempts,
    }


def resellers_summary(found: Summary) -> doc.Summary:
    """Totals by day, model or key, without what the operator pays."""
    return {
        "tenant": found.tenant,
        "customer": found.customer,
        "timezone": found.timezone,
        "since": format_time(found.since),
        "by": found.by,
        "rows": [_line(found.by, name, sums) for name, sums in found.rows],
        "total": _sums(found.total),
    }


def summary(found: Summary) -> Document:
    """Totals by day, model or key."""
    return {
        **resellers_summary(found),
        "rows": [{found.by: name, **_with_cost(sums)} for name, sums in found.rows],
        "total": _with_cost(found.total),
    }


def tokens_read(sums: Sums) -> int:
    """Input tokens of every class."""
    written = sums.cache_write + sums.cache_write_1h
    return sums.input + sums.cached_input + written + sums.input_audio + sums.input_image


def amounts(sums: Sums) -> tuple[int, int, int]:
    """Retail, wholesale and cost in nano-USD."""
    return sums.retail_nano, sums.wholesale_nano, sums.cost_nano


def margin(row: Margin) -> Document:
    """What one model earned on one day."""
    return {"day": format_time(row.day_at)[:10], "model": row.model, **_earned([row])}


def margins(tenant_slug: str, rows: Sequence[Margin]) -> Document:
    """Margins by day and model, and their sum."""
    return {"tenant": tenant_slug, "currency": "USD", "margins": [margin(row) for row in rows], "total": _earned(rows)}


def _earned(rows: Sequence[Margin]) -> Document:
    return {
        "calls": sum(row.calls for row in rows),
        "retail": format_amount(sum(row.retail for row in rows)),
        "wholesale": format_amount(sum(row.wholesale for row in rows)),
        "cost": format_amount(sum(row.cost for row in rows)),
        "reseller_margin": format_amount(sum(row.reseller for row in rows)),
        "operator_margin": format_amount(sum(row.operator for row in rows)),
    }


def _line(by: By, name: str, sums: Sums) -> doc.SumsLine:
    line = cast("doc.SumsLine", _sums(sums))
    line[by] = name
    return line


def _with_cost(sums: Sums) -> Document:
    return {**_sums(sums), "cost": format_amount(sums.cost_nano)}


def _sums(sums: Sums) -> doc.Sums:
    quantities = {name: getattr(sums, name) for name in USAGE_CLASSES if getattr(sums, name)}
    return {
        "calls": sums.calls,
        "input_tokens": sums.input,
        "cached_input_tokens": sums.cached_input,
        "cache_write_tokens": sums.cache_write,
        "cache_write_1h_tokens": sums.cache_write_1h,
        "output_tokens": sums.output,
        "quantities": quantities,
        "retail": format_amount(sums.retail_nano),
        "wholesale": format_amount(sums.wholesale_nano),
    }
