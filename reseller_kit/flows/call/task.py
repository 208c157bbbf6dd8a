"""A call that is no conversation, from hold to settle: embeddings, images, speech, transcripts and their like."""

from __future__ import annotations

import asyncio
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from ...core.catalog import USAGE_CLASSES, OfferedModel, price_of
from ...core.errors import NotFound, UpstreamFailed
from ...core.storefront import UpstreamConfig
from ...core.usage import Usage, figures_in, without_output
from ...tokens import count_text
from ...upstream.response import Response
from ...wire.media_usage import counted_by
from ...wire.pseudonyms import body_apart, body_named
from ...wire.task import PATHS, Form, Prices, Task, TaskAnswer, check_offered, units_of
from ..end_users import pseudonym_of
from ..runtime import Runtime
from .admit import admit, prepared_for
from .candidates import Suits, candidates
from .job import Caller, Job, Wanted
from .routes import Attempt, Routes
from .settle import LEFT, Ending, settle, settle_failed, settle_left
from .standby import Standby

_JSON: Final = "application/json"
_OF_A_USER: Final = frozenset({"embeddings", "images"})
"""Tasks whose requests have a member for their user."""
_MAX_ANSWER_BYTES: Final = 128 * 1024 * 1024


class TaskResult(Struct, frozen=True):
    """An answer to send, and the call it belongs to."""

    body: bytes
    content_type: str
    job: Job


async def perform(runtime: Runtime, caller: Caller, task: Task, standby: Standby) -> TaskResult:
    """The answer, settled. Raises a KitError when there is none; what was held is then released.

    While `standby` may cancel the task, that ends the request upstream. Where the client left, what the request itself
    says is charged.
    """
    prepared = prepared_for(runtime, caller, task.model)
    prices = prepared.offered.retail.price_list.prices
    check_offered(task, prices)
    job = await admit(runtime, caller, prepared, _wanted(task, prices))
    try:
        standby.held()
        answer = await _ask(runtime, job, task)
        standby.answered()
        usage = await settle(runtime, job, _ending(job, task, answer))
    except asyncio.CancelledError as error:
        await settle_left(runtime, job, lambda: _left(job, task), error)
        raise
    except BaseException as error:
        await settle_failed(runtime, job, error)
        raise
    return TaskResult(answer.body(usage), answer.content_type, job)


def _wanted(task: Task, prices: Prices) -> Wanted:
    return Wanted(
        stream=False,
        choices=task.n,
        input_bound=task.input_bound,
        inputs=task.inputs,
        output_limit=task.output_bound,
        units=units_of(task, prices),
    )


async def _ask(runtime: Runtime, job: Job, task: Task) -> TaskAnswer:
    suits = Suits(lambda config: _serves(config, task), lambda model: _counts_alike(model, job.offered, task))
    routes = Routes(runtime, job, candidates(runtime, job, suits))
    if routes.none:
        raise NotFound(f"The model {task.model!r} is not offered for {PATHS[task.api][1:]}.")
    headers = (("content-type", task.content_type), ("accept", task.accept))
    while (attempt := await routes.take()) is not None:
        model = attempt.candidate.route.upstream_model
        try:
            form = _form(attempt.candidate.config, task)
            body = _body(runtime, job, task, attempt.candidate.config, form.encode(model))
            response = await routes.open(attempt, form.path(model), body, headers)
        except UpstreamFailed:
            continue
        if response.status >= 300:
            await routes.refused(attempt, response)
            continue
        answer = await _read(job, task, form, response, attempt)
        if answer is not None:
            return answer
    raise routes.exhausted()


def _body(runtime: Runtime, job: Job, task: Task, config: UpstreamConfig, body: bytes) -> bytes:
    """What is sent, with its user's name kept apart by customer."""
    if task.content_type != _JSON:
        return body
    who = pseudonym_of(runtime.vault.pepper, job.caller.storefront.tenant_id, job.caller.account.customer_id)
    sent = body_apart(body, who)
    hears = config.settings.get("end_user_ids") and config.dialect == "openai" and task.api in _OF_A_USER
    return body_named(sent, who) if hears else sent


async def _read(job: Job, task: Task, form: Form, response: Response, attempt: Attempt) -> TaskAnswer | None:
    try:
        body = await response.read(_MAX_ANSWER_BYTES)
        content_type = response.headers.get(b"content-type", b"").decode("latin-1")
        answer = task.read(form.restore(body), content_type, _prices_of(job), job.caller.request_id)
    except UpstreamFailed as error:
        attempt.failed(error)
        return None
    else:
        attempt.content()
        attempt.succeeded()
        return answer
    finally:
        attempt.close()
        response.abort()


def _prices_of(job: Job) -> Prices:
    """Those of the model that is asked."""
    return job.served.retail.price_list.prices


def _counts_alike(model: OfferedModel, asked: OfferedModel, task: Task) -> bool:
    """Whether a model's calls are counted in the units that another one's are, so that both prices fit either."""
    prices, others = model.retail.price_list.prices, asked.retail.price_list.prices
    alike = all((price_of(prices, name) is None) == (price_of(others, name) is None) for name in USAGE_CLASSES)
    return alike and counted_by(task.api, prices).offered


def _serves(config: UpstreamConfig, task: Task) -> bool:
    named = config.settings.get("api")
    speaks = config.dialect == "openai" or (config.dialect == "gemini" and task.gemini is not None)
    return speaks and (not named or task.api in named)


def _form(config: UpstreamConfig, task: Task) -> Form:
    """How an upstream is asked."""
    if config.dialect == "gemini" and task.gemini is not None:
        return task.gemini
    return Form(path=lambda _model: PATHS[task.api], encode=task.encode, restore=lambda body: body)


def _ending(job: Job, task: Task, answer: TaskAnswer) -> Ending:
    reported = figures_in(answer.usage)
    if reported is not None:
        return Ending(status="ok", http_status=200, usage=reported)
    usage = _estimated(job, task)
    if answer.usage is not None:
        usage = replace(usage, irregular=True)
    return Ending(status="ok", http_status=200, usage=usage, estimated=True)


def _left(job: Job, task: Task) -> Ending:
    """Of a task whose client left while its upstream was at work: what was asked for, without tokens of an answer."""
    return Ending(status="cut", http_status=LEFT, usage=without_output(_estimated(job, task)), estimated=True)


def _estimated(job: Job, task: Task) -> Usage:
    return task.estimate(_prices_of(job), lambda text: count_text(job.served.model, text))
