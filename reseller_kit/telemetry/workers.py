"""Figures of one server's worker processes, put together whichever of them is asked. Counts nothing itself.

Each worker keeps a file of its figures in a folder that they share. What a dead one had counted stays counted, so that
no counter goes back; its gauges are gone with it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from .series import Across, Family

_SUFFIX: Final = ".metrics"
_FOLDS: Final[Mapping[Across, Callable[[float, float], float]]] = {
    "sum": lambda one, other: one + other,
    "max": max,
    "min": min,
    "asked": lambda one, _other: one,
}
_LATEST: Final = frozenset({"process_start_time_seconds"})
"""Gauges of the client library of which a sum would mean nothing."""

_Labels = tuple[tuple[str, str], ...]


class _Sample(Struct, frozen=True, array_like=True):
    name: str
    labels: _Labels
    value: float


class _Kept(Struct, frozen=True, array_like=True):
    name: str
    meaning: str
    kind: str
    samples: list[_Sample]


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[_Kept]).decode


class Workers:
    """The folder as one worker sees it. `count`: how many workers the server has."""

    def __init__(self, folder: Path, count: int = 1) -> None:
        self._folder = folder
        self.count = count

    def publish(self, registry: CollectorRegistry) -> None:
        """Let the others know of this process's figures."""
        kept = [
            _Kept(
                metric.name,
                metric.documentation,
                metric.type,
                [_Sample(s.name, tuple(sorted(s.labels.items())), s.value) for s in metric.samples],
            )
            for metric in registry.collect()
        ]
        file = self._folder / f"{os.getpid()}{_SUFFIX}"
        draft = file.with_suffix(".new")
        draft.write_bytes(_encode(kept))
        draft.replace(file)

    def collect(self, families: Mapping[str, Family]) -> list[Metric]:
        """All workers' figures as one process's."""
        metrics: dict[str, Metric] = {}
        values: dict[str, dict[tuple[str, _Labels], float]] = {}
        for process, kept in self._files():
            for each in kept:
                across = _across(each, families)
                if each.kind == "gauge" and not (process == os.getpid() if across == "asked" else _lives(process)):
                    continue
                if each.name not in metrics:
                    metrics[each.name] = Metric(each.name, each.meaning, each.kind)
                    values[each.name] = {}
                found, fold = values[each.name], _FOLDS[across]
                for sample in each.samples:
                    key = (sample.name, sample.labels)
                    found[key] = fold(found[key], sample.value) if key in found else sample.value
        for name, metric in metrics.items():
            for (sample_name, labels), value in values[name].items():
                metric.add_sample(sample_name, dict(labels), value)
        return list(metrics.values())

    def _files(self) -> Iterator[tuple[int, list[_Kept]]]:
        for file in sorted(self._folder.glob(f"*{_SUFFIX}")):
            yield int(file.stem), _decode(file.read_bytes())


def _across(kept: _Kept, families: Mapping[str, Family]) -> Across:
    if kept.kind != "gauge":
        return "sum"
    if kept.name in _LATEST:
        return "max"
    family = families.get(kept.name)
    return "sum" if family is None else family.across


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
