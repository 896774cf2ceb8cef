"""A conversion to S3, against a real server that speaks its protocol."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import s3fs

from trainingrun_trainer.convert import UsageError, convert
from trainingrun_trainer.data.layout import layouts_of, to_numpy


def test_a_bucket_gets_whole_files_and_a_manifest(store: s3fs.S3FileSystem) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9000, 4, 4), dtype=np.uint8)
    source = {"image": pixels, "label": np.arange(9000)}
    converted = convert(source, "s3://bucket/data/train", shuffle=False)
    assert converted.dataset == {"train": {"format": "Parquet", "path": "s3://bucket/data/train"}}
    manifest = json.loads(store.cat_file("bucket/data/train/_manifest.json"))
    assert (manifest["rows"], manifest["bytes"], len(manifest["files"])) == (9000, converted.size, 8)
    read = []
    for name in manifest["files"]:
        with store.open(f"bucket/data/train/{name}") as file:
            table = pq.read_table(file)
        read.append(to_numpy(table["image"], layouts_of(table.schema)["image"]))
    assert (np.concatenate(read) == pixels).all()
    with pytest.raises(UsageError, match="train exists; --overwrite"):
        convert(source, "s3://bucket/data/train")
    convert({"image": pixels[:5], "label": np.arange(5)}, "s3://bucket/data/train", overwrite=True)
    store.invalidate_cache()
    assert [name.rpartition("/")[2] for name in store.find("bucket/data/train")] == [
        "_manifest.json",
        "part-00000.parquet",
    ]
