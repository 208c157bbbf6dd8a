"""OpenAI's APIs for images and sound: generation, speech and transcription."""

from __future__ import annotations

import base64
import io
import struct
import time
import wave
import zlib
from collections.abc import Callable
from typing import Any, Final

import msgspec

from scripts._emulator import exchange, fields, heads, multipart
from scripts._emulator.directives import BadRequest, Directives, directives_in
from scripts._emulator.exchange import Plan, Refused, Request, World
from scripts._emulator.journal import Line
from scripts._emulator.text import words
from scripts._emulator.texts import begin, finish

IMAGE_TOKENS: Final = {"low": 272, "medium": 1056, "high": 4160}  # of 1024x1024
MOST_CHARACTERS: Final = 4096
AUDIO_TOKENS_PER_SECOND: Final = 10
_SIZES: Final = ("auto", "1024x1024", "1024x1536", "1536x1024", "256x256", "512x512", "1792x1024", "1024x1792")
_SOUNDS: Final = {
    "mp3": "audio/mpeg",
    "opus": "audio/opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
_FORMATS: Final = ("json", "text", "srt", "verbose_json", "vtt", "diarized_json")
_JSON: Final = msgspec.json.Encoder()


def images(http: Request, path: str, line: Line, world: World) -> Plan:
    """POST /v1/images/generations: pixels in base64; usage by text and image tokens, as of the gpt-image models."""
    request = begin(http, path, line, world)
    prompt = fields.string(request.get("prompt"), "prompt")
    number = fields.whole(request.get("n"), "n", 1) or 1
    size, quality = request.get("size") or "auto", str(request.get("quality") or "auto")
    if size not in _SIZES:
        raise BadRequest(f"Invalid value: '{size}'. Supported values are: {', '.join(_SIZES)}.", "size")
    if number > 10:
        raise BadRequest("Invalid 'n': integer above maximum value. Expected a value <= 10.", "n")
    directives = directives_in(prompt, world.options.always)
    fault = exchange.faulty(line, directives)
    if fault is not None:
        return fault
    text = len(prompt.split()) if directives.input is None else directives.input
    per_image = IMAGE_TOKENS.get(quality, IMAGE_TOKENS["medium"]) if directives.output is None else directives.output
    output = per_image * number
    usage = _image_usage(text, directives.input_image, output)
    found: dict[str, int | float] = {"input": text, "input_image": directives.input_image, "output_image": output}
    if line.model.startswith("dall-e"):
        found = {"images": number}
    finish(line, directives, None if line.model.startswith("dall-e") else usage, found)
    picture = base64.b64encode(_png()).decode()
    body: dict[str, Any] = {
        "created": int(time.time()),
        "data": [{"b64_json": picture} for _ in range(number)],
        "background": request.get("background") or "opaque",
        "output_format": request.get("output_format") or "png",
        "quality": quality if quality in IMAGE_TOKENS else "medium",
        "size": "1024x1024" if size == "auto" else size,
    }
    if line.usage is not None:
        body["usage"] = usage
    if fields.flag(request.get("stream"), "stream"):
        return _streamed_image(line, body, picture, directives)
    return exchange.plain(line, _JSON.encode(body), directives, line.usage, 0)


def speech(http: Request, path: str, line: Line, world: World) -> Plan:
    """POST /v1/audio/speech: bytes of sound; nothing is reported, the characters of the input count."""
    request = begin(http, path, line, world)
    text = fields.string(request.get("input"), "input")
    if not text or len(text) > MOST_CHARACTERS:
        raise BadRequest(f"Invalid 'input': a text of 1 to {MOST_CHARACTERS} characters expected.", "input")
    if not request.get("voice"):
        raise BadRequest("[{'type': 'missing', 'loc': ('body', 'voice'), 'msg': 'Field required'}]", "voice")
    wanted = request.get("response_format") or "mp3"
    if wanted not in _SOUNDS:
        raise BadRequest(f"'{wanted}' is not one of {list(_SOUNDS)} - 'response_format'", "response_format")
    directives = directives_in(text, world.options.always)
    fault = exchange.faulty(line, directives)
    if fault is not None:
        return fault
    spoken = len(text.split())
    usage = {"input_tokens": spoken, "output_tokens": spoken * 10, "total_tokens": spoken * 11}
    line.stream = request.get("stream_format") == "sse"
    finish(line, directives, usage if line.stream else None, {"characters": len(text)})
    sound = _wav(spoken / 2) if wanted == "wav" else b"\xff\xf3\x44\xc4" + text.encode() * 4
    if not line.stream:
        return _binary(line, sound, _SOUNDS[wanted], directives)
    pieces = [base64.b64encode(sound[n : n + 48]).decode() for n in range(0, len(sound), 48)]
    events = [_event({"type": "speech.audio.delta", "audio": piece}, 1) for piece in pieces]
    events.append(_event({"type": "speech.audio.done", "usage": usage}, 0))
    return exchange.stream(line, events, directives, line.usage, _failure(directives))


def transcriptions(http: Request, path: str, line: Line, world: World) -> Plan:
    """POST /v1/audio/transcriptions: whisper reports seconds, the other models tokens. The prompt holds directives."""
    if http.method != "POST":
        raise Refused(405, f"Not allowed to {http.method} on {path}", "method_not_supported")
    form = multipart.decode(http.headers.get("content-type", ""), http.body)
    line.model = multipart.text(form, "model") or ""
    exchange.check_model(world, line.model)
    if not form.get("file", [b""])[0]:
        raise BadRequest("Invalid file format. Supported formats: ['flac', 'm4a', 'mp3', 'mp4', 'ogg', 'wav']", "file")
    wanted = multipart.text(form, "response_format") or "json"
    by_seconds = line.model.startswith("whisper")
    if wanted not in _FORMATS or (wanted == "verbose_json" and not by_seconds):
        message = f"response_format '{wanted}' is not compatible with model '{line.model}'. Use 'json' instead."
        raise Refused(400, message, "unsupported_value", "response_format")
    directives = directives_in(multipart.text(form, "prompt") or "", world.options.always)
    fault = exchange.faulty(line, directives)
    if fault is not None:
        return fault
    seconds = _seconds(form["file"][0]) if directives.seconds is None else directives.seconds
    heard = words(directives.text, 1_000_000 if directives.text is not None else directives.output or 16)
    usage, classes = _heard_usage(by_seconds, seconds, len(heard), directives)
    finish(line, directives, usage, classes)
    line.stream = multipart.text(form, "stream") == "true" and not by_seconds
    if line.stream:
        events = [_event({"type": "transcript.text.delta", "delta": word}, 1) for word in heard]
        events.append(_event({"type": "transcript.text.done", "text": "".join(heard), "usage": usage}, 0))
        return exchange.stream(line, events, directives, line.usage, _failure(directives))
    return _transcript(line, "".join(heard), wanted, seconds, directives)


def _transcript(line: Line, text: str, wanted: str, seconds: float, directives: Directives) -> Plan:
    if wanted not in ("json", "verbose_json", "diarized_json"):
        line.usage = None
        return _binary(line, text.encode() + b"\n", "text/plain; charset=utf-8", directives)
    body: dict[str, Any] = {"text": text}
    if wanted == "verbose_json":
        segment = {"id": 0, "seek": 0, "start": 0.0, "end": seconds, "text": text, "tokens": [1], "temperature": 0.0}
        segment |= {"avg_logprob": -0.1, "compression_ratio": 1.0, "no_speech_prob": 0.01}
        body |= {"task": "transcribe", "language": "english", "duration": seconds, "segments": [segment]}
    if line.usage is not None:
        body["usage"] = line.usage
    return exchange.plain(line, _JSON.encode(body), directives, line.usage, len(text.split()))


def _heard_usage(
    by_seconds: bool,  # noqa: FBT001  # of the two ways in which the service counts
    seconds: float,
    output: int,
    directives: Directives,
) -> tuple[dict[str, Any], dict[str, int | float]]:
    if by_seconds:
        return {"type": "duration", "seconds": seconds}, {"seconds": seconds}
    text = directives.input or 0
    audio = directives.input_audio or int(seconds * AUDIO_TOKENS_PER_SECOND)
    usage = {
        "type": "tokens",
        "input_tokens": text + audio,
        "input_token_details": {"text_tokens": text, "audio_tokens": audio},
        "output_tokens": output,
        "total_tokens": text + audio + output,
    }
    return usage, {"input": text, "input_audio": audio, "output": output}


def _image_usage(text: int, image: int, output: int) -> dict[str, Any]:
    return {
        "input_tokens": text + image,
        "input_tokens_details": {"text_tokens": text, "image_tokens": image},
        "output_tokens": output,
        "output_tokens_details": {"text_tokens": 0, "image_tokens": output},
        "total_tokens": text + image + output,
    }


def _streamed_image(line: Line, body: dict[str, Any], picture: str, directives: Directives) -> Plan:
    line.stream = True
    told = {name: body[name] for name in ("background", "output_format", "quality", "size")}
    told |= {"created_at": body["created"], "b64_json": picture}
    partial = exchange.event("image_generation.partial_image", told | {"partial_image_index": 0})
    usage = {} if line.usage is None else {"usage": line.usage}
    events = [(partial, 1), (exchange.event("image_generation.completed", told | usage), 0)]
    return exchange.stream(line, events, directives, line.usage, _failure(directives))


def _failure(directives: Directives) -> Callable[[], bytes]:
    error = heads.error_body(500, directives.message, code=directives.code)
    return lambda: b"event: error\ndata: %b\n\n" % error


def _event(found: dict[str, Any], deltas: int) -> tuple[bytes, int]:
    return b"data: %b\n\n" % _JSON.encode(found), deltas


def _binary(line: Line, body: bytes, content_type: str, directives: Directives) -> Plan:
    plan = exchange.document(line, body, content_type)
    if directives.cut is not None:
        plan.pieces, plan.close = [plan.pieces[0], (body[: directives.cut], 0)], True
    plan.directives = directives
    return plan


def _seconds(sound: bytes) -> float:
    """How long a WAV file is; of any other, a second for each 16 kB."""
    try:
        with wave.open(io.BytesIO(sound)) as opened:
            return float(opened.getnframes() / opened.getframerate())
    except (wave.Error, EOFError, ZeroDivisionError):
        return max(1.0, len(sound) / 16_000)


def _wav(seconds: float) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as opened:
        opened.setnchannels(1)
        opened.setsampwidth(2)
        opened.setframerate(8000)
        opened.writeframes(bytes(int(seconds * 8000) * 2))
    return made.getvalue()


def _png() -> bytes:
    """A picture of one grey pixel."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", zlib.compress(b"\0\x80")) + part(b"IEND", b"")
