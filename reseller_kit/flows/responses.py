"""What Responses requests go on from, and what they leave behind for the next one. Asks no upstream.

Source: OpenAI's guide "Conversation state". Whatever is not the customer's own looks as if it did not exist.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NoReturn

from msgspec import Raw, Struct

from ..core.errors import InvalidRequest, NotFound, PreviousNotFound
from ..core.ids import is_public_id
from ..core.storefront import Storefront
from ..db.authentication import KeyAccount
from ..wire.codec import Call
from ..wire.openai_responses import kept as wire
from ..wire.openai_responses import state
from .call import Caller
from .kept_responses import KeptResponses, Owner
from .runtime import Runtime

MOST_KEPT_BYTES: Final = 4 * 1024 * 1024
"""Of a request whose answer is kept; a larger one is answered with `"store": false`."""
_MOST_ANSWER_BYTES: Final = 16 * 1024 * 1024
_MOST_REFERENCES: Final = 100


class Turn(Struct, frozen=True, kw_only=True):
    """A request with all that it named put in. `own`: without the history; `keeps`: whether its answer is kept."""

    call: Call
    own: Call
    owner: Owner
    previous_id: str | None
    keeps: bool
    days: int

    def end(self, runtime: Runtime, response: bytes | Raw | None) -> None:
        """Keep the answer, if it is to be kept and has come whole; it can be gone on from at once."""
        if not self.keeps or response is None or memoryview(response).nbytes > _MOST_ANSWER_BYTES:
            return
        kept = wire.kept_of(self.own, response)
        runtime.responses.put(self.owner, wire.id_of(kept), self.previous_id, kept, self.days)


def owner_of(account: KeyAccount) -> Owner:
    """Whose responses a key reads."""
    return Owner(account.tenant_id, account.customer_id)


async def begin(runtime: Runtime, caller: Caller, call: Call) -> Turn:
    """The request with the items that it names.

    Raises PreviousNotFound for a response that is not the customer's or not kept, InvalidRequest for an item that is
    not, and for both where the storefront keeps nothing; ServiceUnavailable when the database is away.
    """
    days = caller.storefront.responses_days
    if not days:
        _refuse_state(call, caller.storefront)
    owner, previous_id = owner_of(caller.account), state.previous_of(call)
    own = call
    if state.names_earlier_items(call):
        own, call = await _with_earlier(runtime.responses, owner, call, previous_id)
    keeps = bool(days) and state.wants_store(call) and state.size_of(own) <= MOST_KEPT_BYTES
    if not keeps:
        call = state.not_stored(call)
    return Turn(call=call, own=own, owner=owner, previous_id=previous_id, keeps=keeps, days=days)


async def find(runtime: Runtime, account: KeyAccount, response_id: str) -> wire.KeptResponse:
    """A kept response of the customer. Raises NotFound."""
    found = None
    if is_public_id(response_id, "resp"):
        found = (await runtime.responses.find(owner_of(account), response_id)).get(response_id)
    return found or _not_found(response_id)


async def input_of(runtime: Runtime, account: KeyAccount, response_id: str) -> list[Raw]:
    """All items that a response was made from, those of earlier responses before its own. Raises NotFound."""
    chain = None
    if is_public_id(response_id, "resp"):
        chain = await runtime.responses.conversation(owner_of(account), response_id)
    if not chain:
        _not_found(response_id)
    return [*wire.named_history(chain[:-1]), *wire.named_input(chain[-1])]


async def remove(runtime: Runtime, account: KeyAccount, response_id: str) -> None:
    """Delete a response of the customer. Raises NotFound."""
    known = is_public_id(response_id, "resp")
    if not known or not await runtime.responses.remove(owner_of(account), response_id):
        _not_found(response_id)


def _not_found(response_id: str) -> NoReturn:
    raise NotFound(f"Response with id '{response_id[:80]}' not found.")


def _refuse_state(call: Call, storefront: Storefront) -> None:
    off = f"{storefront.name} does not keep responses"
    if state.previous_of(call) is not None:
        raise InvalidRequest(f"{off}. Send the earlier items as input.", param="previous_response_id")
    if state.item_references(call):
        raise InvalidRequest(f"{off}. Send the earlier items whole as input.", param="input")
    if state.names_store(call):
        raise InvalidRequest(f"{off}. Leave store away, or set it to false.", param="store")


async def _with_earlier(
    responses: KeptResponses, owner: Owner, call: Call, previous_id: str | None
) -> tuple[Call, Call]:
    """The request with the named items, and that with the history too."""
    chain: list[wire.KeptResponse] = []
    if previous_id is not None:
        found = await responses.conversation(owner, previous_id) if is_public_id(previous_id, "resp") else None
        if found is None:
            message = f"Previous response with id '{previous_id[:80]}' not found."
            raise PreviousNotFound(message, param="previous_response_id")
        chain = found
    named = await _named(responses, owner, state.item_references(call), chain)
    own = state.with_history(call, (), named)
    return own, state.with_history(own, wire.history_of(chain))


async def _named(
    responses: KeptResponses, owner: Owner, references: Iterable[str], chain: list[wire.KeptResponse]
) -> dict[str, Raw]:
    """Items by the ids that the input names: those of the conversation, and of any other kept response."""
    wanted = set(references)
    if not wanted:
        return {}
    if len(wanted) > _MOST_REFERENCES:
        raise InvalidRequest(f"At most {_MOST_REFERENCES} items can be named at once.", param="input")
    items = {name: item for kept in chain for name, item in wire.named_items(kept).items()}
    elsewhere = {found for name in wanted - items.keys() if (found := wire.response_of_item(name)) is not None}
    for kept in (await responses.find(owner, *elsewhere)).values():
        items |= wire.named_items(kept)
    return {name: item for name, item in items.items() if name in wanted}
