"""`upstream`: provider endpoints and their keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from ..core.money import format_amount
from ..core.times import format_time, parse_time
from ..core.upstream_keys import KeyState, shown
from ..db.engine import now_us
from ..flows import end_users, shapes
from ..flows import upstreams as flow
from ..flows.cache_savings import cache_savings
from ..flows.circuits import Circuit, list_circuits, worst
from ..flows.upstreams import Checked, ListedUpstream
from .failures import DONE, FINDINGS
from .invocation import actor, with_database, with_vault
from .options import Group
from .output import emit, facts, table

Document = dict[str, Any]


@click.group(cls=Group)
def upstream() -> None:
    """Provider endpoints and their keys."""


@upstream.command("list")
def list_() -> None:
    """Every upstream with the states of its keys and the models routed to it."""
    rows, now = with_database(flow.list_upstreams), now_us()
    circuits = with_database(list_circuits)
    keys = [
        (row.stored.name, key["fingerprint"], _told(key, row.states.get(key["fingerprint"])), key["reason"])
        for row in rows
        for key in _keys(row, now)
    ]
    emit(
        {
            "upstreams": [{**_listed(row, now), **_circuits(circuits.get(row.stored.name, []))} for row in rows],
            "next_cursor": None,
        },
        table(
            ["NAME", "STATUS", "DIALECT", "BASE URL", "MODELS>", "CIRCUIT"],
            [
                (
                    row.stored.name,
                    row.stored.status,
                    row.stored.dialect,
                    row.stored.base_url,
                    len(row.stored.models),
                    worst(circuits.get(row.stored.name, [])),
                )
                for row in rows
            ],
            empty="No upstreams yet.",
        ),
        table(["UPSTREAM", "KEY", "STATE", "REASON"], keys, empty="No keys yet.") if rows else "",
        _broken(circuits),
    )


@upstream.command()
@click.argument("name", required=False)
def check(name: str | None) -> int:
    """Ask each upstream, or one, whether it takes every key, free of charge; parked keys that work are tried again."""
    from ..app import make_upstream

    checked = with_vault(lambda db, vault: flow.check_upstreams(db, vault, make_upstream, name))
    documents = [_checked(row) for row in checked]
    shown_rows = [
        (row["name"], key["fingerprint"], key["health"], key["status"], f"{key['latency_ms']} ms", key["fault"])
        for row in documents
        for key in row["keys"] or [{**row, "fingerprint": None}]
    ]
    released = [
        f"Key {key} of {row.check.upstream} was parked and is tried again." for row in checked for key in row.unparked
    ]
    emit(
        {"upstreams": documents, "next_cursor": None},
        table(["NAME", "KEY", "HEALTH", "HTTP", "TOOK>", "FAULT"], shown_rows, empty="No upstreams yet."),
        "\n".join(released),
    )
    return DONE if all(row.check.ok for row in checked) else FINDINGS


@upstream.command()
@click.argument("name")
@click.option("--key", "fingerprint", metavar="FINGERPRINT", help="Only this key, as `upstream list` shows it.")
def unpark(name: str, fingerprint: str | None) -> None:
    """Use parked and cooling keys of an upstream again, without asking whether they work."""
    who = actor()
    released = with_database(lambda db: flow.unpark(db, name, fingerprint, who))
    told = f"Used again: {', '.join(released)}." if released else "No key was parked or cooling."
    emit({"name": name, "unparked": released}, told)


@upstream.command()
@click.argument("identity", metavar="ID")
def whois(identity: str) -> None:
    """The customer that an upstream's report means: the `eu_…` that it heard as safety_identifier, user or user_id."""
    found = with_vault(lambda db, vault: end_users.whois(db, vault, identity))
    document = {
        "id": identity.strip(),
        "tenant": found.tenant,
        "customer": found.customer_id,
        "email": found.email,
        "status": found.status,
    }
    pairs = [
        ("Tenant", found.tenant),
        ("Customer", found.customer_id),
        ("E-mail", found.email),
        ("Status", found.status),
    ]
    emit(document, facts(pairs))


