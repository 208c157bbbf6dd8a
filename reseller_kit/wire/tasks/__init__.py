"""One module for each kind of task: reads its request, its answer, and what it used."""

from collections.abc import Callable
from typing import Final

from ..task import Task, TaskApi
from . import embeddings, images, moderations, rerank, speech, transcriptions
from .multipart import Field

DECODERS: Final[dict[TaskApi, Callable[[bytes], Task]]] = {
    "embeddings": embeddings.decode,
    "images": images.decode,
    "speech": speech.decode,
    "moderations": moderations.decode,
    "rerank": rerank.decode,
}
"""Of those whose body is JSON."""

decode_transcription = transcriptions.decode

__all__ = ["DECODERS", "Field", "decode_transcription"]
