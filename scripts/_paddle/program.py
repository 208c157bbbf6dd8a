"""Runs the double until it is told to end. Reads no command line; scripts/paddle does."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from scripts._paddle.application import Application
from scripts._paddle.http import Connection
from scripts._paddle.world import Options, World


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; the exit code."""
    return asyncio.run(_serve(arguments))


async def _serve(arguments: argparse.Namespace) -> int:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    options = Options(arguments.retry_seconds, arguments.retries, arguments.rate_limit)
    applications: list[Application] = []
    try:
        server = await loop.create_server(
            lambda: Connection(applications[0].respond), arguments.host, arguments.port, start_serving=False
        )
    except OSError as error:
        sys.exit(f"paddle: {arguments.host}:{arguments.port}: {error.strerror}")
    port = server.sockets[0].getsockname()[1]
    world = World(f"http://{arguments.host}:{port}", options)
    for key, secret, url in _accounts(arguments):
        account = world.open_account(key, [secret] if secret else [], url or None)
        account.success_url = arguments.success_url
    applications.append(Application(world))
    await server.start_serving()
    print(port if arguments.print_port else f"paddle: a test double, no money moves here: {world.root}", flush=True)
    await ended.wait()
    server.close()
    await world.courier.close()
    return 0


def _accounts(arguments: argparse.Namespace) -> list[tuple[str, str, str]]:
    own = [(arguments.api_key, arguments.secret, arguments.webhook_url)] if arguments.api_key else []
    return [*own, *(tuple(one) for one in arguments.account)]
