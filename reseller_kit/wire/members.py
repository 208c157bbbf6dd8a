"""Which top-level members of a request may travel: by their names alone, never by their values.

Members that a reference documents, and any that are unknown, travel untouched. Refused are those that would steer the
platform or an upstream's routing or billing, and spellings that a lenient upstream could take for a metered one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from ..core.errors import InvalidRequest

REFUSED: Final = frozenset(
    {
        # another address, account or credential
        "api_base",
        "api_key",
        "api_type",
        "api_version",
        "azure_endpoint",
        "base_url",
        "custom_llm_provider",
        "deployment_id",
        "endpoint",
        "extra_body",
        "extra_headers",
        "extra_query",
        "headers",
        "litellm_params",
        "model_list",
        "organization",
        # another model or route than the one that is priced
        "allowed_models",
        "fallback",
        "fallback_models",
        "fallbacks",
        "models",
        "preset",
        "provider",
        "providers",
        "route",
        "router",
        "transforms",
        # work that is charged beyond tokens, or charged where the meter does not see it
        "background",
        "best_of",
        "deferred",
        "enable_search",
        "plugins",
        "search_parameters",
        "web_search",
        "web_search_options",
        # other names for the output limit
        "max_new_tokens",
        "max_output_tokens",
        # tricks of proxies
        "mock_response",
        "num_retries",
        "router_settings_override",
    }
)
"""Members of OpenAI's relatives and of proxies that no caller may send, whatever the API."""


class Members(Struct, frozen=True):
    """The names of one API; make it with `members()`."""

    harmless: frozenset[str]
    refused: frozenset[str]
    metered: dict[str, str]


def members(*, metered: Iterable[str], documented: Iterable[str], refused: Iterable[str]) -> Members:
    """`metered`: members that decide the charge; `documented`: the reference's others; `refused`: never to travel."""
    metered = frozenset(metered)
    return Members(
        metered | frozenset(documented), frozenset(map(_plain, refused)), {_plain(name): name for name in metered}
    )


def refuse_unknown(fields: Mapping[str, Any], names: Members) -> None:
    """Raises InvalidRequest, with the name as `param`, for a member that must not travel.

    Some JSON libraries match names in any case, so another spelling of a metered one is refused as well.
    """
    if fields.keys() <= names.harmless:
        return
    for name in fields.keys() - names.harmless:
        plain = _plain(name)
        if plain in names.refused:
            raise InvalidRequest(f"{name[:80]!r} can't be used here.", param=name[:200])
        if plain in names.metered:
            raise InvalidRequest(f"{name[:80]!r} has to be spelt {names.metered[plain]!r}.", param=name[:200])


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "")
