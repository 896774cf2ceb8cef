"""What is trained, and how: the dataset, functions and settings of one training recipe.

It must say nothing about machines: groups.py does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from trainingrun.errors import Problem
from trainingrun.spec.model import FunctionReference, Model, Parameters, text

Format = Literal["Parquet", "Images", "CSV", "JSON", "WebDataset"]
IMAGE_FORMATS: tuple[Format, ...] = ("Images", "WebDataset")
BatchFormat = Literal["NumPy", "Arrow", "Torch"]
Column = Annotated[str, text(253)]
Path = Annotated[
    str,
    text(
        4096,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        words="a file, directory, glob or URI without control characters",
    ),
]


class Function(Model):
    """A Python function or class that the training image can import, and the arguments to call it with."""

    function: FunctionReference = Field(description="What to call, written `module:function`, at most 253 characters.")
    parameters: Parameters = Field(
        default={}, description="Keyword arguments for the call: at most 64, any JSON values."
    )


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
        description="Resize images to this size while reading; only with the formats Images and WebDataset.",
    )
    image_mode: Literal["L", "RGB"] | None = Field(
        default=None,
        description="Convert while reading: L has one channel, RGB three; only for Images and WebDataset.",
    )

    def broken_rules(self) -> Iterable[Problem]:
        """Refuse image settings for formats that decode no images."""
        if self.format not in IMAGE_FORMATS:
            for name, value in (("imageSize", self.image_size), ("imageMode", self.image_mode)):
                if value is not None:
                    yield Problem(name, f"{name} with format {self.format}", "only with format Images or WebDataset")


class Dataset(Model):
    """The rows to train on, and how they are fed."""

    train: Source = Field(description="Rows to train on.")
    validation: Source | None = Field(
        default=None, description="Rows to validate on after every epoch; no validation if not given."
    )
    input_column: Column = Field(default="image", description="Column that goes into the model, 1 to 253 characters.")
    target_column: Column = Field(
        default="label", description="Column that the loss compares with, 1 to 253 characters."
    )
    shuffle: bool = Field(default=True, description="Whether the order of rows changes every epoch.")
    shuffle_buffer_rows: int = Field(
        default=0,
        ge=0,
        le=100_000_000,
        description="Rows that each trainer buffers for further shuffling, 0 (off) to 100,000,000.",
    )
    prefetch_batches: int = Field(
        default=2, ge=0, le=1000, description="Batches that each trainer fetches ahead, 0 to 1000."
    )


class Transform(Function):
    """The preprocessing of rows, run on the data group."""

    kind: Literal["Row", "Batch"] = Field(
        description="Row calls the function with one row, Batch with many at once, which is faster."
    )
    batch_format: BatchFormat | None = Field(
        default=None,
        description="Format of a batch; only with kind Batch, where the default is NumPy.",
    )

    def broken_rules(self) -> Iterable[Problem]:
        """Refuse a batch format where there are no batches."""
        if self.kind == "Row" and self.batch_format is not None:
            yield Problem("batchFormat", "batchFormat with kind Row", "only with kind Batch")

    @property
    def resolved_batch_format(self) -> BatchFormat:
        """The format of batches to use with kind Batch."""
        return self.batch_format or "NumPy"


class Scheduler(Function):
    """A learning-rate scheduler, called with the optimizer and the parameters."""

    interval: Literal["Epoch", "Step"] = Field(default="Epoch", description="How often the scheduler steps.")


def _call(function: str, **parameters: float) -> Function:
    return Function(function=function, parameters={**parameters})


class Recipe(Model):
    """Settings of the built-in training loop, in which every function can be replaced."""

    dataset: Dataset = Field(description="The rows to train on, and how they are fed.")
    transform: Transform = Field(
        default=Transform(function="trainingrun_trainer.vision:normalize", kind="Batch"),
        description="Preprocessing on the data group.",
    )
    collate: Function | None = Field(
        default=None, description="Turns an Arrow table into a batch of tensors, on the trainer."
    )
    model: Function = Field(
        default=_call("trainingrun_trainer.vision:resnet18"), description="Returns the torch module to train."
    )
    optimizer: Function = Field(
        default=_call("torch.optim:Adam", lr=0.001),
        description="Called with the model's parameters and these; returns a torch optimizer.",
    )
    scheduler: Scheduler | None = Field(default=None, description="Learning-rate scheduler; none if not given.")
    loss: Function = Field(
        default=_call("torch.nn:CrossEntropyLoss"),
        description="Returns a callable (outputs, targets) -> scalar loss.",
    )
    metric: Function = Field(
        default=_call("trainingrun_trainer.vision:accuracy"),
        description="A function (outputs, targets) -> mean over the rows, for training and validation.",
    )
    train_step: Function | None = Field(default=None, description="Replaces one step of the built-in loop.")
    loop: Function | None = Field(default=None, description="Replaces the whole loop on each trainer process.")
    epochs: int = Field(default=10, ge=1, le=1_000_000, description="Passes over the training rows, 1 to 1,000,000.")
    global_batch_size: int = Field(
        default=512,
        ge=1,
        le=16_777_216,
        description=(
            "Rows per optimizer step over all trainer processes, 1 to 16,777,216; a multiple of "
            "trainer.numNodes x trainer.numProcPerNode x gradientAccumulationSteps."
        ),
    )
    gradient_accumulation_steps: int = Field(
        default=1, ge=1, le=65_536, description="Backward passes per optimizer step, 1 to 65,536."
    )
    max_grad_norm: float | None = Field(
        default=None,
        gt=0,
        le=1e9,
        description="Clip the gradient's norm to this, above 0 to 1e9; no clipping if not given.",
    )
    mixed_precision: Literal["BF16", "FP16"] | None = Field(
        default=None,
        description="Number format of the forward pass; FP16 needs a GPU. Float32 if not given.",
    )
    torch_compile: bool = Field(default=False, description="Whether the model goes through torch.compile.")
    seed: int = Field(default=0, ge=0, le=2**32 - 1, description="Seed of every random generator, 0 to 4,294,967,295.")
