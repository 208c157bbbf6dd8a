"""Runs the emulator until it is told to end. Reads no command line; scripts/emulator does."""

from __future__ import annotations

import argparse
import asyncio
import functools
import signal
import sys
from collections.abc import Callable

import uvloop

from scripts._emulator import directives
from scripts._emulator.exchange import Options, World
from scripts._emulator.journal import Journal
from scripts._emulator.load import LoadConnection, chat_answers, load_answers
from scripts._emulator.server import Emulator


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; the exit code."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(arguments))


async def _serve(arguments: argparse.Namespace) -> int:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    try:
        journal = Journal(arguments.journal)
        server = await loop.create_server(_factory(arguments, journal), arguments.host, arguments.port, backlog=1024)
    except directives.BadRequest as error:
        sys.exit(f"emulator: --always or --for-key: {error}")
    except OSError as error:
        sys.exit(f"emulator: {error.filename or f'{arguments.host}:{arguments.port}'}: {error.strerror}")
    port = server.sockets[0].getsockname()[1]
    print(port if arguments.print_port else f"emulator: http://{arguments.host}:{port}/v1", flush=True)
    await ended.wait()
    server.close()
    journal.flush()
    return 0


def _factory(arguments: argparse.Namespace, journal: Journal) -> Callable[[], asyncio.Protocol]:
    if arguments.load:
        return functools.partial(LoadConnection, chat_answers(arguments.burst), load_answers(arguments.burst))
    options = Options(
        name=arguments.name,
        models=tuple(arguments.model),
        api_keys=frozenset(arguments.api_key),
        always=directives.parse(arguments.always, directives.Directives()),
        by_key={
            key: directives.parse(told, directives.Directives())
            for key, _, told in (option.partition("=") for option in arguments.for_key)
        },
        timeline=arguments.timeline,
        keep_bytes=arguments.keep_bodies,
    )
    return functools.partial(Emulator, World(options, journal))
