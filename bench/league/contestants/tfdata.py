"""tf.data: TFRecord files, interleaved, shuffled in a buffer and decoded in parallel. Its iterator has a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from bench.league.protocol import SEED, SIDE, Task, serve

_FILES = 8
_BUFFER = 1000
_FEATURES = {"id": tf.io.FixedLenFeature([], tf.int64), "data": tf.io.FixedLenFeature([], tf.string)}


class Loader:
    """See the module."""

    @staticmethod
    def prepare(task: Task) -> None:
        """Some files of tf.train.Example."""
        raw = task.raw() if task.kind == "raw" else None
        for number in range(_FILES):
            with tf.io.TFRecordWriter(f"{task.prepared}/{number}.tfrecord") as writer:
                for row in range(number, task.rows, _FILES):
                    data = task.jpeg(row) if raw is None else raw[row].tobytes()
                    features = {
                        "id": tf.train.Feature(int64_list=tf.train.Int64List(value=[row])),
                        "data": tf.train.Feature(bytes_list=tf.train.BytesList(value=[data])),
                    }
                    example = tf.train.Example(features=tf.train.Features(feature=features))
                    writer.write(example.SerializeToString())

    def __init__(self, task: Task):
        files = sorted(str(path) for path in Path(task.prepared).glob("*.tfrecord"))
        options = tf.data.Options()
        options.threading.private_threadpool_size = task.workers
        self._dataset = (
            tf.data.Dataset.from_tensor_slices(files)
            .shuffle(_FILES, seed=SEED)
            .interleave(tf.data.TFRecordDataset, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
            .shuffle(_BUFFER, seed=SEED)
            .map(_decoded if task.kind == "jpeg" else _raw, num_parallel_calls=tf.data.AUTOTUNE)
            .batch(task.batch_rows)
            .prefetch(tf.data.AUTOTUNE)
            .with_options(options)
        )
        self._restored: Path | None = None

    def batches(self) -> Iterator[tuple[Any, Any]]:
        """An epoch."""
        self._iterator = iter(self._dataset)
        if self._restored is not None:
            tf.train.Checkpoint(iterator=self._iterator).read(str(self._restored / "state")).assert_consumed()
        return ((ids.numpy(), images.numpy()) for ids, images in self._iterator)

    def save(self, folder: Path) -> None:
        """It holds the shuffle buffer."""
        tf.train.Checkpoint(iterator=self._iterator).write(str(folder / "state"))

    def restore(self, folder: Path) -> None:
        """Used once there is an iterator."""
        self._restored = folder


def _decoded(record: Any) -> tuple[Any, Any]:
    parsed = tf.io.parse_single_example(record, _FEATURES)
    image = tf.image.resize(tf.io.decode_jpeg(parsed["data"], channels=3), (SIDE, SIDE))
    return parsed["id"], tf.cast(image, tf.uint8)


def _raw(record: Any) -> tuple[Any, Any]:
    parsed = tf.io.parse_single_example(record, _FEATURES)
    return parsed["id"], tf.reshape(tf.io.decode_raw(parsed["data"], tf.uint8), (28, 28))


if __name__ == "__main__":
    serve(Loader)
