"""Code that a customer pastes and runs: the storefront's own address, model and key variable. Runs nothing itself."""

from __future__ import annotations

import json
import shlex

from msgspec import Struct, structs

from .page import Page

QUESTION = "Why is the sea salty?"


class Snippet(Struct, frozen=True):
    """A piece of code. `id` names it in the page, `language` is what `highlight` knows."""

    id: str
    title: str
    language: str
    code: str


def key_variable(page: Page) -> str:
    """The environment variable that the snippets read the key from."""
    return page.brand.slug.upper().replace("-", "_") + "_API_KEY"


def export_key(page: Page) -> Snippet:
    """Puts the key into the environment."""
    code = f'export {key_variable(page)}="{page.brand.key_prefix}_your_key"'
    return Snippet("key", "Terminal", "shell", code)


def filled(snippet: Snippet, page: Page, key: str) -> Snippet:
    """The same code with a key in the place where its reader would put one."""
    return structs.replace(snippet, code=snippet.code.replace(f"{page.brand.key_prefix}_your_key", key))


def curl(page: Page) -> Snippet:
    """One plain call with curl."""
    message = json.dumps({"role": "user", "content": QUESTION})
    body = f'{{\n    "model": {json.dumps(page.sample_model)},\n    "messages": [\n      {message}\n    ]\n  }}'
    code = (
        f"curl {shlex.quote(page.base_url + '/chat/completions')} \\\n"
        f'  -H "Authorization: Bearer ${key_variable(page)}" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(body)}"
    )
    return Snippet("curl", "curl", "shell", code)


def python(page: Page) -> Snippet:
    """One streamed call with the openai package for Python."""
    code = f"""import os
from openai import OpenAI

client = OpenAI(
    base_url={json.dumps(page.base_url)},
    api_key=os.environ["{key_variable(page)}"],
)
stream = client.chat.completions.create(
    model={json.dumps(page.sample_model)},
    messages=[{{"role": "user", "content": "{QUESTION}"}}],
    stream=True,
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)"""
    return Snippet("python", "Python", "python", code)


def node(page: Page) -> Snippet:
    """One streamed call with the openai package for Node."""
    code = f"""import OpenAI from "openai";

const client = new OpenAI({{
  baseURL: {json.dumps(page.base_url)},
  apiKey: process.env.{key_variable(page)},
}});
const stream = await client.chat.completions.create({{
  model: {json.dumps(page.sample_model)},
  messages: [{{ role: "user", content: "{QUESTION}" }}],
  stream: true,
}});
for await (const chunk of stream) {{
  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
}}"""
    return Snippet("node", "Node", "javascript", code)


def calls(page: Page) -> tuple[Snippet, ...]:
    """The same call in every language shown."""
    return curl(page), python(page), node(page)
