"""Every client as a row of the end-to-end tests, with the model that its dialect's own upstream serves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.support.clients.agents import agents
from tests.support.clients.node_sdks import node_sdks
from tests.support.clients.outcome import Action, Client
from tests.support.clients.python_sdks import python_sdks

MODELS: Final = {
    "chat": "gpt-5-mini",
    "responses": "gpt-5-mini",
    "anthropic": "claude-sonnet-4-6",
    "gemini": "gemini-2.5-flash",
}
BEHIND: Final = {"chat": "via-chat", "responses": "via-responses", "anthropic": "via-messages", "gemini": "via-gemini"}
"""Models whose upstream speaks nothing but one dialect."""
KNOWN_NAMES: Final = {"claude-code": "claude-opus-4-8", "codex": "gpt-6.1-sol", "gemini-cli": "gemini-3.1-pro-preview"}
"""Models for which an agent sends more than for any, served by an upstream of another dialect."""
AGENT_ACTIONS: Final[tuple[Action, ...]] = ("echo", "tool")
SDK_ACTIONS: Final[tuple[Action, ...]] = ("echo", "stream", "tool")


def every_client() -> list[Client]:
    """All that this repository knows to drive."""
    return [*python_sdks(), *node_sdks(), *agents()]


def clients() -> list[Any]:
    """Each client as a parameter of a test."""
    return [pytest.param(client, marks=_marks(client), id=_id(client)) for client in every_client()]


def actions() -> list[Any]:
    """Each client with each action that it has; agents always stream."""
    return [
        pytest.param(client, action, marks=_marks(client), id=f"{_id(client)}-{action}") for client, action in _pairs()
    ]


def translations() -> list[Any]:
    """Each client with each action and the dialect of another upstream.

    Python's SDKs do all of it. A program for Node and an agent, which take a process each, make the round trip, which
    streams twice, over one other dialect, by turns over each; what else they do is for the long run.
    """
    return [
        pytest.param(
            client,
            action,
            behind,
            marks=_marks(client, long=action != "tool" or behind != _turn(client)),
            id=f"{_id(client)}-{action}-over-{behind}",
        )
        for client, action in _pairs()
        for behind in _others(client)
    ]


def known_names() -> list[Any]:
    """Each agent with an action and the model of another dialect whose name it knows.

    Codex runs the tools of such a model in a language of its own, so it only talks.
    """
    return [
        pytest.param(
            client,
            "echo" if client.name == "codex" else "tool",
            KNOWN_NAMES[client.name],
            marks=_marks(client),
            id=client.name,
        )
        for client in agents()
    ]


def _pairs() -> Iterator[tuple[Client, Action]]:
    for client in every_client():
        for action in AGENT_ACTIONS if client.agent else SDK_ACTIONS:
            yield client, action


def _others(client: Client) -> list[str]:
    return [behind for behind in BEHIND if behind != client.dialect]


def _turn(client: Client) -> str:
    """The one dialect of another upstream that this client meets in every run."""
    names = [each.name for each in every_client()]
    others = _others(client)
    return others[names.index(client.name) % len(others)]


def _id(client: Client) -> str:
    return client.name.replace(" ", "-")


def _marks(client: Client, *, long: bool = False) -> list[pytest.MarkDecorator]:
    """`long`: where it takes a process, only the long run has it."""
    marks = [pytest.mark.node] if client.node else []
    return [*marks, pytest.mark.slow] if client.node and long else marks
