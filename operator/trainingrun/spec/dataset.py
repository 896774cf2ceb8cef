"""The rows that a run trains on: where they are, what their columns are, and how they are fed.

It must say nothing of what is done with a row: recipe.py does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, Strict

from trainingrun.errors import Problem
from trainingrun.spec.model import Model, keys_match, rules_error, text

COLUMN_LENGTH = 253
COLUMN_PATTERN = r"[^\x00]+"
COLUMN_KEYS = keys_match(COLUMN_PATTERN, COLUMN_LENGTH, f"1 to {COLUMN_LENGTH} characters")
Format = Literal["Parquet", "Images", "CSV", "JSON", "WebDataset"]
PICTURE_FORMATS: tuple[Format, ...] = ("Parquet", "Images", "WebDataset")
TEXT_FORMATS: tuple[Format, ...] = ("CSV", "JSON")
DEFAULT_INPUT = "image"
DEFAULT_TARGET = "label"
BatchFormat = Literal["NumPy", "Arrow", "Torch"]
Column = Annotated[str, text(COLUMN_LENGTH)]


def _names_are_unique(names: tuple[str, ...]) -> tuple[str, ...]:
    again = [index for index, name in enumerate(names) if name in names[:index]]
    if again:
        raise rules_error(Problem(f"[{i}]", f"{names[i]} again", "each column once") for i in again[:10])
    return names


Columns = Annotated[tuple[Column, ...], Strict(False), Field(max_length=256), AfterValidator(_names_are_unique)]
_SCALARS = "bool|u?int(8|16|32|64)|float(16|32|64)|string|binary|date32|timestamp"
ColumnType = Annotated[
    str,
    text(
        64,
        pattern=rf"^({_SCALARS}|list<({_SCALARS}|list<({_SCALARS})>)>)$",
        words="a type of Arrow: bool, int8 to int64, uint8 to uint64, float16 to float64, string, binary, date32, "
        "timestamp, or list<type>",
    ),
]
ColumnTypes = Annotated[dict[str, ColumnType], Field(max_length=256), AfterValidator(COLUMN_KEYS)]
Path = Annotated[
    str,
    text(
        4096,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        words="a file, directory, glob or URI without control characters",
    ),
]


class ImageSize(Model):
    """The size that images are resized to while they are read."""

    height: int = Field(ge=1, le=65535, description="Height in pixels, 1 to 65535.")
    width: int = Field(ge=1, le=65535, description="Width in pixels, 1 to 65535.")


class Source(Model):
    """Where rows are read from."""

    format: Format = Field(description="Format of the files.")
    path: Path = Field(description="File, directory, glob or URI that every pod can read, 1 to 4096 characters.")
    image_size: ImageSize | None = Field(
        default=None,
        description=(
            "Resize images to this size while reading; with the formats Images and WebDataset, and with Parquet for "
            "input columns that hold encoded pictures."
        ),
    )
    image_mode: Literal["L", "RGB"] | None = Field(
        default=None,
        description="Convert while reading: L has one channel, RGB three; with the formats that allow imageSize.",
    )
    column_types: ColumnTypes | None = Field(
        default=None,
        alias="schema",
        description=(
            "Types of columns, by name, as Arrow writes them: int64, float32, string, list<int64>, …; only for CSV and "
            "JSON, whose files name none. Other columns get the type that all of the files' values fit."
        ),
    )

    def broken_rules(self) -> Iterable[Problem]:
        """Refuse picture settings for formats without pictures, and types for formats that name them."""
        if self.format not in TEXT_FORMATS and self.column_types is not None:
            yield Problem("schema", f"schema with format {self.format}", "only with format CSV or JSON")
        if self.format not in PICTURE_FORMATS:
            for name, value in (("imageSize", self.image_size), ("imageMode", self.image_mode)):
                if value is not None:
                    yield Problem(
                        name, f"{name} with format {self.format}", "only with format Parquet, Images or WebDataset"
                    )


class Dataset(Model):
    """The rows to train on, and how they are fed."""

    train: Source = Field(description="Rows to train on.")
    validation: Source | None = Field(
        default=None, description="Rows to validate on after every epoch; no validation if not given."
    )
    input_column: Column | None = Field(
        default=None,
        description="Column that goes into the model, 1 to 253 characters; `image` without inputColumns.",
    )
    input_columns: Columns | None = Field(
        default=None,
        description=(
            "Columns that go into the model, 1 to 256: by name where its forward method has parameters of these "
            "names, otherwise by position in this order."
        ),
    )
    target_column: Column | None = Field(
        default=None,
        description=("Column that the loss compares with, 1 to 253 characters; `label` without targetColumns."),
    )
    target_columns: Columns | None = Field(
        default=None,
        description=(
            "Columns that the loss compares with, at most 256; a loss gets one as a tensor and several as a dict. "
            "None at all only with recipe.trainStep or recipe.loop."
        ),
    )
    columns: Columns | None = Field(
        default=None,
        description=(
            "Columns to read, 1 to 256. If not given: input and target columns where no hook of the recipe could use "
            "others, every column where one could."
        ),
    )
    shuffle: bool = Field(default=True, description="Whether the order of rows changes every epoch.")
    shuffle_buffer_rows: int = Field(
        default=0,
        ge=0,
        le=100_000_000,
        description=(
            "Rows for each trainer that are shuffled together at least, 0 to 100,000,000; 0: as many as 64 MiB hold, "
            "from up to 32 files or row groups."
        ),
    )
    prefetch_batches: int = Field(
        default=2, ge=0, le=1000, description="Batches that each trainer fetches ahead, 0 to 1000."
    )

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns that go into the model."""
        if self.input_columns is not None:
            return self.input_columns
        return (self.input_column or DEFAULT_INPUT,)

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns that the loss compares with."""
        if self.target_columns is not None:
            return self.target_columns
        return (self.target_column or DEFAULT_TARGET,)

    def broken_rules(self) -> Iterable[Problem]:
        """Refuse two ways to say one thing, and no inputs at all."""
        for name, one, many in (
            ("inputColumn", self.input_column, self.input_columns),
            ("targetColumn", self.target_column, self.target_columns),
        ):
            if one is not None and many is not None:
                yield Problem(name, f"{name} and {name}s", "at most one of them")
        for name, columns in (("inputColumns", self.input_columns), ("columns", self.columns)):
            if columns == ():
                yield Problem(name, "an empty list", "1 column or more")
