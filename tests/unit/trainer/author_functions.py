"""Functions as the author of a run writes them, for the tests of what calls them."""

from __future__ import annotations

from collections import UserDict
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torchvision.transforms import Compose, Normalize, ToTensor

NOT_A_FUNCTION = 3


def notebook_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row transform as it stands in a notebook."""
    from PIL import Image

    to_tensor = Compose([ToTensor(), Normalize((0.5,), (0.5,))])
    image = Image.fromarray(np.array(row["image"], dtype=np.uint8))
    return {"image": to_tensor(image), "label": row["label"]}


def other_values_by_row(row: dict[str, Any]) -> dict[str, Any]:
    return {"image": torch.from_numpy(row["image"])[None].float() / 100, "label": row["label"]}


def row_in_place(row: dict[str, Any]) -> dict[str, Any]:
    row["image"] //= 2
    return row


def told_by_row(row: dict[str, Any], training: bool) -> dict[str, Any]:
    return {**row, "told": training}


def row_without_label(row: dict[str, Any]) -> dict[str, Any]:
    return {"image": row["image"]}


def row_of_its_own_shape(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "image": row["image"][: 1 + int(row["label"]) % 2]}


def row_with_its_own_columns(row: dict[str, Any]) -> dict[str, Any]:
    return row if row["label"] < 2 else {"image": row["image"]}


def row_as_list(row: dict[str, Any]) -> Any:
    return list(row.values())


def fails_on_row_three(row: dict[str, Any]) -> dict[str, Any]:
    if row["label"] == 3:
        return deeper(row)
    return row


def deeper(row: dict[str, Any]) -> dict[str, Any]:
    raise KeyError("the author's own mistake")


def halve(batch: dict[str, Any], by: int = 2) -> dict[str, Any]:
    return {**batch, "image": batch["image"] // by}


def batch_in_place(batch: dict[str, Any]) -> dict[str, Any]:
    batch["image"] //= 2
    batch["label"] += 100
    return batch


def tensors_in_place(batch: dict[str, Any]) -> dict[str, Any]:
    batch["image"].floor_divide_(2)
    batch["label"].add_(100)
    return batch


def told_by_batch(batch: dict[str, Any], training: bool, scale: float = 1.0) -> dict[str, Any]:
    return {**batch, "told": np.full(len(batch["label"]), training), "scale": np.full(len(batch["label"]), scale)}


def keep_even(batch: dict[str, Any]) -> dict[str, Any]:
    kept = batch["label"] % 2 == 0
    return {name: values[kept] for name, values in batch.items()}


def keep_none(batch: dict[str, Any]) -> dict[str, Any]:
    return {name: values[:0] for name, values in batch.items()}


def arrow_labels(table: pa.Table) -> pa.Table:
    return table.set_column(table.column_names.index("label"), "label", pa.array([7] * table.num_rows))


def batch_as_list(batch: dict[str, Any]) -> Any:
    return [batch]


def unequal_columns(batch: dict[str, Any]) -> dict[str, Any]:
    return {"image": batch["image"][:2], "label": batch["label"]}


def one_value(batch: dict[str, Any]) -> dict[str, Any]:
    return {**batch, "label": 3}


def slow_and_wrong(batch: dict[str, Any], *, factor: float) -> dict[str, Any]:
    raise ValueError(f"factor {factor} is wrong")


def collate_text(table: pa.Table, *, width: int) -> dict[str, torch.Tensor]:
    lengths = [len(text) for text in table["name"].to_pylist()]
    return {"image": torch.tensor(lengths).repeat(width, 1).T, "label": torch.tensor(table["label"].to_pylist())}


def collate_as_tokenizers_do(table: pa.Table) -> UserDict[str, torch.Tensor]:
    """A mapping that is no dict, with one row for all: what packs rows has no dimension for them."""
    return UserDict({"input_ids": torch.zeros(1, 2, dtype=torch.int64)})


def collate_list(table: pa.Table) -> Any:
    return [table]


class Model(torch.nn.Module):
    def __init__(self, classes: int):
        super().__init__()
        self.classes = classes
