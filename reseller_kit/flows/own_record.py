"""What a customer is told of one of its calls, in every answer and file. Names no upstream, cost or wholesale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.money import format_amount
from ..core.times import format_time
from ..db.usage import UsageRecord


def own_record(record: UsageRecord, quantities: Mapping[str, Any]) -> dict[str, Any]:
    """The record with its `quantities` under the names that the reader knows; `charge` is a decimal string in USD."""
    return {
        "id": record.id,
        "created_at": format_time(record.created_at),
        "key": record.key_prefix,
        "model": record.model,
        "stream": record.stream,
        "status": record.status,
        "http_status": record.http_status,
        **quantities,
        "reasoning_tokens": record.reasoning_tokens,
        "usage_source": record.usage_source,
        "charge": format_amount(record.retail_nano),
        "latency_ms": record.latency_ms,
        "first_byte_ms": record.first_byte_ms,
    }