@upstream.command()
@click.option("--since", type=parse_time, metavar="ISO", help="Calls from then on; default: of the last day.")
def caches(since: int | None) -> None:
    """What each upstream read from its prompt caches, and what that saved at cost."""
    found = with_database(lambda db: cache_savings(db, since))
    documents = [
        {
            "name": each.upstream,
            "calls": each.calls,
            "input_tokens": each.read,
            "cached_tokens": each.cached,
            "hit_percent": each.hit_percent,
            "saved": format_amount(each.saved),
        }
        for each in found
    ]
    rows = [tuple(document.values()) for document in documents]
    emit(
        {"upstreams": documents, "next_cursor": None},
        table(["NAME", "CALLS>", "INPUT>", "CACHED>", "HIT %>", "SAVED>"], rows, empty="No upstreams yet."),
    )


def _listed(row: ListedUpstream, now: int) -> Document:
    stored = row.stored
    return {
        "name": stored.name,
        "dialect": stored.dialect,
        "base_url": stored.base_url,
        "status": stored.status,
        "keys": _keys(row, now),
        "models": stored.models,
    }


def _circuits(circuits: Sequence[Circuit]) -> Document:
    """The circuits of an upstream's models, and the worst of them in one word."""
    endpoints = [
        {
            "model": each.model,
            "circuit": each.circuit,
            "failures": each.failures,
            "until": None if each.until is None else format_time(each.until),
            "reason": each.reason or None,
        }
        for each in circuits
    ]
    return {"circuit": worst(circuits), "endpoints": endpoints}


def _broken(circuits: Mapping[str, Sequence[Circuit]]) -> Any:
    """A table of the circuits that keep calls away; nothing where none does."""
    rows = [
        (each.upstream, each.model, each.circuit, None if each.until is None else format_time(each.until), each.reason)
        for found in circuits.values()
        for each in found
        if each.circuit in {"open", "half_open"}
    ]
    return table(["UPSTREAM", "MODEL THERE", "CIRCUIT", "UNTIL", "REASON"], rows, empty="") if rows else ""


def _keys(row: ListedUpstream, now: int) -> list[Document]:
    """The pool, in its order. What is past, as a key that has cooled down, is not told."""
    found = []
    for key in row.stored.keys:
        state = row.states.get(key.fingerprint)
        standing = shown(state, now)
        barred = state is not None and standing != "ok"
        found.append(
            {
                "reference": key.reference,
                "fingerprint": key.fingerprint,
                "state": standing,
                "since": format_time(state.since) if state is not None and barred else None,
                "until": format_time(state.until) if state is not None and state.until is not None and barred else None,
                "reason": state.reason if state is not None and barred else None,
            }
        )
    return found


def _told(key: Document, state: KeyState | None) -> str:
    if state is None or key["state"] == "ok":
        return "ok"
    if key["state"] == "parked":
        return f"parked since {shapes.short_time(state.since)}"
    return f"cooling until {shapes.short_time(state.until or state.since)}"


def _checked(row: Checked) -> Document:
    """An upstream's check: on the whole by its first fault, and key by key."""
    check = row.check
    first = next((key for key in check.keys if key.fault), check.keys[0] if check.keys else None)
    several = len(check.keys) > 1 and first is not None and bool(first.fault)
    return {
        "name": check.upstream,
        "health": "ok" if check.ok else "failed",
        "status": None if first is None else first.status,
        "latency_ms": 0 if first is None else first.latency_ms,
        "fault": "no key is stored"
        if first is None
        else f"key {first.fingerprint}: {first.fault}"
        if several
        else first.fault,
        "keys": [
            {
                "fingerprint": key.fingerprint,
                "health": "failed" if key.fault else "ok",
                "status": key.status,
                "latency_ms": key.latency_ms,
                "fault": key.fault,
                "unparked": key.fingerprint in row.unparked,
            }
            for key in check.keys
        ],
    }
