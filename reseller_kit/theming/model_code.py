"""How one model is called: the same question in every dialect that it answers. Runs nothing itself."""

from __future__ import annotations

import json
import shlex

from msgspec import structs

from . import guides, snippets
from .page import ModelRow, Page
from .snippets import QUESTION, Snippet, key_variable


def of_model(page: Page, model: ModelRow) -> tuple[Snippet, ...]:
    """The code for what the model gives; nothing where its prices do not tell what that is."""
    if "text" in model.modalities:
        return _chat(structs.replace(page, models=(model,)))
    if model.price_of("images") or model.price_of("output_image"):
        return _image(page, model)
    if model.price_of("characters") or model.price_of("output_audio"):
        return (_speech(page, model),)
    if model.price_of("seconds") or model.price_of("input_audio"):
        return (_transcription(page, model),)
    return _embedding(page, model) if "embedding" in model.modalities else ()


def _chat(page: Page) -> tuple[Snippet, ...]:
    openai = {step.id: step for step in guides.GUIDES["openai-sdk"](page)}
    anthropic = {step.id: step for step in guides.GUIDES["anthropic-sdk"](page)}
    return (
        *snippets.calls(page),
        structs.replace(openai["responses"], title="Responses"),
        structs.replace(anthropic["python"], id="anthropic", title="Anthropic"),
        _gemini(page),
    )


def _gemini(page: Page) -> Snippet:
    address = f"{page.base_url.removesuffix('/v1')}/v1beta/models/{page.sample_model}:generateContent"
    body = {"contents": [{"role": "user", "parts": [{"text": QUESTION}]}]}
    code = (
        f"curl {shlex.quote(address)} \\\n"
        f'  -H "x-goog-api-key: ${key_variable(page)}" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(json.dumps(body, indent=2))}"
    )
    return Snippet("gemini", "Gemini", "shell", code)


def _embedding(page: Page, model: ModelRow) -> tuple[Snippet, ...]:
    call = f"""answer = client.embeddings.create(
    model={json.dumps(model.name)},
    input="{QUESTION}",
)
print(len(answer.data[0].embedding))"""
    return _curl(page, "/embeddings", {"model": model.name, "input": QUESTION}), _python(page, call)


def _image(page: Page, model: ModelRow) -> tuple[Snippet, ...]:
    wanted = "A lighthouse at dusk"
    call = f"""answer = client.images.generate(
    model={json.dumps(model.name)},
    prompt="{wanted}",
)
print(answer.data[0].url or answer.data[0].b64_json[:40])"""
    return _curl(page, "/images/generations", {"model": model.name, "prompt": wanted}), _python(page, call)


def _speech(page: Page, model: ModelRow) -> Snippet:
    body = {"model": model.name, "input": QUESTION, "voice": "alloy"}
    return _curl(page, "/audio/speech", body, "  -o speech.mp3")


def _transcription(page: Page, model: ModelRow) -> Snippet:
    code = (
        f"curl {shlex.quote(page.base_url + '/audio/transcriptions')} \\\n"
        f'  -H "Authorization: Bearer ${key_variable(page)}" \\\n'
        f"  -F {shlex.quote('model=' + model.name)} \\\n"
        "  -F file=@speech.mp3"
    )
    return Snippet("curl", "curl", "shell", code)


def _curl(page: Page, path: str, body: dict[str, str], *further: str) -> Snippet:
    lines = (
        f"curl {shlex.quote(page.base_url + path)}",
        f'  -H "Authorization: Bearer ${key_variable(page)}"',
        '  -H "Content-Type: application/json"',
        f"  -d {shlex.quote(json.dumps(body, indent=2))}",
        *further,
    )
    return Snippet("curl", "curl", "shell", " \\\n".join(lines))


def _python(page: Page, call: str) -> Snippet:
    code = f"""import os
from openai import OpenAI

client = OpenAI(
    base_url={json.dumps(page.base_url)},
    api_key=os.environ["{key_variable(page)}"],
)
{call}"""
    return Snippet("python", "Python", "python", code)
