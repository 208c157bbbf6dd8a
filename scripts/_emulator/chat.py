"""OpenAI's chat completions: from a request to an answer."""

from __future__ import annotations

from scripts._emulator import answers, exchange, heads
from scripts._emulator.chat_request import count, decode, directives_of
from scripts._emulator.directives import classes
from scripts._emulator.exchange import Plan, Refused, Request, World
from scripts._emulator.journal import Line

_TOO_LONG = "This model's maximum context length is 400000 tokens. However, your messages resulted in 400001 tokens."


def handle(http: Request, path: str, line: Line, world: World) -> Plan:
    """The answer to a request of this dialect. Raises BadRequest, Refused."""
    if http.method != "POST":
        message = f"Not allowed to {http.method} on {path} (HINT: Perhaps you meant to use POST?)"
        raise Refused(405, message, "method_not_supported")
    request = decode(http.body)
    line.model, line.stream, line.max_tokens = request.model, bool(request.stream), request.limit
    line.include_usage = request.stream_options is not None and request.stream_options.include_usage
    exchange.check_model(world, request.model)
    directives = directives_of(request, world.options.always)
    fault = exchange.faulty(line, directives, _TOO_LONG, "context_length_exceeded")
    if fault is not None:
        return fault
    counts, choices = count(request, directives), request.n or 1
    line.served_model = answers.dated(request.model)
    line.true_usage = answers.usage_object(counts, choices)
    line.classes, line.reasoning_tokens = classes(counts, directives, choices), counts.reasoning * choices
    if world.options.timeline:
        line.timeline = []
    reported = None if directives.no_usage else answers.usage_object(counts, choices, directives)
    if not request.stream:
        body = answers.completion(request, directives, counts)
        return exchange.plain(line, body, directives, reported, counts.visible * choices)
    events = answers.events(request, directives, counts)

    def failure() -> bytes:
        return b"data: " + heads.error_body(500, directives.message, code=directives.code) + b"\n\n"

    return exchange.stream(line, events, directives, reported if line.include_usage else None, failure)
