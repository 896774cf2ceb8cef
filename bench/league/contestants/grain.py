"""Grain: a shuffled MapDataset over ArrayRecord, with worker processes. Its iterator has a state."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import grain
import numpy as np
from array_record.python.array_record_module import ArrayRecordWriter

from bench.league.protocol import SEED, SIDE, Task, serve

_NUMBER_BYTES = 8


class Loader:
    """See the module."""

    @staticmethod
    def prepare(task: Task) -> None:
        """Records of a row's number and its bytes, in groups of one as its documentation advises."""
        raw = task.raw() if task.kind == "raw" else None
        writer = ArrayRecordWriter(str(_file(task)), "group_size:1")
        for row in range(task.rows):
            data = task.jpeg(row) if raw is None else raw[row].tobytes()
            writer.write(row.to_bytes(_NUMBER_BYTES, "little") + data)
        writer.close()

    def __init__(self, task: Task):
        self._dataset = (
            grain.MapDataset.source(grain.sources.ArrayRecordDataSource(str(_file(task))))
            .seed(SEED)
            .shuffle()
            .map(_decoded if task.kind == "jpeg" else _raw)
            .batch(task.batch_rows)
            .to_iter_dataset(grain.ReadOptions(num_threads=task.workers))
            .mp_prefetch(grain.MultiprocessingOptions(num_workers=task.workers))
        )
        self._restored: Any = None

    def batches(self) -> Iterator[tuple[Any, Any]]:
        """An epoch."""
        self._iterator = iter(self._dataset)
        if self._restored is not None:
            self._iterator.set_state(self._restored)
        return self._iterator

    def save(self, folder: Path) -> None:
        """Its state is plain JSON."""
        (folder / "state.json").write_text(json.dumps(self._iterator.get_state()))

    def restore(self, folder: Path) -> None:
        """The inverse."""
        self._restored = json.loads((folder / "state.json").read_text())


def _file(task: Task) -> Path:
    return Path(task.prepared) / "rows.array_record"


def _number(record: bytes) -> int:
    return int.from_bytes(record[:_NUMBER_BYTES], "little")


def _decoded(record: bytes) -> tuple[int, np.ndarray]:
    image = cv2.imdecode(np.frombuffer(record, np.uint8, offset=_NUMBER_BYTES), cv2.IMREAD_COLOR_RGB)
    return _number(record), cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def _raw(record: bytes) -> tuple[int, np.ndarray]:
    return _number(record), np.frombuffer(record, np.uint8, offset=_NUMBER_BYTES).reshape(28, 28)


if __name__ == "__main__":
    serve(Loader)
