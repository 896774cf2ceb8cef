"""Functions as the author of a run writes them, for the tests of what calls them."""

from __future__ import annotations

import random
from collections import UserDict
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torchvision.transforms import Compose, Normalize, ToTensor, v2

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


def draws(batch: dict[str, Any], *, seeds: Any, training: bool) -> dict[str, Any]:
    return {"label": batch["label"], "drawn": seeds}


def draws_by_row(row: dict[str, Any], seed: int) -> dict[str, Any]:
    return {"label": row["label"], "drawn": seed}


CROP = v2.Compose([v2.ToImage(), v2.RandomCrop((3, 4)), v2.RandomHorizontalFlip()])


def crops_as_a_notebook_does(row: dict[str, Any]) -> dict[str, Any]:
    return {"image": CROP(row["image"]), "label": row["label"]}


def jitters_with_every_generator(row: dict[str, Any]) -> dict[str, Any]:
    return {"a": random.random(), "b": np.random.random(), "c": float(torch.rand(()))}


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


def as_often_as_labelled(row: dict[str, Any]) -> Any:
    """Row 0 never, row 1 once, row 2 twice, …"""
    for copy in range(int(row["label"])):
        yield {"label": row["label"], "copy": copy}


def copies_below(batch: dict[str, Any], *, most: int) -> dict[str, Any]:
    kept = np.flatnonzero(batch["copy"] < most)
    return {**{name: values[kept] for name, values in batch.items()}, PARENT: kept}


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


def draws_of_copies(row: dict[str, Any], seed: int) -> dict[str, Any]:
    return {**row, "drawn": seed}


def chunks(batch: dict[str, Any]) -> dict[str, Any]:
    """What as_often_as_labelled does, as tokenizers return it, and backwards."""
    parents = np.repeat(np.arange(len(batch["label"])), batch["label"])[::-1]
    return {"label": batch["label"][parents], PARENT: parents}


def wrong_parents(batch: dict[str, Any], *, parents: list[float]) -> dict[str, Any]:
    return {"label": batch["label"][: len(parents)], PARENT: np.array(parents)}


def returns_an_empty_list(row: dict[str, Any]) -> list[dict[str, Any]]:
    return []


def wants_one_seed(batch: dict[str, Any], *, seed: int = 0) -> dict[str, Any]:
    return batch


def add(batch: dict[str, Any], *, amount: int) -> dict[str, Any]:
    return {**batch, "label": batch["label"] + amount}


class Counter:
    """Counts what it is built and called, and says whether it is training."""

    built = 0

    def __init__(self, start: int = 0):
        type(self).built += 1
        if start < 0:
            raise ValueError(f"start {start} is negative")
        self.calls = start

    def __call__(self, batch: dict[str, Any], training: bool, seeds: Any) -> dict[str, Any]:
        self.calls += 1
        rows = len(batch["label"])
        return {**batch, "call": np.full(rows, self.calls), "told": np.full(rows, training), "drawn": seeds}


class Unreachable:
    """A client of a database that is down."""

    built = 0

    def __init__(self) -> None:
        type(self).built += 1
        raise ConnectionRefusedError("no database")

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        return batch


class TakesNoBatch:
    def __call__(self) -> None:
        """Nothing."""


class WantsOneSeed:
    def __call__(self, batch: dict[str, Any], seed: int = 3) -> dict[str, Any]:
        return batch


class NotCallable:
    """An instance that cannot be called."""


def make_counter(start: int) -> Counter:
    return Counter(start)


def make_number() -> int:
    return 3


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


@on_trainer
def on_the_trainer(batch: dict[str, Any]) -> dict[str, Any]:
    return batch


class OnTrainer:
    built = 0

    def __init__(self) -> None:
        type(self).built += 1

    def __call__(self, batch: dict[str, Any], training: bool) -> dict[str, Any]:
        return {**batch, "told": training}


on_class = OnTrainer


class Difference(torch.nn.Module):
    """A loss with a parameter of its own, which is trained."""

    def __init__(self, scale: float = 1.0):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(scale))

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return (self.scale * (outputs - targets)).square().mean()


def make_difference(scale: float = 1.0) -> torch.nn.Module:
    return Difference(scale)


def difference(outputs: torch.Tensor, targets: torch.Tensor, power: int = 2) -> torch.Tensor:
    return ((outputs - targets) ** power).mean()


def any_arguments(*arguments: Any, **parameters: Any) -> torch.Tensor:
    return difference(*arguments, **parameters)


def doubled(batch: dict[str, Any]) -> dict[str, Any]:
    return {**batch, "features": 2 * batch["features"]}


def price_step(model: torch.nn.Module, batch: dict[str, torch.Tensor], session: Any) -> torch.Tensor:
    assert (session.rank, session.world_size) == (0, 1)
    return torch.nn.functional.mse_loss(model(batch["features"]).squeeze(1), batch["price"])
