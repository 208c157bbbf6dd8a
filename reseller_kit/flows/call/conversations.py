"""The numbers that the calls of one conversation share, so that they are answered where its prompt cache lies."""

from __future__ import annotations

import hashlib
from typing import Final

from msgspec import Struct

from ...wire.codec import Call
from ...wire.conversation_name import conversation_name
from .job import Caller

_CACHED_BYTES: Final = 4096
"""Providers cache no prompt of fewer than about a thousand tokens, and few tokens of text are less than four bytes."""


class Conversation(Struct, frozen=True):
    """`own`: a number of the conversation's name in this process. `named`: by its client.

    `shared`: 64 bits of a digest of it, the same in each process, where a prompt cache may lie somewhere. The first
    turn of a short prompt has none, so that it goes as if there were no conversation; where it went is remembered for
    the second.
    """

    own: int
    shared: int | None
    named: bool


def conversation_of(caller: Caller, call: Call) -> Conversation:
    """The call's conversation, apart for each tenant, customer and model.

    Agents use several models in one session, and none reads another's prompt cache.
    """
    name = conversation_name(call, caller.session)
    whose = f"{caller.storefront.tenant_id}\0{caller.account.customer_id}\0{call.model}\0{name.text}"
    shared = None
    if name.named or name.goes_on or call.input_bound >= _CACHED_BYTES:
        shared = int.from_bytes(hashlib.blake2b(whose.encode("utf-8", "surrogatepass"), digest_size=8).digest())
    return Conversation(hash(whose), shared, name.named)
