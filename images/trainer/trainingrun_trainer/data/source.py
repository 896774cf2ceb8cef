"""Where a dataset comes from, as one value that every data task can carry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainingrun.spec.dataset import Source as DatasetSource


@dataclass(frozen=True)
class Source:
    """A dataset to read. `field` is its path in the run, for messages; sizes are in pixels."""

    field: str
    format: str
    path: str
    image_size: tuple[int, int] | None = None  # (height, width)
    image_mode: str | None = None
    input_column: str = "image"
    target_column: str = "label"
    # Of an image folder: the training data's, so that validation labels mean the same. None: the folder's own.
    classes: tuple[str, ...] | None = None

    @classmethod
    def of(cls, field: str, source: DatasetSource, input_column: str, target_column: str) -> Source:
        """The source that `spec.recipe.dataset.<name>` describes."""
        size = source.image_size
        return cls(
            field=field,
            format=str(source.format),
            path=source.path,
            image_size=(size.height, size.width) if size else None,
            image_mode=str(source.image_mode) if source.image_mode else None,
            input_column=input_column,
            target_column=target_column,
        )
