"""A call that is no conversation, from hold to settle: embeddings, images, speech, transcripts and their like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from ...core.catalog import OfferedModel
from ...core.errors import NotFound, UpstreamFailed
from ...core.storefront import UpstreamConfig
from ...core.usage import Usage
from ...upstream.response import Response
from ...wire.task import PATHS, Task, TaskAnswer, check_task_priced, priced_part
from ..runtime import Runtime
from .admit import Caller, Wanted, admit, find_model
from .attempt import Routes, first_byte, note_failure
from .job import Job
from .settle import Ending, settle, settle_failed

_MAX_ANSWER_BYTES: Final = 256 * 1024 * 1024
_UNIT_FIELDS: Final = {"seconds": "seconds", "characters": "characters", "images": "images", "tool_call": "tool_calls"}


class TaskResult(Struct, frozen=True):
    """An answer to send, and the call it belongs to."""

    answer: TaskAnswer
    job: Job


async def perform(runtime: Runtime, caller: Caller, task: Task, *, on_answer: Callable[[], None]) -> TaskResult:
    """The answer, settled. Raises a KitError when there is none; what was held is then released.

    Until `on_answer` is called the task may be cancelled, which releases the hold; behind it the answer is paid for.
    """
    offered = find_model(caller.storefront, caller.account, task.model)
    check_task_priced(task, offered.retail.price_list)
    job = await admit(runtime, caller, _wanted(task))
    try:
        answer = await _ask(runtime, job, task)
        on_answer()
        await settle(runtime, job, _ending(task, offered, answer))
    except BaseException as error:
        await settle_failed(runtime, job, error)
        raise
    return TaskResult(answer, job)


def _wanted(task: Task) -> Wanted:
    return Wanted(
        model=task.model,
        stream=False,
        choices=1,
        input_bound=task.input_bound,
        output_limit=task.output_bound,
        units=task.units,
    )


async def _ask(runtime: Runtime, job: Job, task: Task) -> TaskAnswer:
    routes = Routes(runtime, job, lambda config: _serves(config, task))
    if not routes.left:
        raise NotFound(f"The model {task.model!r} is not offered for {PATHS[task.api][1:]}.")
    headers = (("content-type", task.content_type), ("accept", task.accept))
    while (route := routes.take()) is not None:
        try:
            response = await routes.open(route, PATHS[task.api], task.encode(route.upstream_model), headers)
        except UpstreamFailed as error:
            note_failure(job, error)
            continue
        if response.status >= 300:
            await routes.refused(response, route)
            continue
        answer = await _read(job, task, response)
        if answer is not None:
            first_byte(job)
            return answer
    raise UpstreamFailed("every route failed")


async def _read(job: Job, task: Task, response: Response) -> TaskAnswer | None:
    try:
        body = await response.read(_MAX_ANSWER_BYTES)
        return task.read(body, response.headers.get(b"content-type", b"").decode("latin-1"))
    except UpstreamFailed as error:
        note_failure(job, error)
        return None
    finally:
        response.abort()


def _serves(config: UpstreamConfig, task: Task) -> bool:
    named = config.settings.get("api")
    return config.dialect == "openai" and (not named or task.api in named)


def _ending(task: Task, offered: OfferedModel, answer: TaskAnswer) -> Ending:
    reported = priced_part(answer.usage, offered.retail.price_list) if answer.usage is not None else Usage()
    estimated = not reported.quantities()
    usage = priced_part(task.known, offered.retail.price_list) if estimated else reported
    return Ending(status="ok", http_status=200, usage=_within(usage, task.units), estimated=estimated)


def _within(usage: Usage, units: Mapping[str, int]) -> Usage:
    """Units are believed up to what was held for them."""
    cut = {
        field: units.get(name, 0) for name, field in _UNIT_FIELDS.items() if getattr(usage, field) > units.get(name, 0)
    }
    return msgspec.structs.replace(usage, irregular=True, **cut) if cut else usage
