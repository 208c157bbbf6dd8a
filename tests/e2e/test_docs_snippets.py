"""What the quickstart and the SDKs' guides show, run as it stands by somebody with a key."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts._lib import bootstrap
from tests.support.product import Customer, Shop
from tests.support.snippets import snippets


def environment(blocks: dict[str, str], customer: Customer) -> dict[str, str]:
    """The environment after the page's first step, with a real key."""
    name, _, value = blocks["key"].strip().removeprefix("export ").partition("=")
    assert value == '"sol_your_key"'
    return {**os.environ, name: customer.key, "NO_PROXY": "*", "no_proxy": "*"}


def run(command: list[str], text: str, environment: dict[str, str], folder: Path) -> str:
    done = subprocess.run(
        command, input=text, env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("slug", ["lunaris", "solaria"])
def test_the_snippets_name_the_storefronts_own_address(any_shop: Shop, slug: str) -> None:
    customer = any_shop.customer(slug, credit=None)
    host = {"lunaris": "127.0.0.3", "solaria": "api.solaria.localhost"}[slug]
    blocks = snippets(any_shop, customer)
    for language in ("curl", "python", "node"):
        assert f"http://{host}:{any_shop.server.port}/v1" in blocks[language]
        assert f"{slug.upper()}_API_KEY" in blocks[language]


def test_the_python_snippet_runs_as_it_stands(any_shop: Shop, tmp_path: Path) -> None:
    # The other storefront's API host is a name below localhost, which Python does not resolve on every machine.
    customer = any_shop.customer("lunaris")
    blocks = snippets(any_shop, customer)
    printed = run([sys.executable, "-"], blocks["python"], environment(blocks, customer), tmp_path)
    assert printed.startswith("the quick brown fox")
    (record,) = any_shop.records(customer)
    assert (record["status"], record["stream"]) == ("ok", True)


@pytest.mark.parametrize(
    ("guide", "block"), [("openai-sdk", "python"), ("openai-sdk", "responses"), ("anthropic-sdk", "python")]
)
def test_the_sdks_snippets_run_as_they_stand(any_shop: Shop, guide: str, block: str, tmp_path: Path) -> None:
    customer = any_shop.customer("lunaris")
    blocks = snippets(any_shop, customer, guide)
    printed = run([sys.executable, "-"], blocks[block], environment(blocks, customer), tmp_path)
    assert printed.startswith("the quick brown fox")
    (record,) = any_shop.records(customer)
    assert (record["status"], record["stream"]) == ("ok", block != "responses")


@pytest.mark.parametrize("slug", ["lunaris", "solaria"])
def test_the_curl_snippet_runs_as_it_stands(any_shop: Shop, slug: str, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        bootstrap.install_debian("curl")
    customer = any_shop.customer(slug)
    blocks = snippets(any_shop, customer)
    printed = run(["sh", "-s"], blocks["curl"], environment(blocks, customer), tmp_path)
    assert '"object":"chat.completion"' in printed
    (record,) = any_shop.records(customer)
    assert (record["status"], record["stream"]) == ("ok", False)


@pytest.mark.parametrize(
    ("block", "shown"),
    [
        ("models", '"object":"list"'),
        ("chat", '"object":"chat.completion"'),
        ("stream", "data: [DONE]"),
        ("credits", "5.00"),
    ],
)
def test_the_curl_guide_runs_as_it_stands(any_shop: Shop, block: str, shown: str, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        bootstrap.install_debian("curl")
    customer = any_shop.customer("lunaris")
    blocks = snippets(any_shop, customer, "curl")
    assert shown in run(["sh", "-s"], blocks[block], environment(blocks, customer), tmp_path)


@pytest.mark.node
@pytest.mark.parametrize("guide", ["langchain", "vercel-ai-sdk"])
def test_what_guides_show_for_node_is_a_module(any_shop: Shop, guide: str, tmp_path: Path) -> None:
    module = tmp_path / "snippet.mjs"
    module.write_text(snippets(any_shop, any_shop.customer("lunaris", credit=None), guide)["node"])
    run(["node", "--check", str(module)], "", dict(os.environ), tmp_path)


@pytest.mark.node
def test_the_node_snippet_is_sound(any_shop: Shop, tmp_path: Path) -> None:
    customer = any_shop.customer("lunaris")
    blocks = snippets(any_shop, customer)
    # The package itself is not installed here: a stand-in does what the snippet asks of it, over the real API.
    package = tmp_path / "node_modules" / "openai"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"name": "openai", "type": "module", "main": "index.js"}')
    (package / "index.js").write_text(STAND_IN)
    program = tmp_path / "snippet.mjs"
    program.write_text(blocks["node"])
    printed = run(["node", str(program)], "", environment(blocks, customer), tmp_path)
    assert printed.startswith("the quick brown fox")
    (record,) = any_shop.records(customer)
    assert (record["status"], record["stream"]) == ("ok", True)


STAND_IN = """
export default class OpenAI {
  constructor({ baseURL, apiKey }) {
    const create = async (body) => {
      const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
      const options = { method: "POST", headers, body: JSON.stringify(body) };
      const answer = await fetch(`${baseURL}/chat/completions`, options);
      if (!answer.ok) throw new Error(await answer.text());
      const lines = (await answer.text()).split("\\n").filter((line) => line.startsWith("data: {"));
      return (async function* () {
        for (const line of lines) yield JSON.parse(line.slice(6));
      })();
    };
    this.chat = { completions: { create } };
  }
}
"""
