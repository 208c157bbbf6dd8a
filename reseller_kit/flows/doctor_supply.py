"""What `doctor` has to say of upstreams, their keys and circuits, and of models without any. Asks no upstream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..core.times import format_time
from ..core.upstream_keys import KeyState
from ..db import endpoints, operator_upstreams, prices, upstream_keys, upstreams
from ..db.tenants import Connection
from ..db.upstreams import Upstream
from ..plugins.installed import PluginUnusable, upstream_plugin
from .complaint import Complaint, complaint


async def examine_supply(connection: Connection) -> list[Complaint]:
    """Upstreams without keys or with parked ones, open circuits, and models that nothing serves."""
    found = []
    routed: set[str] = set()
    states = await upstream_keys.states(connection)
    for upstream in await upstreams.every(connection):
        if upstream.status == "active":
            routed.update(upstream.models)
            if not upstream.keys:
                fix = "Give it api_keys in tenants.toml, then run reseller-kit apply."
                found.append(complaint("DR102", upstream.name, "No key of this upstream is stored.", fix))
            found += _about_keys(upstream, states.get(upstream.name, {}))
            found += _about_plugin(upstream)
    found += await _examine_circuits(connection)
    for own in await operator_upstreams.own_upstreams(connection):
        if own.status == "active":
            found += _about_keys(own, states.get(own.name, {}))
            found += _about_plugin(own)
    for model in await prices.active_models(connection):
        if model not in routed:
            fix = "Give it routes in tenants.toml, then run reseller-kit apply."
            found.append(complaint("DR103", model, "No active upstream serves this model.", fix))
    return found


async def _examine_circuits(connection: Connection) -> list[Complaint]:
    routed, off = set(await upstreams.endpoints(connection)), await upstreams.without_circuits(connection)
    fix = "It is tried again by itself. See: reseller-kit upstream list"
    return [
        complaint(
            "DR114",
            f"{row.upstream}/{row.upstream_model}",
            f"The circuit is open since {format_time(row.changed_at)}: {row.reason}",
            fix,
            level="warning",
        )
        for row in await endpoints.every(connection)
        if row.state == "open" and row.upstream not in off and (row.upstream, row.upstream_model) in routed
    ]


def _about_plugin(upstream: Upstream) -> Iterator[Complaint]:
    """Whether its plugin can be loaded here, where this command runs."""
    if upstream.plugin is None:
        return
    try:
        upstream_plugin(upstream.plugin)
    except PluginUnusable as error:
        yield complaint("DR115", upstream.name, error.message, error.fix or "")


def _about_keys(upstream: Upstream, states: Mapping[str, KeyState]) -> Iterator[Complaint]:
    parked = {
        key.fingerprint: states[key.fingerprint]
        for key in upstream.keys
        if key.fingerprint in states and states[key.fingerprint].standing == "parked"
    }
    fix = (
        f"Mend it with the provider, then run: reseller-kit upstream check {upstream.name}."
        " Or change its secret and run reseller-kit apply."
    )
    for fingerprint, state in parked.items():
        message = f"Key {fingerprint} is parked since {format_time(state.since)}: {state.reason}"
        yield complaint("DR111", upstream.name, message, fix)
    if parked and len(parked) == len({key.fingerprint for key in upstream.keys}):
        yield complaint("DR112", upstream.name, "Every key of this upstream is parked: it serves no call.", fix)
