"""What the demo prints: a table, addresses to open and a command to paste. Plain text, no dependencies."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Final

from scripts._lib.demo.example import Storefront
from scripts._lib.demo.product import Customer

HEADINGS: Final = ("storefront", "model", "mode", "tokens in + out", "retail", "wholesale", "cost", "balance")


def table(rows: Sequence[Sequence[str]]) -> str:
    """The rows under HEADINGS; the first three columns to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    lines = [_line(HEADINGS, widths), "  ".join("─" * width for width in widths)]
    lines += [_line(row, widths) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def row(storefront: Storefront, record: Mapping[str, Any], balance: str) -> tuple[str, ...]:
    """One usage record as a row; `balance` is the customer's after all calls."""
    sent = record["input_tokens"] + record["cached_input_tokens"]
    return (
        storefront.name,
        record["model"],
        "streamed" if record["stream"] else "plain",
        f"{sent} + {record['output_tokens']}",
        record["retail"],
        record["wholesale"],
        record["cost"],
        balance,
    )


def invitation(customers: Sequence[Customer], port: int, data_dir: str) -> str:
    """Where to look, what to paste, and how to end it."""
    names = "".join(
        f"  {customer.storefront.name:<12} http://{customer.storefront.address}:{port}/\n" for customer in customers
    )
    return (
        f"Open in a browser:\n{names}\n"
        f"Call the API (any OpenAI client works with this base URL and key):\n\n{_chat(customers[0], port)}\n\n"
        f"The same model over Anthropic's API:\n\n{_messages(customers[0], port)}\n\n"
        "Look behind the counter, in another terminal:\n\n"
        f"RESELLER_KIT_DATA_DIR={shlex.quote(data_dir)} .venv/bin/reseller-kit usage list\n\n"
        "The upstream is an emulator on this machine: no provider is asked and nothing is paid. Ctrl-C ends it all."
    )


def _chat(customer: Customer, port: int) -> str:
    return _curl("curl -N", customer, port, "/v1/chat/completions", {"stream": True})


def _messages(customer: Customer, port: int) -> str:
    return _curl("curl", customer, port, "/v1/messages", {"max_tokens": 100})


def _curl(program: str, customer: Customer, port: int, path: str, more: Mapping[str, object]) -> str:
    store = customer.storefront
    body = {"model": store.streamed_model, **more, "messages": [{"role": "user", "content": "Say hello."}]}
    return (
        f"{program} http://{store.address}:{port}{path}"
        f" -H 'Authorization: Bearer {customer.key}'"
        f" -H 'Content-Type: application/json' -d {shlex.quote(json.dumps(body))}"
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    left = [cell.ljust(width) for cell, width in zip(cells[:3], widths[:3], strict=True)]
    right = [cell.rjust(width) for cell, width in zip(cells[3:], widths[3:], strict=True)]
    return "  ".join(left + right)
