"""A call that is no conversation, from hold to settle: embeddings, images, speech, transcripts and their like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from ...core.errors import NotFound, UpstreamFailed
from ...core.storefront import UpstreamConfig
from ...tokens import count_text
from ...upstream.response import Response
from ...wire.pseudonyms import body_apart
from ...wire.task import PATHS, Form, Prices, Task, TaskAnswer, check_offered, units_of
from ..runtime import Runtime
from .admit import Caller, Wanted, admit, find_model
from .attempt import Routes, first_byte, note_failure
from .job import Job
from .passage import exhausted
from .settle import Ending, settle, settle_failed

_JSON: Final = "application/json"
_MAX_ANSWER_BYTES: Final = 128 * 1024 * 1024


class TaskResult(Struct, frozen=True):
    """An answer to send, and the call it belongs to."""

    body: bytes
    content_type: str
    job: Job


async def perform(runtime: Runtime, caller: Caller, task: Task, *, on_answer: Callable[[], None]) -> TaskResult:
    """The answer, settled. Raises a KitError when there is none; what was held is then released.

    Until `on_answer` is called the task may be cancelled, which releases the hold; behind it the answer is paid for.
    """
    prices = find_model(caller.storefront, caller.account, task.model).retail.price_list.prices
    check_offered(task, prices)
    job = await admit(runtime, caller, _wanted(task, prices))
    try:
        answer = await _ask(runtime, job, task, prices)
        on_answer()
        usage = await settle(runtime, job, _ending(job, task, answer, prices))
    except BaseException as error:
        await settle_failed(runtime, job, error)
        raise
    return TaskResult(answer.body(usage), answer.content_type, job)


def _wanted(task: Task, prices: Prices) -> Wanted:
    return Wanted(
        model=task.model,
        stream=False,
        choices=task.n,
        input_bound=task.input_bound,
        inputs=task.inputs,
        output_limit=task.output_bound,
        units=units_of(task, prices),
    )


async def _ask(runtime: Runtime, job: Job, task: Task, prices: Prices) -> TaskAnswer:
    routes = Routes(runtime, job, lambda config: _serves(config, task))
    if not routes.left:
        raise NotFound(f"The model {task.model!r} is not offered for {PATHS[task.api][1:]}.")
    headers = (("content-type", task.content_type), ("accept", task.accept))
    while (route := routes.take()) is not None:
        try:
            form = _form(routes.config(route), task)
            body = _body(job, task, form.encode(route.upstream_model))
            response = await routes.open(route, form.path(route.upstream_model), body, headers)
        except UpstreamFailed as error:
            note_failure(job, error)
            continue
        if response.status >= 300:
            await routes.refused(response, route)
            continue
        answer = await _read(job, task, form, response, prices)
        if answer is not None:
            first_byte(job)
            return answer
    raise exhausted(job)


def _body(job: Job, task: Task, body: bytes) -> bytes:
    return body_apart(body, job.account.customer_id) if task.content_type == _JSON else body


async def _read(job: Job, task: Task, form: Form, response: Response, prices: Prices) -> TaskAnswer | None:
    try:
        body = await response.read(_MAX_ANSWER_BYTES)
        content_type = response.headers.get(b"content-type", b"").decode("latin-1")
        return task.read(form.restore(body), content_type, prices, job.request_id)
    except UpstreamFailed as error:
        note_failure(job, error)
        return None
    finally:
        response.abort()


def _serves(config: UpstreamConfig, task: Task) -> bool:
    named = config.settings.get("api")
    speaks = config.dialect == "openai" or (config.dialect == "gemini" and task.gemini is not None)
    return speaks and (not named or task.api in named)


def _form(config: UpstreamConfig, task: Task) -> Form:
    """How an upstream is asked."""
    if config.dialect == "gemini" and task.gemini is not None:
        return task.gemini
    return Form(path=lambda _model: PATHS[task.api], encode=task.encode, restore=lambda body: body)


def _ending(job: Job, task: Task, answer: TaskAnswer, prices: Prices) -> Ending:
    if answer.usage is not None:
        return Ending(status="ok", http_status=200, usage=answer.usage)
    usage = task.estimate(prices, lambda text: count_text(job.offered.model, text))
    return Ending(status="ok", http_status=200, usage=usage, estimated=True)
