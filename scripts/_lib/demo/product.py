"""Drives the product the way its users do: the operator's command line and the official openai SDK."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scripts._lib.bootstrap import ROOT, VENV
from scripts._lib.commands import run_here
from scripts._lib.demo.example import Storefront

PROGRAM: Final = VENV / "bin" / "reseller-kit"
CREDIT: Final = "25.00"
DEPOSIT: Final = "100.00"
# The directive makes the emulator report a cached part, which has a price of its own.
QUESTION: Final = "Explain in two sentences what a white-label storefront is. " * 12 + "[[cached=96 output=42]]"


class CommandFailed(RuntimeError):
    """A command of the product ended with a failure; the text holds its output."""


@dataclass(frozen=True)
class Operator:
    """The command line with the environment of one demo."""

    environment: Mapping[str, str]
    program: Sequence[str | Path] = ()
    """Another installation's; none is this one, in this process."""

    def run(self, *arguments: str) -> Any:
        """Run a command with --json; the document that it printed. Raises CommandFailed."""
        code, out, err = self._run([*arguments, "--json"])
        if code:
            raise CommandFailed(f"reseller-kit {' '.join(arguments)} ended with {code}:\n{out}{err}")
        return json.loads(out)

    def _run(self, arguments: Sequence[str]) -> tuple[int, str, str]:
        if not self.program:
            return run_here(arguments, self.environment)
        done = subprocess.run(
            [*self.program, *arguments],
            cwd=ROOT,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        return done.returncode, done.stdout, done.stderr


@dataclass(frozen=True)
class Customer:
    """A customer of one storefront, with a key."""

    storefront: Storefront
    email: str
    key: str


@dataclass(frozen=True)
class Call:
    """One API call as the customer saw it. `usage` is the answer's own."""

    customer: Customer
    model: str
    stream: bool
    text: str
    usage: Mapping[str, Any]


def environment_for(data_dir: Path, secrets: list[str]) -> dict[str, str]:
    """The operator's environment: the demo's own data, no setting of the caller, made-up secrets where none is set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RESELLER_KIT_")}
    made_up = {name: f"emulator-{name.lower().replace('_', '-')}" for name in secrets if name not in kept}
    return {
        **kept,
        **made_up,
        "RESELLER_KIT_DATA_DIR": str(data_dir),
        "RESELLER_KIT_LOG": "console",
    }


def make_customer(operator: Operator, storefront: Storefront) -> Customer:
    """A customer with credit and a key, on a storefront whose wholesale balance can pay for its calls."""
    slug = storefront.slug
    email = f"ada@{slug}.example"
    operator.run("wholesale", "deposit", "--tenant", slug, "--amount", DEPOSIT, "--reason", "demo deposit")
    operator.run("customer", "create", "--tenant", slug, "--email", email, "--name", "Ada")
    owner = ("--tenant", slug, "--customer", email)
    operator.run("credit", "grant", *owner, "--amount", CREDIT, "--reason", "demo credit")
    key = operator.run("key", "create", *owner, "--name", "demo")
    return Customer(storefront, email, key["key"])


def make_calls(customer: Customer, port: int) -> list[Call]:
    """One plain and one streamed call with the openai SDK."""
    from openai import OpenAI  # noqa: PLC0415  # scripts/demo reads this module before the SDK is installed

    store = customer.storefront
    with OpenAI(base_url=f"http://{store.address}:{port}/v1", api_key=customer.key, max_retries=0) as client:
        return [
            _plain(client, customer, store.plain_model),
            _streamed(client, customer, store.streamed_model),
        ]


def _plain(client: Any, customer: Customer, model: str) -> Call:
    answer = client.chat.completions.create(model=model, messages=_messages(), max_tokens=64)
    return Call(customer, model, stream=False, text=answer.choices[0].message.content, usage=answer.usage.model_dump())


def _streamed(client: Any, customer: Customer, model: str) -> Call:
    text, usage = "", None
    options = {"include_usage": True}
    chunks = client.chat.completions.create(
        model=model, messages=_messages(), max_tokens=64, stream=True, stream_options=options
    )
    for chunk in chunks:
        for choice in chunk.choices:
            text += choice.delta.content or ""
        usage = chunk.usage or usage
    if usage is None:
        raise CommandFailed(f"the stream of {model} on {customer.storefront.name} ended without its usage")
    return Call(customer, model, stream=True, text=text, usage=usage.model_dump())


def _messages() -> list[dict[str, str]]:
    return [{"role": "user", "content": QUESTION}]
