"""The response object around output items: which members it shows, and whose word they are. Keeps no upstream trace."""

from __future__ import annotations

import time
from typing import Final

import msgspec
from msgspec import Raw

from ...core.usage import Usage
from ..codec import Call, Reply
from ..json_body import NULL, is_given, quote
from ..known import Known, names
from ..openai_chat.envelope import created_or_now, is_known_tier
from .usage import usage_object

_ENCODER: Final = msgspec.json.Encoder()
_FALSE: Final = Raw(b"false")
_EMPTY: Final = Raw(b"{}")

_DEFAULTS: Final[dict[str, Raw]] = {
    "background": _FALSE,
    "frequency_penalty": Raw(b"0.0"),
    "incomplete_details": NULL,
    "instructions": NULL,
    "max_tool_calls": NULL,
    "parallel_tool_calls": Raw(b"true"),
    "presence_penalty": Raw(b"0.0"),
    "reasoning": Raw(b'{"effort":null,"summary":null}'),
    "service_tier": Raw(b'"default"'),
    "temperature": Raw(b"1.0"),
    "text": Raw(b'{"format":{"type":"text"}}'),
    "tool_choice": Raw(b'"auto"'),
    "tools": Raw(b"[]"),
    "top_logprobs": Raw(b"0"),
    "top_p": Raw(b"1.0"),
    "truncation": Raw(b'"disabled"'),
}
"""Members that are told of a call, and what is shown where nothing is."""
_WORD_OF_UPSTREAM: Final[dict[str, Known]] = {
    "incomplete_details": Known(names("reason")),
    "reasoning": Known(names("effort summary generate_summary context")),
    "text": Known({"format": names("type name description schema strict"), "verbosity": None}),
    "service_tier": Known({}),
    "parallel_tool_calls": Known({}),
    "temperature": Known({}),
    "top_logprobs": Known({}),
    "top_p": Known({}),
    "truncation": Known({}),
}
"""Those of them that an upstream may have set; of all others the caller knows what it asked for."""


class Envelope:
    """Writes one response object again and again as it grows."""

    def __init__(self, call: Call, reply: Reply) -> None:
        fields = call.fields
        self.response_id = response_id(reply)
        self._own: dict[str, Raw] = {
            "id": Raw(quote(self.response_id)),
            "object": Raw(b'"response"'),
            "model": Raw(quote(reply.model)),
            "max_output_tokens": fields.get("max_output_tokens", NULL),
            "metadata": fields["metadata"] if is_given(fields.get("metadata")) else _EMPTY,
            "previous_response_id": fields.get("previous_response_id", NULL),
            "prompt_cache_key": fields.get("prompt_cache_key", NULL),
            "safety_identifier": fields.get("safety_identifier", NULL),
            "store": fields["store"] if is_given(fields.get("store")) else Raw(b"true"),
            "user": fields.get("user", NULL),
            **call.shown,
        }
        self._asked = {name: fields[name] for name in _DEFAULTS if is_given(fields.get(name))}
        self._created: bytes = b""

    def write(
        self,
        status: str,
        output: bytes,
        *,
        upstream: dict[str, Raw] | None = None,
        usage: Usage | None = None,
        incomplete: str = "",
        error: dict[str, str] | None = None,
    ) -> bytes:
        """The object as JSON; `output`: the items, as a JSON array; `upstream`: what it says of itself, if it does.

        `incomplete`: why it is, if there is no upstream to say so.
        """
        told = upstream or {}
        if not self._created:
            self._created = created_or_now(told.get("created_at", NULL))
        members = {name: self._word(name, told) or default for name, default in _DEFAULTS.items()}
        if incomplete:
            members["incomplete_details"] = Raw(_ENCODER.encode({"reason": incomplete}))
        if status == "completed":
            members["completed_at"] = Raw(b"%d" % time.time())
        return _ENCODER.encode(
            {
                **self._own,
                "created_at": Raw(self._created),
                "status": status,
                "error": error,
                **members,
                "output": Raw(output),
                "usage": None if usage is None else usage_object(usage),
            }
        )

    def _word(self, name: str, told: dict[str, Raw]) -> Raw | None:
        """The upstream's word on a member, else what was asked for; None where neither says anything."""
        known, value = _WORD_OF_UPSTREAM.get(name), told.get(name)
        if known is None or value is None or (name == "service_tier" and not is_known_tier(value)):
            return self._asked.get(name)
        return known.only(value)


def response_id(reply: Reply) -> str:
    """The answer's own id."""
    return "resp_" + own_part(reply)


def own_part(reply: Reply) -> str:
    """The part of the request's id that the ids of its answer share."""
    return reply.request_id.partition("_")[2] or reply.request_id


class ItemIds:
    """Ids of ours for the items of an upstream: the same kind of id, numbered in order of appearance."""

    def __init__(self, reply: Reply) -> None:
        self._part = own_part(reply)
        self._own: dict[str, str] = {}
        self._count = 0

    def of(self, upstream_id: str, item_type: str = "") -> str:
        """Our id of an item."""
        own = self._own.get(upstream_id)
        if own is None:
            own = self._own[upstream_id] = self.new(item_type)
        return own

    def new(self, item_type: str) -> str:
        """Our id of an item that has none."""
        self._count += 1
        return f"{_PREFIXES.get(item_type, 'item')}_{self._part}{self._count:03d}"


_PREFIXES: Final = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "custom_tool_call": "ctc",
    "local_shell_call": "lsh",
    "shell_call": "sh",
    "apply_patch_call": "apc",
    "computer_call": "cu",
    "tool_search_call": "tsc",
    "tool_search_output": "tso",
    "compaction": "cmp",
}
