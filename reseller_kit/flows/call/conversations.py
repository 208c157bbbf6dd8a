"""The number that the calls of one conversation share, so that they are answered where its prompt cache lies."""

from __future__ import annotations

import hashlib

from ...wire.codec import Call
from ...wire.conversation_name import conversation_name
from .admit import Caller


def conversation_of(caller: Caller, call: Call) -> int:
    """64 bits of a digest of the conversation's name, the same in each process.

    Apart for each tenant and customer, and for each model: agents use several in one session, and none reads another's
    prompt cache.
    """
    name = conversation_name(call, caller.session)
    whose = f"{caller.storefront.tenant_id}\0{caller.account.customer_id}\0{call.model}\0{name}"
    return int.from_bytes(hashlib.blake2b(whose.encode("utf-8", "surrogatepass"), digest_size=8).digest())
