"""Functions as the author of a run writes them, for the tests of what calls them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torchvision.transforms import Compose, Normalize, ToTensor

from trainingrun_trainer import PARENT, on_trainer

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


def row_of_its_own_depth(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "image": row["image"][0] if row["label"] % 2 else row["image"]}


def returns_nothing(rows: dict[str, Any]) -> Any:
    rows["label"] = 0


def ragged_row(row: dict[str, Any]) -> dict[str, Any]:
    """Boxes as detection has them, tokens as tokenizers return them, and a mask as a tensor."""
    count = int(row["label"])
    return {
        "boxes": np.full((count, 4), count, np.float32),
        "tokens": [count] * count,
        "mask": torch.ones(count, dtype=torch.bool),
        "words": ["word"] * count,
        "name": row["name"],
        "label": row["label"],
    }


def ragged_batch(batch: dict[str, Any]) -> dict[str, Any]:
    rows = [ragged_row({name: batch[name][place] for name in ("label", "name")}) for place in range(len(batch["name"]))]
    return {name: [row[name] for row in rows] for name in rows[0]}


def only_label(batch: dict[str, Any]) -> dict[str, Any]:
    batch["label"] = batch["label"] + 1
    return batch


def only_label_by_row(row: dict[str, Any]) -> dict[str, Any]:
    row["label"] = row["label"] + 1
    return row


def sizes_of_calls(batch: dict[str, Any]) -> dict[str, Any]:
    rows = len(batch["label"])
    return {"label": batch["label"], "call": np.full(rows, rows)}


def blow_up(batch: dict[str, Any], *, width: int) -> dict[str, Any]:
    """Paths become pictures."""
    rows = len(batch["label"])
    return {"label": batch["label"], "image": np.zeros((rows, width), np.uint8)}


ROWS_MADE: list[int] = []


def counted_pictures(batch: dict[str, Any]) -> dict[str, Any]:
    """Pictures of 16 MiB."""
    ROWS_MADE.append(len(batch["label"]))
    return {"label": batch["label"], "image": np.zeros((ROWS_MADE[-1], 4096, 4095), np.uint8)}


def text_labels(batch: dict[str, Any]) -> dict[str, Any]:
    return {**batch, "label": [str(label) for label in batch["label"]]}


def labels_with_gaps(batch: dict[str, Any]) -> dict[str, Any]:
    return {**batch, "label": [None if label % 2 else int(label) for label in batch["label"]]}


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
    return {**{name: values[kept] for name, values in batch.items()}, PARENT: np.flatnonzero(kept)}


def keep_even_and_say_nothing(batch: dict[str, Any]) -> dict[str, Any]:
    return {name: values for name, values in keep_even(batch).items() if name != PARENT}


def keep_even_rows(row: dict[str, Any]) -> dict[str, Any] | None:
    return row if row["label"] % 2 == 0 else None


def keep_even_in_arrow(table: pa.Table) -> pa.Table:
    kept = np.flatnonzero(table.column("label").to_numpy() % 2 == 0)
    return table.take(kept).append_column(PARENT, pa.array(kept))


def type_of_its_own(row: dict[str, Any]) -> dict[str, Any]:
    return {"label": "text" if row["label"] == 3 else row["label"]}


def squares(row: dict[str, Any]) -> dict[str, Any]:
    return {"label": row["label"], "array": np.full((2, 2), row["label"], np.uint8), "list": [1, 2]}


def growing(row: dict[str, Any]) -> dict[str, Any]:
    return {"label": row["label"], "array": np.zeros((int(row["label"]) + 1, 2)), "list": [1, 2]}


def add_by_row(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "label": row["label"] + 1}


def add_name(batch: dict[str, Any]) -> dict[str, Any]:
    return {**batch, "name": ["x"] * len(batch["label"])}


def says_what_it_gets(batch: dict[str, Any]) -> dict[str, Any]:
    got = "/".join(f"{batch[name].dtype} {batch[name].shape}" for name in ("array", "list"))
    return {"got": [got] * len(batch["label"])}


def says_type_of_label(batch: dict[str, Any]) -> dict[str, Any]:
    return {"got": [str(batch["label"].dtype)] * len(batch["label"])}


def doubled_array(batch: dict[str, Any]) -> dict[str, Any]:
    return {**batch, "array": batch["array"] * 2}


def returns_an_empty_list(row: dict[str, Any]) -> list[dict[str, Any]]:
    return []


def add(batch: dict[str, Any], *, amount: int) -> dict[str, Any]:
    return {**batch, "label": batch["label"] + amount}


def looks_nothing_up(batch: dict[str, Any]) -> dict[str, Any]:
    raise ConnectionResetError("no database any more")


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


@on_trainer
def on_the_trainer(batch: dict[str, Any]) -> dict[str, Any]:
    return batch


def doubled(batch: dict[str, Any]) -> dict[str, Any]:
    return {**batch, "features": 2 * batch["features"]}
