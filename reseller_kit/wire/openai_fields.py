"""Which top-level members of a chat request may travel. Looks at names only, never at values.

Members that the reference documents, and any that are unknown, travel untouched. Refused are those that would steer
the platform or an upstream's routing or billing, and spellings that a lenient upstream could take for a metered one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..core.errors import InvalidRequest

METERED: Final = frozenset(
    {
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "modalities",
        "model",
        "n",
        "service_tier",
        "stream",
        "stream_options",
        "tools",
    }
)
"""Members that decide the charge. Some JSON libraries match names in any case, so `Max_Tokens` is refused."""

_DOCUMENTED: Final = METERED | {
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "metadata",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "stop",
    "store",
    "temperature",
    "tool_choice",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
}

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


def refuse_unknown(fields: Mapping[str, Any]) -> None:
    """Raises InvalidRequest, with the name as `param`, for a member that must not travel."""
    if fields.keys() <= _DOCUMENTED:
        return
    for name in fields.keys() - _DOCUMENTED:
        plain = _plain(name)
        if plain in _REFUSED_PLAIN:
            raise InvalidRequest(f"{name[:80]!r} can't be used here.", param=name[:200])
        if plain in _METERED_PLAIN:
            raise InvalidRequest(f"{name[:80]!r} has to be spelt {_METERED_PLAIN[plain]!r}.", param=name[:200])


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "")


_REFUSED_PLAIN: Final = frozenset(map(_plain, REFUSED))
_METERED_PLAIN: Final = {_plain(name): name for name in METERED}
