"""Where a dataset comes from and which of its columns are used, as one value that every data task can carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from trainingrun.spec.dataset import Dataset
    from trainingrun.spec.dataset import Source as DatasetSource

# Formats whose files hold nothing but pictures and their classes.
_OF_PICTURES = ("Images", "WebDataset")


@dataclass(frozen=True)
class Uses:
    """What a recipe's functions can do with rows, as far as columns depend on it.

    `gets_rows`: a transform on the data group, or a collate hook, gets the rows as they are stored. `gets_batches`: a
    hook on the trainer gets the whole batch, and may look at any column. `makes_batches`: a hook stands in for the
    built-in step, or makes its columns, so that none of them need exist before.
    """

    gets_rows: bool = False
    gets_batches: bool = False
    makes_batches: bool = False


@dataclass(frozen=True)
class Source:
    """A dataset to read. `field` is its path in the run, for messages; sizes are in pixels.

    The second half is filled in where the dataset is found: see `Format.find`.
    """

    field: str
    format: str
    path: str
    image_size: tuple[int, int] | None = None  # (height, width)
    image_mode: str | None = None
    inputs: tuple[str, ...] = ("image",)
    targets: tuple[str, ...] = ("label",)
    columns: tuple[str, ...] | None = None  # to read; None: all
    column_types: Mapping[str, str] | None = None  # as the run gives them
    uses: Uses = Uses(gets_rows=True)
    # Whether rows whose picture cannot be had are left out; otherwise the first one is an error.
    skips_bad_rows: bool = False

    # Of an image folder: the training data's, so that validation labels mean the same. None: the folder's own.
    classes: tuple[str, ...] | None = None
    # The columns to read, with the types that they have in every table whatever single files say.
    schema: pa.Schema | None = None
    # List columns that are known to have rows of different lengths.
    ragged: frozenset[str] = frozenset()

    @classmethod
    def of(cls, name: str, dataset: Dataset, uses: Uses) -> Source:
        """The source that `spec.recipe.dataset.<name>` describes: `train` or `validation`."""
        source: DatasetSource = getattr(dataset, name)
        size = source.image_size
        any_column = uses.gets_rows or uses.gets_batches
        return cls(
            field=f"spec.recipe.dataset.{name}",
            format=str(source.format),
            path=source.path,
            image_size=(size.height, size.width) if size else None,
            image_mode=str(source.image_mode) if source.image_mode else None,
            inputs=dataset.inputs,
            targets=dataset.targets,
            columns=dataset.columns or (None if any_column else _each_once(dataset.inputs + dataset.targets)),
            column_types=source.column_types,
            uses=uses,
            skips_bad_rows=dataset.on_bad_row.action == "Skip",
        )

    @property
    def needed(self) -> tuple[str, ...] | None:
        """The columns that a batch needs; None: a hook may use any."""
        return None if self.uses.gets_rows or self.uses.gets_batches else _each_once(self.inputs + self.targets)

    @property
    def required(self) -> tuple[str, ...]:
        """The columns that must exist, and become tensors, as they are stored: no hook can make or ignore them."""
        no_need = self.uses.gets_rows or self.uses.makes_batches
        return () if no_need else _each_once(self.inputs + self.targets)

    @property
    def without_nulls(self) -> tuple[str, ...]:
        """The columns that must have a value in every row, as they are stored."""
        pictures = self.picture_columns if self.skips_bad_rows else ()
        return tuple(name for name in self.required if name not in pictures)

    @property
    def picture_columns(self) -> tuple[str, ...]:
        """The columns in which encoded pictures are decoded: inputs, unless a hook gets the rows as they are."""
        if self.format in _OF_PICTURES:
            return self.inputs[:1]
        return self.inputs if self._is_asked or not self.uses.gets_rows else ()

    @property
    def path_column(self) -> str | None:
        """The column whose texts are paths of pictures: the first input, where the run says what they are to be."""
        return self.inputs[0] if self._is_asked and self.format not in _OF_PICTURES else None

    @property
    def _is_asked(self) -> bool:
        return self.image_size is not None or self.image_mode is not None


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
